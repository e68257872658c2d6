/**
 * A data folder belongs to one process at a time and bears the version of its format.
 *
 * `format` says what the folder holds and since which format version; a newer one is refused, so that an
 * older program never misreads a folder. `in-use` names the process that has it open, together with the time
 * that process started (Linux): after a kill -9 the file stays, and another process may since have been given
 * the same number.
 */
import {
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Failure } from '../../interface/index.js';
import { diskFailure, errorCode } from './disk-failure.js';

export interface FolderKind {
  /** What the folder holds, as `coda-store`. */
  readonly name: string;
  /** The format version that this program writes; it reads all up to it, and marks the folder with it. */
  readonly version: number;
}

const operation = 'folder.open';

/**
 * Creates `folder` if need be and takes it for this process.
 * @returns what gives it back
 * @throws Failure incompatible, invalid, no-space
 */
export async function claimFolder(folder: string, kind: FolderKind): Promise<() => Promise<void>> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    const release = await claim(folder);
    try {
      await checkFormat(folder, kind);
      if (made !== undefined) await syncAbove(resolve(folder), resolve(made));
    } catch (error) {
      await release();
      throw error;
    }
    return release;
  } catch (error) {
    throw unusable(folder, error) ?? diskFailure(operation, folder, error);
  }
}

/** Flushes the names of the folders from `topmost` down to `folder`, which have just been made. */
async function syncAbove(folder: string, topmost: string): Promise<void> {
  for (let path = folder; path.length >= topmost.length; path = dirname(path))
    await syncFolder(dirname(path));
}

function unusable(folder: string, error: unknown): Failure | undefined {
  const reasons: Readonly<Record<string, string>> = {
    EACCES: 'this user may not use it',
    EPERM: 'this user may not use it',
    EEXIST: 'it is a file',
    ENOTDIR: 'a folder above it is a file',
  };
  const reason = reasons[errorCode(error) ?? ''];
  if (reason === undefined) return undefined;
  return new Failure('invalid', operation, `${folder}: ${reason}; give another folder`, { cause: error });
}

/** Flushes the names in `folder`. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function checkFormat(folder: string, kind: FolderKind): Promise<void> {
  const path = join(folder, 'format');
  const text = await readIfThere(path);
  if (text === undefined) return markFormat(folder, path, kind);
  const [, name, digits] = /^(\S+) (\d+)\n$/.exec(text) ?? [];
  if (name !== kind.name) {
    const message = `${folder} holds something else (${name ?? 'unknown'}): give another folder`;
    throw new Failure('incompatible', operation, message);
  }
  if (Number(digits) > kind.version) {
    const message =
      `${folder} was written by a newer version of this program (format ${digits}, this one reads up to ` +
      `${kind.version}): start the newer version, or restore a copy from before the upgrade`;
    throw new Failure('incompatible', operation, message);
  }
  if (Number(digits) < kind.version) await writeFormat(folder, path, kind);
}

async function markFormat(folder: string, path: string, kind: FolderKind): Promise<void> {
  const strangers = (await readdir(folder)).filter((name) => !ownFile.test(name) && name !== 'lost+found');
  if (strangers.length > 0) {
    const message = `${folder} holds other files (${strangers[0]}): give an empty folder`;
    throw new Failure('incompatible', operation, message);
  }
  await writeFormat(folder, path, kind);
}

async function writeFormat(folder: string, path: string, kind: FolderKind): Promise<void> {
  const temporary = `${path}.new`;
  await writeFile(temporary, `${kind.name} ${kind.version}\n`, { mode: 0o600, flush: true });
  await rename(temporary, path);
  await syncFolder(folder);
}

const ownFile = /^(format|format\.new|in-use)$/;

/** A symbolic link that leads nowhere: made in one step, and without a block of a disk that may be full. */
async function claim(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, 'in-use');
  const self = `${process.pid} ${await startOf(process.pid)}`;
  // Twice at most, unless processes come and die between the two steps.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (await linked(self, path)) return () => unlinkIfThere(path);
    const holder = await readlink(path).catch(() => undefined);
    if (holder !== undefined) await mustBeDead(folder, holder);
    await unlinkIfThere(path);
  }
  throw new Failure('busy', operation, `${folder} is being opened by other processes; try again`);
}

async function mustBeDead(folder: string, holder: string): Promise<void> {
  const [, pid, start] = /^(\d+) (\S+)$/.exec(holder) ?? [];
  if (pid === undefined || start === undefined || !isAlive(Number(pid))) return;
  const current = await startOf(Number(pid));
  if (current !== start && current !== unknown && start !== unknown) return;
  const message = `${folder} is in use by process ${pid}: stop it first, or give another folder`;
  throw new Failure('invalid', operation, message);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** Where there is no /proc, a process is known by its number only. */
const unknown = 'unknown';

/** Boot and start time of a process, which no other process shares; that of a zombie is `gone`. */
async function startOf(pid: number): Promise<string> {
  const boot = await readIfThere('/proc/sys/kernel/random/boot_id');
  const stat = await readIfThere(`/proc/${pid}/stat`);
  if (boot === undefined || stat === undefined) return unknown;
  // proc(5): the second field, in parentheses, may itself hold spaces; the 3rd is the state, the 22nd the
  // start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const ticks = fields[19];
  if (state === 'Z' || state === 'X') return 'gone';
  return ticks === undefined ? unknown : `${boot.trim().replaceAll('-', '')}/${ticks}`;
}

async function linked(target: string, path: string): Promise<boolean> {
  try {
    await symlink(target, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
