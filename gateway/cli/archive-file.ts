/** The archive of a log as a file: written whole or not at all, over nothing that is there unless told to. */
import { createReadStream } from 'node:fs';
import { access, link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { shellQuoted } from '../config/command-name.js';
import { messageOf, OperatorError, systemCode } from '../config/operator-error.js';
import { bytesText } from './output.js';
import { isLeft, ownMark, writerMark } from './writing-process.js';

/** Told so often how many bytes have gone. */
const tellEveryMs = 250;

/** Tells bytes as they go, on one line, where a person watches. */
export class ByteProgress {
  readonly #what: string;
  #bytes = 0;
  #told = 0;

  constructor(what: string) {
    this.#what = what;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `chunks`, counted. */
  async *count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        this.#bytes += chunk.length;
        this.#tell();
        yield chunk;
      }
    } finally {
      if (process.stderr.isTTY && this.#told > 0) process.stderr.write('\r\x1b[K');
    }
  }

  #tell(): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#told < tellEveryMs) return;
    this.#told = now;
    process.stderr.write(`\r${this.#what}: ${bytesText(this.#bytes)}\x1b[K`);
  }
}

/** @throws OperatorError refused: there is such a file */
export async function requireNew(file: string, force: boolean, option = '--force'): Promise<void> {
  const exists = await access(file).then(
    () => true,
    () => false,
  );
  if (exists && !force) throw alreadyThere(file, option);
}

/**
 * Writes `chunks` to `file`: a temporary file beside it, flushed, then the name, flushed. Readable for its owner
 * alone. When anything fails nothing is left behind.
 * @throws OperatorError refused: it exists (without `force`), or cannot be written; what `chunks` fail with
 */
export async function writeArchive(
  file: string,
  chunks: AsyncIterable<Uint8Array>,
  force: boolean,
): Promise<void> {
  const target = resolve(file);
  await requireNew(target, force);
  const temporary = `${target}.${ownMark()}.tmp`;
  try {
    // Of a process that had our number and was killed.
    await rm(temporary, { force: true });
    await spool(temporary, chunks);
    await giveName(temporary, target, force);
  } catch (error) {
    await rm(temporary, { force: true });
    if (systemCode(error) === undefined) throw error;
    const message = `${file} cannot be written: ${messageOf(error)}. Nothing was left behind.`;
    throw new OperatorError('refused', message, { cause: error });
  }
  if (process.platform === 'win32') return;
  await flushed(dirname(target), 'r');
}

/** Removes what writers of `file` that were killed have left beside it; not what others are writing at the moment. */
export async function removeLeftovers(file: string): Promise<void> {
  const target = resolve(file);
  const name = basename(target);
  for (const each of await readdir(dirname(target)).catch(() => [])) {
    const mark = each.startsWith(`${name}.`) && each.endsWith('.tmp') ? each.slice(name.length + 1, -4) : '';
    if (!writerMark.test(mark)) continue;
    const path = join(dirname(target), each);
    const written = await stat(path).catch(() => undefined);
    if (written !== undefined && isLeft(mark, Date.now() - written.mtimeMs)) await rm(path, { force: true });
  }
}

/** @throws OperatorError usage: there is no such file; it cannot be read */
export async function* readArchive(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
  } catch (cause) {
    const why = systemCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(cause)}`;
    throw new OperatorError(
      'usage',
      `${file} ${why}. Give an archive that \`coda log checkpoint\` has written.`,
    );
  }
}

async function spool(temporary: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const handle = await open(temporary, 'wx', 0o600);
  try {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Gives a file its name. A link, unlike a rename, never replaces what somebody has put there meanwhile. */
export async function giveName(temporary: string, target: string, force: boolean): Promise<void> {
  if (force) return rename(temporary, target);
  try {
    await link(temporary, target);
    await rm(temporary);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') throw alreadyThere(target);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(code ?? '')) throw error;
    // This file system has no links.
    await requireNew(target, false);
    await rename(temporary, target);
  }
}

async function flushed(path: string, flags: string): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function alreadyThere(file: string, option = '--force'): OperatorError {
  const advice = `Give another name, or ${option} to replace ${shellQuoted(file)}.`;
  return new OperatorError('refused', `${file} exists. ${advice}`);
}
