/**
 * The format of a dump: what its frames are, and the bounds for whoever reads one. README.md in this folder is the
 * description for other programs.
 *
 * DF-1  A dump begins with `magic`, then come frames: a kind (one ASCII letter), the length of the payload (4 bytes,
 *       big endian), the payload, and the CRC-32 of all of that (4 bytes, big endian).
 * DF-2  First the header, last the trailer, and nothing behind it. The trailer has the SHA-256 of every byte before its
 *       own frame, so that a dump is whole or is found not to be.
 * DF-3  Objects and removals come in the order of their Fids (ASCII), each Fid once.
 * DF-4  Contents come once, before the first object that has them; those that the base has do not come at all.
 */
import { z } from 'zod';
import {
  crc32,
  parseFid,
  statusSchema,
  volumeId,
  type Fid,
  type VolumeId,
} from '../../../vice/interface/index.js';
import { DumpDamaged } from './dump-damaged.js';

export const magic = Buffer.from('coda-dump 1\n');
export const headBytes = 5;
export const tailBytes = 4;

/** Bytes of one payload at most: of contents, and of everything else (an object with many versions has the most). */
export const payloadMost = { contents: 256 * 1024, other: 16 * 1024 * 1024 } as const;

export const kinds = {
  H: 'header',
  C: 'contents',
  B: 'bytes',
  O: 'object',
  R: 'removal',
  T: 'trailer',
} as const;
export type FrameKind = keyof typeof kinds;

const count = z.number().int().nonnegative();
const name = z.string().max(256);
const fid = z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined);
const volume = z.custom<VolumeId>((value) => typeof value === 'string' && volumeId(value) !== undefined);

/** A snapshot as one replica took it: what others took under its name may differ in what had not come to all. */
const state = z.strictObject({ snapshot: name, time: count, replica: z.string().max(64) });
export type DumpState = z.infer<typeof state>;

export const headerSchema = z.strictObject({
  format: z.literal('coda-dump'),
  version: z.literal(1),
  realm: z.strictObject({ id: z.string().max(64), name }),
  volume: z.strictObject({ id: volume, name }),
  state,
  /** Of an incremental dump: the state that it changes. */
  base: state.nullable(),
});
export type DumpHeader = z.infer<typeof headerSchema>;

export const contentsSchema = z.strictObject({ digest: z.string().regex(/^[0-9a-f]{64}$/), length: count });
export const removalSchema = z.strictObject({ fid });
export const objectSchema = statusSchema;
export const trailerSchema = z.strictObject({
  objects: count,
  removed: count,
  contents: count,
  /** Of all contents. */
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type DumpTrailer = z.infer<typeof trailerSchema>;

/** One frame, checksum included. */
export function frame(kind: FrameKind, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(headBytes + payload.length + tailBytes);
  bytes.write(kind, 0, 'ascii');
  bytes.writeUInt32BE(payload.length, 1);
  bytes.set(payload, headBytes);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, headBytes + payload.length)), headBytes + payload.length);
  return bytes;
}

export function jsonFrame(kind: FrameKind, value: unknown): Buffer {
  return frame(kind, Buffer.from(JSON.stringify(value)));
}

/** What a payload says. @throws DumpDamaged */
export function valueIn<T>(schema: z.ZodType<T>, payload: Uint8Array, at: number): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw new DumpDamaged(at, 'the frame there is no JSON text', { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new DumpDamaged(at, `the frame there is not understood: ${issue?.path.join('.')} ${issue?.message}`);
}

export function isSameState(one: DumpState, other: DumpState): boolean {
  return one.snapshot === other.snapshot && one.time === other.time && one.replica === other.replica;
}
