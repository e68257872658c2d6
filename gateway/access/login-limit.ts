/** Slows down guessing: so many failures of one user from one address, then no more attempts for a while. */
import type { Clock } from '../../vice/seam/clock.js';

export const loginLimit = { failures: 10, windowMs: 60_000 } as const;
const maxTracked = 10_000;

interface Failures {
  count: number;
  /** Monotonic milliseconds. */
  readonly since: number;
}

/** Counts per user *and* address: an office behind one address is not locked out by one stale password. */
export class LoginLimit {
  readonly #clock: Clock;
  readonly #failures = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Seconds until the next attempt is allowed; 0 if it is now. */
  waitOf(user: string, remote: string): number {
    const failures = this.#live(keyOf(user, remote));
    if (failures === undefined || failures.count < loginLimit.failures) return 0;
    return Math.max(1, Math.ceil((failures.since + loginLimit.windowMs - this.#clock.monotonic()) / 1000));
  }

  failed(user: string, remote: string): void {
    const key = keyOf(user, remote);
    const failures = this.#live(key);
    if (failures !== undefined) {
      failures.count += 1;
      return;
    }
    const oldest = this.#failures.keys().next();
    if (this.#failures.size >= maxTracked && oldest.done !== true) this.#failures.delete(oldest.value);
    this.#failures.set(key, { count: 1, since: this.#clock.monotonic() });
  }

  succeeded(user: string, remote: string): void {
    this.#failures.delete(keyOf(user, remote));
  }

  #live(key: string): Failures | undefined {
    const failures = this.#failures.get(key);
    if (failures === undefined || failures.since + loginLimit.windowMs > this.#clock.monotonic())
      return failures;
    this.#failures.delete(key);
    return undefined;
  }
}

function keyOf(user: string, remote: string): string {
  return `${remote} ${user.slice(0, 64)}`;
}
