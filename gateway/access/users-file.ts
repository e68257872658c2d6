/**
 * The users' file: a small nedb database that every gateway of a machine reads and an operator's command
 * changes.
 *
 * nedb writes no checksum, does not flush an append and rewrites a file even when it only loads it. So:
 *
 * UF-1  nedb works on FILE.next, under FILE.lock; compacted and flushed, that is renamed to FILE.
 *       FILE.previous is what was there before.
 * UF-2  Readers read FILE itself: they see a change whole or not at all, and write nothing.
 * UF-3  Each line is behind its checksum; a file with one bad line is refused whole, never partly believed.
 */
import { createHash } from 'node:crypto';
import { copyFile, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import Datastore from 'nedb-promises';
import { z } from 'zod';
import { Failure } from '../../venus/interface.js';
import { isScryptVerifier } from '../../vice/seam/scrypt-verifier.js';

const maxBytes = 16 * 1024 * 1024;
const checksumDigits = 16;

const userSchema = z.object({ _id: z.string(), hash: z.string().refine(isScryptVerifier) });

export interface StoredUser {
  readonly name: string;
  readonly hash: string;
}

/** What tells one state of the file from another, without reading it; '' if there is none. */
export async function fileMark(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** All users by name; none when there is no file. @throws Failure damaged */
export async function readUsers(file: string): Promise<Map<string, StoredUser>> {
  const users = new Map<string, StoredUser>();
  for (const line of (await readWhole(file)).split('\n')) {
    if (line === '') continue;
    const record = parseRecord(file, line);
    if ('$$indexCreated' in record || '$$indexRemoved' in record) continue;
    const parsed = userSchema.safeParse(record);
    if (!parsed.success) throw damaged(file);
    users.set(parsed.data._id, { name: parsed.data._id, hash: parsed.data.hash });
  }
  return users;
}

/**
 * Adds or replaces (`hash`), or removes (null) one user; durable when it resolves.
 * @throws Failure busy (another process changes the file), damaged
 */
export async function changeUser(file: string, name: string, hash: string | null): Promise<void> {
  await withLock(`${file}.lock`, async () => {
    await readUsers(file);
    const next = `${file}.next`;
    await rm(next, { force: true });
    await copyIfThere(file, next);
    const database = openDatabase(next);
    if (hash === null) await database.remove({ _id: name }, {});
    else await database.update({ _id: name }, { _id: name, hash }, { upsert: true });
    // Loading once more compacts: one line for each user, flushed.
    await openDatabase(next).load();
    await copyIfThere(file, `${file}.previous`);
    await rename(next, file);
    await flushDirectory(dirname(file));
  });
}

function openDatabase(filename: string): Datastore<{ _id: string }> {
  const options = {
    filename,
    corruptAlertThreshold: 0,
    // nedb knows it, its types do not.
    modes: { fileMode: 0o600, dirMode: 0o700 },
    afterSerialization: withChecksum,
    beforeDeserialization: (line: string) => withoutChecksum(line) ?? '',
  };
  return Datastore.create(options);
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

/** A rename is durable once the directory is flushed. */
async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function withLock<T>(lockFile: string, work: () => Promise<T>): Promise<T> {
  const handle = await open(lockFile, 'wx', 0o600).catch((error: unknown) => {
    if (!hasCode(error, 'EEXIST')) throw error;
    const advice = `another command is changing the users; if none is running, delete ${lockFile}`;
    throw new Failure('busy', 'users.change', advice);
  });
  try {
    return await work();
  } finally {
    await handle.close();
    await rm(lockFile, { force: true });
  }
}

async function readWhole(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > maxBytes) throw damaged(file);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

function parseRecord(file: string, line: string): object {
  const text = withoutChecksum(line);
  if (text === undefined) throw damaged(file);
  try {
    const record: unknown = JSON.parse(text);
    if (typeof record === 'object' && record !== null) return record;
  } catch {
    // Falls through: not JSON is as damaged as not an object.
  }
  throw damaged(file);
}

function withChecksum(text: string): string {
  return `${checksumOf(text)} ${text}`;
}

function withoutChecksum(line: string): string | undefined {
  const text = line.slice(checksumDigits + 1);
  return line === withChecksum(text) ? text : undefined;
}

function checksumOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, checksumDigits);
}

function damaged(file: string): Failure {
  const advice = `compare it with ${file}.previous and put that in its place`;
  return new Failure('damaged', 'users.read', `the users' file ${file} is damaged; ${advice}`);
}

function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT');
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
