/** A dump's file, read at any place. */
import { open, type FileHandle } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { checkedDump, type CheckedDump } from '../administration/dump/checked-dump.js';
import type { DumpBytes } from '../administration/dump/frame-reader.js';
import { messageOf, OperatorError, systemCode } from '../config/operator-error.js';
import { bytesText, progress } from './output.js';

const tellEveryMs = 250;

/** Runs `work` with dumps that were found whole. @throws OperatorError usage; DumpDamaged */
export async function withDumps<T>(
  files: readonly string[],
  work: (dumps: readonly CheckedDump[]) => Promise<T>,
): Promise<T> {
  const handles: FileHandle[] = [];
  try {
    const dumps: CheckedDump[] = [];
    for (const file of files) {
      const handle = await opened(file);
      handles.push(handle);
      dumps.push(await checked(file, handle));
    }
    return await work(dumps);
  } finally {
    for (const handle of handles) await handle.close();
  }
}

async function checked(file: string, handle: FileHandle): Promise<CheckedDump> {
  const { size } = await handle.stat();
  const bytes: DumpBytes = {
    name: file,
    size,
    async read(start, length) {
      const buffer = Buffer.alloc(length);
      let read = 0;
      while (read < length) {
        const { bytesRead } = await handle.read(buffer, read, length - read, start + read);
        if (bytesRead === 0) break;
        read += bytesRead;
      }
      return buffer.subarray(0, read);
    },
    pause: () => setImmediate(undefined),
  };
  let told = performance.now();
  const dump = await checkedDump(bytes, (read) => {
    const now = performance.now();
    if (!process.stderr.isTTY || now - told < tellEveryMs) return;
    told = now;
    process.stderr.write(`\rchecking ${file}: ${bytesText(read)} of ${bytesText(size)}\x1b[K`);
  });
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  else progress(`${file} is whole: ${bytesText(size)}`);
  return dump;
}

async function opened(file: string): Promise<FileHandle> {
  try {
    const handle = await open(file, 'r');
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    throw new OperatorError('usage', `${file} is no file. Give one that \`coda volume dump\` has written.`);
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const why = systemCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(cause)}`;
    throw new OperatorError('usage', `${file} ${why}. Give one that \`coda volume dump\` has written.`, {
      cause,
    });
  }
}
