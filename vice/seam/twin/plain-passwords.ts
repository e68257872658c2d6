/** Passwords in simulated realms: salted, but not slow, as no thread of a pool may decide the order of events. */
import { createHash } from 'node:crypto';
import type { Passwords } from '../passwords.js';
import { randomHex, type Random } from '../random.js';

export class PlainPasswords implements Passwords {
  /** Verifications, also of nobody's password. */
  verified = 0;
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  hash(password: string): Promise<string> {
    return Promise.resolve(digested(password, randomHex(this.#random, 8)));
  }

  verify(password: string, verifier: string): Promise<boolean> {
    this.verified += 1;
    const salt = verifier.split('$')[2] ?? '';
    return Promise.resolve(verifier === digested(password, salt));
  }

  verifyNobody(): Promise<false> {
    this.verified += 1;
    return Promise.resolve(false);
  }
}

function digested(password: string, salt: string): string {
  const digest = createHash('sha256')
    .update(`${salt}\0${password.normalize('NFC')}`)
    .digest('hex');
  return `$plain$${salt}$${digest}`;
}
