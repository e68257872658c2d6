/** How far the replay of a log has come, and how fast it goes. */
import type { Clock } from '../../vice/seam/clock.js';
import type { Replay } from '../interface.js';
import { bytesOf, type LogEntry } from '../log/modify-log.js';

/** The rate is that of about the last so many milliseconds. */
const windowMs = 5000;

interface Mark {
  readonly at: number;
  readonly records: number;
  readonly bytes: number;
}

export class ReplayMeter {
  readonly #clock: Clock;
  #since: { readonly wall: number; readonly at: number } | undefined;
  #records = 0;
  #bytes = 0;
  #marks: Mark[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An entry that waited in the log has reached a server. */
  done(entry: LogEntry): void {
    const at = this.#clock.monotonic();
    this.#since ??= { wall: this.#clock.wall(), at };
    this.#records += entry.records.length;
    this.#bytes += bytesOf(entry);
    this.#marks.push({ at, records: this.#records, bytes: this.#bytes });
    const first = this.#marks.findIndex((mark) => mark.at > at - windowMs);
    if (first > 0) this.#marks = this.#marks.slice(first);
  }

  /** The log is empty: what comes next is another replay. */
  finish(): void {
    this.#since = undefined;
    this.#records = 0;
    this.#bytes = 0;
    this.#marks = [];
  }

  get progress(): Replay | null {
    if (this.#since === undefined) return null;
    const now = this.#clock.monotonic();
    const from = this.#marks.find((mark) => mark.at > now - windowMs);
    const start = Math.max(this.#since.at, from?.at ?? now);
    const seconds = Math.max(now - start, 1000) / 1000;
    return {
      since: this.#since.wall,
      doneRecords: this.#records,
      doneBytes: this.#bytes,
      recordsPerSecond: (this.#records - (from?.records ?? this.#records)) / seconds,
      bytesPerSecond: (this.#bytes - (from?.bytes ?? this.#bytes)) / seconds,
    };
  }
}
