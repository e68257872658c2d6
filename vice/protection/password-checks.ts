/** Passwords are checked one at a time, as each takes memory and a processor for a while, whoever it is. */
import PQueue from 'p-queue';
import type { Passwords } from '../seam/passwords.js';

export class PasswordChecks {
  readonly #passwords: Passwords;
  readonly #queue = new PQueue({ concurrency: 1 });

  constructor(passwords: Passwords) {
    this.#passwords = passwords;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** `verifier` undefined: nobody's; takes as long. */
  async verify(password: string, verifier: string | undefined): Promise<boolean> {
    const isRight = await this.#queue.add(() =>
      verifier === undefined
        ? this.#passwords.verifyNobody(password)
        : this.#passwords.verify(password, verifier),
    );
    return isRight === true;
  }
}
