/**
 * Small contents, from whoever has them soonest. They come in one answer, so no part of them can be checked before all
 * of it is here: the receiver checks the whole (change/contents.ts).
 *
 * SN-1  Bytes come in order, each once. Where a source breaks, the next one goes on at the byte where it broke.
 * SN-2  Of one source at a time, until it is late: then of a second one, too. Whoever is first at the end has won.
 * SN-3  What gives way to users comes in pieces that occupy the link for a moment only, and is asked of one source.
 * SN-4  What has given all is let end by itself: its connection serves the next request. (One that is stopped takes its
 *       connection along, and the next request pays for a new one: with TLS more than for a small file.)
 */
import { Failure, isFailure } from '../../vice/interface/index.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { LinkQuality } from '../remote/link-quality.js';
import { backgroundBytes, chosen, lateAfter } from './choice.js';
import type { RaceBook } from './race-book.js';

export interface ByteSource {
  readonly name: string;
  readonly quality: LinkQuality;
  /** Contents from `start` up to but not including `end`. Aborted, it fails soon. @throws Failure */
  bytes(start: number, end: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** It is to be asked first from now on. */
  prefer(): void;
}

export interface SoonestWorld {
  readonly clock: Clock;
  readonly races: RaceBook;
  /** Told of a source that broke, and where. */
  readonly broke: (source: string, at: number, failure: Failure) => void;
}

export class Soonest {
  readonly #world: SoonestWorld;
  readonly #sources: readonly ByteSource[];
  readonly #failed = new Map<string, Failure>();
  #at: number;

  /** `sources`: the preferred one first. `at`: what is here already. */
  constructor(world: SoonestWorld, sources: readonly ByteSource[], at = 0) {
    this.#world = world;
    this.#sources = sources;
    this.#at = at;
  }

  /**
   * The bytes up to `end`; of what gives way to users only a piece, so it is to be called again.
   * @throws Failure what the last source said, or unreachable
   */
  async *to(end: number, isUrgent: boolean): AsyncGenerator<Uint8Array, void, undefined> {
    const first = this.#next();
    const left = end - this.#at;
    yield* this.#run(first, isUrgent ? end : this.#at + backgroundBytes(first, left), isUrgent);
  }

  #next(): ByteSource {
    const source = this.#choose(new Set());
    if (source !== undefined) return source;
    const said = [...this.#failed.values()].at(-1);
    throw said ?? new Failure('unreachable', 'venus.fetch', 'no server answers');
  }

  async *#run(first: ByteSource, end: number, mayRace: boolean): AsyncGenerator<Uint8Array, void, undefined> {
    const running = [new Stream(first, this.#at, end)];
    const late = new Lateness(this.#world.clock);
    if (mayRace) late.begin(lateAfter(this.#sources[0]?.quality ?? first.quality, end - this.#at));
    let last: Stream | undefined;
    try {
      while (this.#at < end) {
        if (running.length === 0) running.push(new Stream(this.#next(), this.#at, end));
        const event = await Promise.race([late.reached, ...running.map((stream) => stream.next)]);
        if (event === 'late') {
          const other = this.#choose(new Set(running.map(({ source }) => source.name)));
          if (other !== undefined) running.push(new Stream(other, this.#at, end));
          continue;
        }
        const { stream, chunk } = event;
        if (!(chunk instanceof Uint8Array)) {
          running.splice(running.indexOf(stream), 1);
          this.#failed.set(stream.source.name, chunk);
          this.#world.broke(stream.source.name, this.#at, chunk);
          continue;
        }
        const fresh = stream.took(chunk, this.#at, end);
        if (fresh.length === 0) continue;
        this.#at += fresh.length;
        last = stream;
        yield fresh;
      }
      if (running.length > 1 && last !== undefined) this.#judge(running, last);
    } finally {
      late.end();
      for (const stream of running) {
        if (this.#at >= end && stream === last) stream.finish();
        else stream.stop();
      }
    }
  }

  #judge([first, second]: readonly Stream[], winner: Stream): void {
    if (first === undefined || second === undefined) return;
    if (winner === first) this.#world.races.kept();
    else if (this.#world.races.overtaken(first.source.name, winner.source.name)) winner.source.prefer();
  }

  #choose(busy: ReadonlySet<string>): ByteSource | undefined {
    const able = this.#sources.filter(({ name }) => !this.#failed.has(name) && !busy.has(name));
    return chosen(able, busy, this.#world.races.ask());
  }
}

interface Arrived {
  readonly stream: Stream;
  /** The next bytes, or why none will come. */
  readonly chunk: Uint8Array | Failure;
}

class Stream {
  readonly source: ByteSource;
  /** Never rejects, unless something is wrong here. */
  next: Promise<Arrived>;
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #stop = new AbortController();
  #position: number;

  constructor(source: ByteSource, start: number, end: number) {
    this.source = source;
    this.#position = start;
    this.#chunks = source.bytes(start, end, this.#stop.signal)[Symbol.asyncIterator]();
    this.next = this.#pull();
  }

  /** What of `chunk`, the next one, lies behind `at` and before `end`; and asks for the one after it. */
  took(chunk: Uint8Array, at: number, end: number): Uint8Array {
    const from = this.#position;
    this.#position += chunk.length;
    this.next = this.#pull();
    return chunk.subarray(Math.max(0, at - from), Math.max(0, end - from));
  }

  /** SN-4 */
  finish(): void {
    void this.next.then(
      ({ chunk }) => {
        // More than it was asked for: nobody reads that.
        if (chunk instanceof Uint8Array) this.stop();
      },
      () => undefined,
    );
  }

  stop(): void {
    this.#stop.abort(new Failure('cancelled', 'venus.fetch', 'it came from another server'));
    // What was on its way fails, or is let go; nobody waits for it.
    this.next.catch(() => undefined);
    void this.#chunks.return?.().catch(() => undefined);
  }

  async #pull(): Promise<Arrived> {
    try {
      const { done, value } = await this.#chunks.next();
      return { stream: this, chunk: done === true ? stopped(this.source) : value };
    } catch (error) {
      if (!isFailure(error)) throw error;
      return { stream: this, chunk: error };
    }
  }
}

function stopped({ name }: ByteSource): Failure {
  return new Failure('unreachable', 'venus.fetch', `server ${name} stopped in the middle`);
}

/** Says once that a time has passed. */
class Lateness {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  reached: Promise<'late'> = never();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  begin(ms: number): void {
    this.end();
    this.reached = new Promise((resolve) => {
      this.#timer = this.#clock.after(ms, () => {
        resolve('late');
        this.reached = never();
      });
    });
  }

  end(): void {
    this.#timer?.cancel();
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
