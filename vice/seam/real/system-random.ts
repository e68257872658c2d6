import { randomBytes } from 'node:crypto';
import type { Random } from '../random.js';

/** The operating system's cryptographic source. */
export function systemRandom(): Random {
  return {
    bytes: (count) => new Uint8Array(randomBytes(count)),
    fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  };
}
