/**
 * Values to bytes and back, the same for wire and disk: MessagePack, and for what is stored a CRC-32 before it
 * (every stored byte is under a checksum; containers have their digest).
 */
import { Packr } from 'msgpackr';
import { Failure, isFailure } from './failure.js';

// Plain maps: each value can be read on its own, by any version, without a shared structure table.
const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** `value` as MessagePack. */
export function encode(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** @throws Failure invalid when `bytes` are no MessagePack. What they hold is not checked here. */
export function decode(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch (cause) {
    throw new Failure('invalid', 'codec.decode', 'not MessagePack', { cause });
  }
}

/** `value` as MessagePack behind its CRC-32, for the store. */
export function seal(value: unknown): Uint8Array {
  const body = packr.pack(value);
  const sealed = new Uint8Array(body.length + 4);
  new DataView(sealed.buffer).setUint32(0, crc32(body));
  sealed.set(body, 4);
  return sealed;
}

/**
 * @throws Failure damaged when the checksum does not fit, or fits what was never sealed: the record must be fetched
 * again from a replica.
 */
export function unseal(sealed: Uint8Array): unknown {
  const body = sealed.subarray(4);
  const stored = new DataView(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (sealed.length < 5 || stored.getUint32(0) !== crc32(body)) {
    throw new Failure('damaged', 'codec.unseal', 'a stored record does not match its checksum');
  }
  try {
    return packr.unpack(body);
  } catch (cause) {
    throw new Failure('damaged', 'codec.unseal', 'a stored record is not MessagePack', { cause });
  }
}

/** The record of a row that may be missing, as its owner wrote it; undefined: there is none, or it is damaged. */
export function intact<Row = unknown>(sealed: Uint8Array | undefined): Row | undefined {
  if (sealed === undefined) return undefined;
  try {
    return unseal(sealed) as Row;
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return undefined;
  }
}

const crcTable = new Uint32Array(256).map((_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** CRC-32 (ISO-HDLC), as zlib has it; node:zlib offers it only from Node 22 on. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
