/** Messages of a link as no peer makes them. */
import fc from 'fast-check';
import { encode } from '../../vice/interface/index.js';
import type { Frame } from '../../vice/seam/link-frame.js';
import { harmed } from './hostile.js';

const fid = '7f000001.1.1';
const storeId = '0123456789abcdef:1';
const frames: readonly Frame[] = [
  { frame: 'hello', hello: { protocol: 2, server: 's1', realm: '7e1666385bb2d650' } as never },
  { frame: 'call', id: 1, name: 'status', argument: { volume: '7f000001', fids: [fid] } },
  { frame: 'reply', id: 1, result: { bytes: new Uint8Array(40), list: [storeId, null, 2 ** 40, -1, 0.5] } },
  { frame: 'failed', id: 1, failure: { kind: 'not-found', message: 'x', fid: null } as never },
  { frame: 'push', push: { push: 'break', volume: '7f000001', fids: [fid] } },
];

/** MessagePack that announces much and holds little, and the extensions of msgpackr, which nobody here sends. */
const promises = [
  'c6ffffffff',
  'dbffffffff',
  'ddffffffff',
  'dfffffffff',
  'c9ffffffff01',
  'de7fff',
  'dc7fff',
  'd865',
  'd469ff',
  'd77200',
  'd472ff',
  'c70378',
  'c70473',
  'd6ff',
  'd7ff',
  'd574',
  'c10000',
  '81a9' + Buffer.from('__proto__').toString('hex'),
].map((hex) => Buffer.from(hex, 'hex'));

/** Noise, frames with bytes altered, and frames that announce more than they hold. */
export const garbageFrames: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.constantFrom(...frames).chain((frame) => harmed(encode(frame))),
  fc
    .tuple(
      fc.constantFrom(...frames),
      fc.constantFrom(...promises),
      fc.nat(200),
      fc.uint8Array({ maxLength: 30 }),
    )
    .map(([frame, promise, at, rest]) => {
      const bytes = encode(frame);
      return Buffer.concat([bytes.subarray(0, at), promise, rest, bytes.subarray(at)]);
    }),
);
