import { open } from 'node:fs/promises';
import { errorCode } from './disk-failure.js';

/** Where LMDB's two meta pages have what we look at (MDB_meta in its mdb.c; all little-endian). */
const offsets = { magic: 24, pageBytes: 48, freeRoot: 88, mainRoot: 136, transaction: 152 } as const;
const magic = 0xbeefc0de;
const noRoot = 0xffffffffffffffffn;

/**
 * What is wrong with the LMDB file at `path`, or undefined. LMDB maps the file and trusts it: one that is cut
 * short or overwritten at its head would not be refused but kill the process.
 */
export async function lmdbFault(path: string): Promise<string | undefined> {
  const head = Buffer.alloc(64 * 1024 + 4096);
  let fileBytes: number;
  try {
    const file = await open(path, 'r');
    try {
      fileBytes = (await file.stat()).size;
      await file.read(head, 0, head.length, 0);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  // A crash between the making of the file and its first write: LMDB begins anew.
  return fileBytes === 0 ? undefined : headFault(head, fileBytes);
}

function headFault(head: Buffer, fileBytes: number): string | undefined {
  if (head.readUInt32LE(offsets.magic) !== magic) return 'it does not begin as an LMDB file does';
  const pageBytes = head.readUInt32LE(offsets.pageBytes);
  const plausible = pageBytes >= 4096 && pageBytes <= 65536 && (pageBytes & (pageBytes - 1)) === 0;
  if (!plausible || fileBytes < 2 * pageBytes) return 'its head is damaged';
  const second = head.subarray(pageBytes);
  if (second.readUInt32LE(offsets.magic) !== magic) return 'its second head is damaged';
  const newer =
    second.readBigUInt64LE(offsets.transaction) > head.readBigUInt64LE(offsets.transaction) ? second : head;
  const pages = BigInt(Math.floor(fileBytes / pageBytes));
  for (const offset of [offsets.freeRoot, offsets.mainRoot]) {
    const root = newer.readBigUInt64LE(offset);
    if (root !== noRoot && root >= pages) return 'it has lost its end';
  }
  return undefined;
}
