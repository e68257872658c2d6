import type { Random } from '../random.js';

/**
 * The same numbers for the same seed, on every machine: sfc32 (Chris Doty-Humphrey's Small Fast Counting).
 */
export function seededRandom(seed: number): Random {
  let [a, b, c] = [mixed(seed, 1), mixed(seed, 2), mixed(seed, 3)];
  let counter = 1;
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  // sfc32's author: twelve draws until every bit depends on every bit of the seed.
  for (let round = 0; round < 12; round += 1) draw();
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count; at += 4) {
        const word = draw();
        for (let byte = 0; byte < 4 && at + byte < count; byte += 1) bytes[at + byte] = word >>> (8 * byte);
      }
      return bytes;
    },
    // All 53 bits of a double's fraction.
    fraction: () => ((draw() >>> 5) * 2 ** 26 + (draw() >>> 6)) / 2 ** 53,
  };
}

/** Neighbouring seeds begin far apart; the high half of a large seed counts too. */
function mixed(seed: number, lane: number): number {
  const high = Math.floor(seed / 2 ** 32) | 0;
  return finalized(finalized((seed | 0) + Math.imul(lane, 0x9e3779b9)) ^ high);
}

/** The finalizer of splitmix32: every bit of the result depends on every bit of `word`. */
function finalized(word: number): number {
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}
