/**
 * Slows down guessing through a gateway that does not (gateway/access/login-limit.ts does): so many failures of one
 * user there, or of all together, then no more attempts from there for a while. Other gateways are another matter, so
 * nobody is locked out of the realm by guesses at one.
 */
import type { Clock } from '../seam/clock.js';

export const loginAttempts = { ofUser: 20, ofGateway: 200, windowMs: 60_000 } as const;
const maxTracked = 10_000;

export class LoginAttempts {
  readonly #clock: Clock;
  readonly #failures = new Map<string, { count: number; readonly since: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Seconds until the next attempt is answered; 0: now. */
  waitOf(gateway: string, user: string): number {
    return Math.max(
      this.#wait(gateway, loginAttempts.ofGateway),
      this.#wait(`${gateway} ${user}`, loginAttempts.ofUser),
    );
  }

  failed(gateway: string, user: string): void {
    for (const key of [gateway, `${gateway} ${user}`]) {
      const failures = this.#live(key);
      if (failures !== undefined) failures.count += 1;
      else this.#begin(key);
    }
  }

  #wait(key: string, most: number): number {
    const failures = this.#live(key);
    if (failures === undefined || failures.count < most) return 0;
    return Math.max(1, Math.ceil((failures.since + loginAttempts.windowMs - this.#clock.monotonic()) / 1000));
  }

  #begin(key: string): void {
    const oldest = this.#failures.keys().next();
    if (this.#failures.size >= maxTracked && oldest.done !== true) this.#failures.delete(oldest.value);
    this.#failures.set(key, { count: 1, since: this.#clock.monotonic() });
  }

  #live(key: string): { count: number; readonly since: number } | undefined {
    const failures = this.#failures.get(key);
    if (failures === undefined || failures.since + loginAttempts.windowMs > this.#clock.monotonic()) {
      return failures;
    }
    this.#failures.delete(key);
    return undefined;
  }
}
