/**
 * A data folder says whose it is and in which format it is written, in `coda-folder.json`. So a newer
 * version's folder, or another role's, is refused before anything in it is touched.
 */
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { messageOf, OperatorError } from '../config/operator-error.js';
import { readIfThere, writeWhole } from './whole-file.js';

/** Raised when an older version could not use what this one writes. 2: objects have versions and places. */
export const folderFormat = 2;

const stampSchema = z.object({
  format: z.number().int(),
  role: z.enum(['realm', 'server', 'gateway']),
  name: z.string(),
  realm: z.string(),
});

/** Whose folder it is. */
export interface FolderOwner {
  readonly role: 'realm' | 'server' | 'gateway';
  readonly name: string;
  /** Random id of the realm. */
  readonly realm: string;
}

/** Where `coda up` keeps its realm, and the other commands look for it, when no --data is given. */
export function defaultDataFolder(environment: NodeJS.ProcessEnv = process.env): string {
  const home = homedir();
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'coda-gateway');
  if (process.platform === 'win32') {
    return join(environment['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local'), 'coda-gateway');
  }
  const base = environment['XDG_DATA_HOME'];
  return join(base !== undefined && base !== '' ? base : join(home, '.local', 'share'), 'coda-gateway');
}

/** The owner of `folder`, or undefined for a new one. @throws OperatorError refused when it cannot be used */
export async function readOwner(folder: string): Promise<FolderOwner | undefined> {
  const file = stampFile(folder);
  const text = await readIfThere(file).catch((cause: unknown) => {
    throw new OperatorError('refused', `${folder} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (text === undefined) return undefined;
  const stamp = stampSchema.safeParse(parseJson(text));
  // A newer format may have other keys: look at the number first.
  const format = z.object({ format: z.number() }).safeParse(parseJson(text));
  if (format.success && format.data.format > folderFormat) {
    throw new OperatorError(
      'refused',
      `${folder} was written by a newer version of coda-gateway (format ${format.data.format}; this one ` +
        `knows ${folderFormat}). Install that version or a later one, or give another folder with --data.`,
    );
  }
  if (format.success && format.data.format < folderFormat) {
    throw new OperatorError(
      'refused',
      `${folder} was written by an earlier build (format ${format.data.format}), which this one cannot read. ` +
        'Start the earlier build, copy the files out of the share, and into a new realm with --data DIR.',
    );
  }
  if (stamp.success) return stamp.data;
  throw new OperatorError(
    'refused',
    `${file} is damaged. Restore it from a backup: without it nobody knows whose data is in the folder.`,
  );
}

/** Makes `folder` the owner's, if it is new. @throws OperatorError refused when it is another's */
export async function takeFolder(folder: string, owner: FolderOwner): Promise<void> {
  const current = await readOwner(folder);
  if (current === undefined) {
    await makeFolder(folder);
    await writeWhole(stampFile(folder), `${JSON.stringify({ format: folderFormat, ...owner }, null, 2)}\n`);
    return;
  }
  if (current.role === owner.role && current.name === owner.name && current.realm === owner.realm) return;
  throw new OperatorError(
    'refused',
    `${folder} belongs to the ${current.role} "${current.name}" of realm ${current.realm}, not to the ` +
      `${owner.role} "${owner.name}" of realm ${owner.realm}. Give each its own folder.`,
  );
}

/** @throws OperatorError refused */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new OperatorError(
      'refused',
      `The folder ${folder} cannot be made: ${messageOf(cause)}. Choose another with --data DIR.`,
      { cause },
    );
  }
}

function stampFile(folder: string): string {
  return join(folder, 'coda-folder.json');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
