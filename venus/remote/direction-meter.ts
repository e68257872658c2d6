/**
 * Watches what passes over one link in one direction and keeps its quality (link-quality.ts). All transfers share the
 * link, so they are measured together: bytes, and the time in which at least one of them waited for the network.
 */
import type { Clock, Timer } from '../../vice/seam/clock.js';
import { bandwidth, observed, unknownQuality, type LinkQuality } from './link-quality.js';

/** A long transfer becomes a sample whenever the link was busy for so long. */
const sampleMs = 2000;
/** An upload goes out in pieces of so many bytes: of a larger one nothing is known for long on a weak link. */
export const pieceBytes = 32 * 1024;
/** So long no piece has moved: at most those under way pass in it. TCP may starve one of several links on a cable. */
const standingMs = 5000;
export class DirectionMeter {
  readonly #clock: Clock;
  readonly #turned: () => void;
  #quality = unknownQuality;
  /** Transfers that wait for the network now. */
  #waiting = 0;
  #waitingSince = 0;
  /** Transfers under way, waiting or not. */
  #open = 0;
  /** Since the last sample. */
  #bytes = 0;
  #milliseconds = 0;
  /** Uploads with a piece that has not moved yet. */
  #pieces = 0;
  #standing: Timer | undefined;
  /** What was known before the link stood still: if it has broken, standing said nothing of its speed. */
  #beforeStanding: LinkQuality | undefined;

  /** `turned` is called after every change from weak to strong and back, and when the speed becomes known. */
  constructor(clock: Clock, turned: () => void) {
    this.#clock = clock;
    this.#turned = turned;
  }

  get quality(): LinkQuality {
    return this.#quality;
  }

  /**
   * What is downloaded, as it is read. The time that its reader takes does not count. When it is whole and less than
   * `leastBytes`, that says nothing.
   */
  async *download(
    source: AsyncIterable<Uint8Array>,
    leastBytes = 0,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const transfer = this.#begin();
    let bytes = 0;
    try {
      for await (const chunk of source) {
        transfer.moved(chunk.length);
        bytes += chunk.length;
        yield chunk;
        transfer.wait();
      }
      if (bytes >= leastBytes) transfer.whole();
    } finally {
      transfer.end();
    }
  }

  /**
   * Runs an upload with the source that it shall send. The time that the source takes does not count; the wait for
   * the outcome does: until then bytes may lie in a buffer. A piece has moved when the next one is asked for: by then
   * it has left this process, and all but what a buffer of the system holds has arrived.
   */
  async upload(
    source: AsyncIterable<Uint8Array>,
    send: (source: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<void> {
    const transfer = this.#begin();
    const watched = async function* (this: DirectionMeter): AsyncGenerator<Uint8Array, void, undefined> {
      transfer.pause();
      for await (const chunk of source) {
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          const piece = chunk.subarray(at, at + pieceBytes);
          transfer.wait();
          this.#pieces += 1;
          this.#watchStanding();
          try {
            yield piece;
          } finally {
            this.#pieces -= 1;
          }
          transfer.moved(piece.length);
        }
      }
      transfer.wait();
    };
    try {
      await send(watched.call(this));
      transfer.whole();
    } finally {
      transfer.end();
    }
  }

  /** Whether transfers are under way. */
  get isBusy(): boolean {
    return this.#open > 0;
  }

  /** What else was seen of it, while no transfer was under way. */
  observe(bytes: number, milliseconds: number): void {
    this.#become(observed(this.#quality, { bytes, milliseconds }));
  }

  #begin(): TransferWatch {
    this.#open += 1;
    const watch = new TransferWatch((change) => this.#changed(change));
    watch.wait();
    return watch;
  }

  #changed(change: WatchChange): void {
    const now = this.#clock.monotonic();
    if (this.#waiting > 0) this.#milliseconds += now - this.#waitingSince;
    this.#waitingSince = now;
    this.#bytes += change.bytes;
    this.#waiting += change.waiting;
    if (change.ended) this.#open -= 1;
    if (change.bytes > 0) this.#passed();
    if (change.broken) this.#broke();
    else if (this.#open === 0) this.#sample();
    else if (this.#milliseconds >= sampleMs && (change.bytes > 0 || change.ended)) this.#sample();
  }

  /** Looks again and again while pieces wait and none moves. */
  #watchStanding(): void {
    this.#standing ??= this.#clock.after(standingMs, () => {
      this.#standing = undefined;
      if (this.#pieces === 0) return;
      this.#beforeStanding ??= this.#quality;
      this.#restart();
      this.observe(this.#pieces * pieceBytes, standingMs);
      this.#watchStanding();
    });
  }

  #passed(): void {
    this.#standing?.cancel();
    this.#standing = undefined;
    this.#beforeStanding = undefined;
    if (this.#pieces > 0) this.#watchStanding();
  }

  /** A transfer that broke has waited for nothing: that time is no sample. */
  #broke(): void {
    this.#restart();
    if (this.#beforeStanding !== undefined) this.#become(this.#beforeStanding);
    this.#beforeStanding = undefined;
  }

  #sample(): void {
    const [bytes, milliseconds] = [this.#bytes, this.#milliseconds];
    this.#restart();
    if (bytes > 0) this.observe(bytes, milliseconds);
  }

  #restart(): void {
    this.#bytes = 0;
    this.#milliseconds = 0;
  }

  #become(quality: LinkQuality): void {
    const before = this.#quality;
    this.#quality = quality;
    const isNews =
      quality.weak !== before.weak ||
      (bandwidth(quality) === undefined) !== (bandwidth(before) === undefined);
    if (isNews) this.#turned();
  }
}

interface WatchChange {
  readonly bytes: number;
  readonly waiting: -1 | 0 | 1;
  readonly ended: boolean;
  readonly broken: boolean;
}

/** One transfer's part in the meter. */
class TransferWatch {
  readonly #tell: (change: WatchChange) => void;
  #waits = false;
  #whole = false;
  #ended = false;

  constructor(tell: (change: WatchChange) => void) {
    this.#tell = tell;
  }

  wait(): void {
    if (this.#waits || this.#ended) return;
    this.#waits = true;
    this.#tell({ bytes: 0, waiting: 1, ended: false, broken: false });
  }

  pause(): void {
    if (!this.#waits || this.#ended) return;
    this.#waits = false;
    this.#tell({ bytes: 0, waiting: -1, ended: false, broken: false });
  }

  moved(bytes: number): void {
    if (this.#ended) return;
    const waiting = this.#waits ? -1 : 0;
    this.#waits = false;
    this.#tell({ bytes, waiting, ended: false, broken: false });
  }

  whole(): void {
    this.#whole = true;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell({ bytes: 0, waiting: this.#waits ? -1 : 0, ended: true, broken: !this.#whole });
  }
}
