/** A tree of this machine, read: entries of a folder, contents of a file that nobody changes meanwhile. */
import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stats } from 'node:fs';
import { ContentsDigest } from '../../../venus/archive/contents-digest.js';
import { messageOf } from '../../config/operator-error.js';
import type { Compared } from './comparison.js';
import { TreeRefusal } from './share-tree.js';

export interface LocalEntry extends Compared {
  readonly name: string;
  /** What it is, where it is neither file nor folder nor link: "a socket". */
  readonly what: string;
}

export interface LocalFolder {
  /** By name. */
  readonly entries: readonly LocalEntry[];
  /** What is there and cannot be looked at, or whose name is no Unicode. */
  readonly faults: readonly { readonly name: string; readonly reason: string }[];
}

const chunkBytes = 256 * 1024;
/** Looked at together. */
const lookedAtOnce = 64;

/** @throws Error of the system: it cannot be read, it is no folder */
export async function readFolder(folder: string): Promise<LocalFolder> {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const names: string[] = [];
  const faults: { name: string; reason: string }[] = [];
  for (const bytes of await readdir(folder, { encoding: 'buffer' })) {
    try {
      names.push(utf8.decode(bytes));
    } catch {
      faults.push({ name: bytes.toString('latin1'), reason: 'its name is not in UTF-8; rename it' });
    }
  }
  names.sort();
  const entries: LocalEntry[] = [];
  for (let at = 0; at < names.length; at += lookedAtOnce) {
    const looked = names.slice(at, at + lookedAtOnce).map(async (name) => {
      const entry = await entryOf(join(folder, name), name).catch((error: unknown) => messageOf(error));
      if (entry === undefined) return;
      if (typeof entry === 'string') faults.push({ name, reason: entry });
      else entries.push(entry);
    });
    await Promise.all(looked);
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { entries, faults };
}

/** What is at `path`, links not followed; undefined: nothing. @throws Error of the system */
export async function entryOf(path: string, name: string): Promise<LocalEntry | undefined> {
  let stats: Stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const kind = kindOf(stats);
  const target = kind === 'symlink' ? await readlink(path) : null;
  const length = kind === 'file' ? stats.size : 0;
  return { name, kind, what: whatOf(stats), length, modified: timeOf(stats), target };
}

/**
 * The contents of a file that is what `seen` says, and stays so until its end.
 * @throws TreeRefusal `changed`; Error of the system
 */
export async function* readUnchanged(path: string, seen: LocalEntry): AsyncGenerator<Uint8Array> {
  // Whatever has taken its place meanwhile: no link is followed, and no pipe is waited for.
  const handle = await open(
    path,
    constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
  );
  try {
    const before = await handle.stat();
    const isSeen = before.isFile() && before.size === seen.length && timeOf(before) === seen.modified;
    if (!isSeen) throw changed();
    let length = 0;
    for await (const chunk of chunksOf(handle)) {
      length += chunk.length;
      if (length > seen.length) throw changed();
      yield chunk;
    }
    const after = await handle.stat();
    const isSame = after.size === before.size && after.mtimeMs === before.mtimeMs;
    if (length !== seen.length || !isSame || after.ctimeMs !== before.ctimeMs) throw changed();
  } finally {
    await handle.close();
  }
}

/** The digest of a file's contents, as the share has it. @throws as readUnchanged */
export async function digestOfFile(path: string, seen: LocalEntry, check: () => void): Promise<string> {
  const sum = new ContentsDigest();
  for await (const chunk of readUnchanged(path, seen)) {
    check();
    sum.add(chunk);
  }
  return sum.end();
}

async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes, null);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/**
 * To the millisecond, as the share keeps times. Rounded: what was set from milliseconds may come back as a little less
 * (the system is told seconds, in binary fractions).
 */
function timeOf({ mtimeMs }: Stats): number {
  return Math.round(mtimeMs);
}

function kindOf(stats: Stats): LocalEntry['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'symlink' : 'other';
}

function whatOf(stats: Stats): string {
  if (stats.isSocket()) return 'a socket';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : 'no file';
}

function changed(): TreeRefusal {
  return new TreeRefusal('changed', 'it was changed while it was read; run the command again');
}
