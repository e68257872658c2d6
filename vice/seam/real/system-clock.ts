import type { Clock } from '../clock.js';

/** Node fires a timer of a longer delay at once. */
const longestDelay = 2 ** 31 - 1;

/** The clock of this machine. A timer that is set keeps the process alive. */
export function systemClock(): Clock {
  return {
    wall: () => Date.now(),
    monotonic: () => performance.now(),
    after(delay, task) {
      let timer: NodeJS.Timeout;
      const wait = (remaining: number): void => {
        const step = Math.min(remaining, longestDelay);
        timer = setTimeout(() => (remaining > step ? wait(remaining - step) : task()), step);
      };
      wait(Math.max(0, delay));
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
