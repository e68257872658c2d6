/** Seam: time. The only way for the house to know or to wait. */
export interface Clock {
  /** Whole milliseconds since 1970. May jump; only ever shown to people, never used to order updates (P14). */
  wall(): number;
  /** Milliseconds since some start; never goes back. Leases, timeouts and ages are measured with it. */
  monotonic(): number;
  /** Calls `task` once, `delay` milliseconds from now. Tasks must not throw. */
  after(delay: number, task: () => void): Timer;
}

export interface Timer {
  /** Idempotent; also after the task has run. */
  cancel(): void;
}

/**
 * Resolves after `delay` milliseconds of `clock`, or rejects with the signal's reason when it aborts first.
 */
export function sleep(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.after(delay, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}
