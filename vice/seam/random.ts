/** Seam: randomness, for identities, jitter and salt. */
export interface Random {
  /** `count` random bytes; from a cryptographic source in the real one. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1). */
  fraction(): number;
}

/** `count` random bytes as hexadecimal digits. */
export function randomHex(random: Random, count: number): string {
  return Buffer.from(random.bytes(count)).toString('hex');
}
