/** A cold file on its way, on twins: sources that answer when the story says so. */
import t from 'tap';
import { Failure, isFailure } from '../../vice/interface/index.js';
import { blockDigestsOf, digestOf } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ContainerCache } from '../cache/container-cache.js';
import { TrickleGate } from '../reintegration/trickle-gate.js';
import { unknownQuality } from '../remote/link-quality.js';
import type { Arrival, BlockRequest, BlockSource } from './block-source.js';
import { Fetches, type FetchUse } from './fetches.js';
import type { FileFetch } from './file-fetch.js';

const blocks = 40;
const contents = contentsOf(blocks, 1);

/** Blocks that differ from each other, and from those of other letters. */
function contentsOf(count: number, letter: number): Buffer {
  return Buffer.concat(
    Array.from({ length: count }, (_, block) => Buffer.alloc(blockBytes, (block * 7 + letter) % 256)),
  ).subarray(0, -1000);
}

/** Has all contents, and gives a block when it may. */
class Scripted implements BlockSource {
  readonly name: string;
  readonly quality = unknownQuality;
  readonly requests: BlockRequest[] = [];
  /** Blocks that were given out. */
  readonly given: number[] = [];
  preferred = 0;
  /** Blocks from here on are not given out, until `go`. */
  stopsAt = Infinity;
  /** Fails at this block. */
  breaksAt = Infinity;
  /** Other bytes than the file's are given for this block. */
  liesAt = -1;
  stopped = 0;
  readonly #contents: Buffer;
  #waiting: (() => void)[] = [];

  constructor(name: string, all = contents) {
    this.name = name;
    this.#contents = all;
  }

  async *arrivals(request: BlockRequest, signal: AbortSignal): AsyncGenerator<Arrival> {
    this.requests.push(request);
    signal.addEventListener('abort', () => {
      this.stopped += 1;
      this.#wake();
    });
    if (request.proof) yield { kind: 'proof', blockDigests: blockDigestsOf(this.#contents) };
    for (let block = request.first; block < request.end; block += 1) {
      while (block >= this.stopsAt && !signal.aborted)
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (signal.aborted) throw new Failure('cancelled', 'test', 'stopped');
      if (block >= this.breaksAt) throw new Failure('unreachable', 'test', 'broken');
      this.given.push(block);
      const bytes = Buffer.from(this.#contents.subarray(block * blockBytes, (block + 1) * blockBytes));
      if (block === this.liesAt) bytes.fill(0);
      yield { kind: 'block', block, bytes };
    }
  }

  prefer(): void {
    this.preferred += 1;
  }

  go(): void {
    this.stopsAt = Infinity;
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const go of waiting) go();
  }
}

class Story {
  readonly clock = new SimulatedClock();
  readonly gate = new TrickleGate(this.clock);
  readonly sources: Scripted[];
  readonly data = { digest: digestOf(contents), length: contents.length };
  readonly limitBytes: number;
  containers = new MemoryContainers();
  cache!: ContainerCache;
  fetches!: Fetches;

  private constructor(sources: readonly Scripted[], limitBytes: number) {
    this.sources = [...sources];
    this.limitBytes = limitBytes;
  }

  static async begin(sources: readonly Scripted[], limitBytes = 1e9): Promise<Story> {
    const story = new Story(sources, limitBytes);
    await story.start();
    return story;
  }

  async start(): Promise<void> {
    const { containers, limitBytes, gate, clock } = this;
    this.cache = await ContainerCache.open({ containers, limitBytes, isNeeded: () => false, log: silentLog });
    this.fetches = await Fetches.open({ containers, cache: this.cache, gate, clock, log: silentLog });
  }

  /** The gateway is killed, and starts again. */
  async restart(): Promise<void> {
    this.containers = this.containers.crash();
    await this.start();
  }

  async use(): Promise<FetchUse> {
    const data = { ...this.data, storeId: 'x', saved: 0 } as never;
    return this.fetches.use(data, () => this.sources);
  }

  get given(): number {
    return this.sources.reduce((sum, { given }) => sum + given.length, 0);
  }

  /** Time passes. */
  async pass(milliseconds = 100): Promise<void> {
    await this.clock.advance(milliseconds);
  }
}

/** Reads, and keeps what has come. */
class Reading {
  readonly chunks: Uint8Array[] = [];
  failure: unknown;
  isOver = false;
  readonly over: Promise<void>;
  readonly #source: AsyncGenerator<Uint8Array>;
  #isGone = false;
  #most: number;
  #more: (() => void) | undefined;

  constructor(fetch: FileFetch, start: number, end: number, most = Infinity) {
    this.#source = fetch.read(start, end);
    this.#most = most;
    this.over = this.#run();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  /** Takes so many chunks more. */
  take(chunks: number): void {
    this.#most += chunks;
    this.#more?.();
  }

  /** The client goes away: its turn comes when it is given something. */
  async hangUp(): Promise<void> {
    this.#isGone = true;
    this.#more?.();
    await this.#source.return(undefined);
  }

  async #run(): Promise<void> {
    try {
      for await (const chunk of this.#source) {
        this.chunks.push(chunk);
        while (this.chunks.length >= this.#most && !this.#isGone)
          await new Promise<void>((resolve) => (this.#more = resolve));
        if (this.#isGone) break;
      }
    } catch (error) {
      this.failure = error;
    }
    this.isOver = true;
  }
}

t.test('the first byte is there before the last one, and a slow reader is not left behind', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 3;
  const { fetch, release } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  t.equal(reading.chunks.length, 3);
  s1.go();
  await story.pass();
  await reading.over;
  release();
  t.ok(reading.bytes.equals(contents.subarray(0, reading.bytes.length)));
  t.ok(fetch.isWhole || reading.bytes.length === contents.length);
  await story.pass(2000);
  t.ok(story.cache.has(story.data.digest), 'whole in the end');
  t.equal(s1.given.length, blocks, 'each block once');
});

t.test('a reader who does not read on gets no more than is read ahead', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length, 1);
  await story.pass();
  t.equal(s1.given.length, 4);
  reading.take(3);
  await story.pass();
  t.ok(s1.given.length > 4 && s1.given.length <= 16, `${s1.given.length}: it grows as he reads on`);
});

t.test('a range asks for its blocks alone, with the proof in the same answer', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const { fetch, release } = await story.use();
  const start = 20 * blockBytes + 5;
  const reading = new Reading(fetch, start, start + 100);
  await story.pass();
  t.ok(reading.bytes.equals(contents.subarray(start, start + 100)));
  t.same(s1.given, [20]);
  t.equal(s1.requests.length, 1);
  const again = new Reading(fetch, start + blockBytes, start + 2 * blockBytes);
  await story.pass();
  t.ok(again.bytes.equals(contents.subarray(start + blockBytes, start + 2 * blockBytes)));
  t.same(s1.given, [20, 21, 22]);
  t.equal(s1.requests[1]?.proof, false, 'the proof came once');
  release();
});

t.test('readers of one file share one transfer, each at his own pace', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 2;
  const { fetch } = await story.use();
  const [one, two] = [new Reading(fetch, 0, contents.length, 1), new Reading(fetch, 0, contents.length)];
  await story.pass();
  t.same([one.chunks.length, two.chunks.length], [1, 2]);
  s1.go();
  await story.pass();
  await two.over;
  one.take(1000);
  await story.pass();
  await one.over;
  t.equal(s1.given.length, blocks);
});

t.test('who hangs up ends what nobody else wants, and nothing else', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 6;
  const one = await story.use();
  const reading = new Reading(one.fetch, 0, contents.length, 2);
  await story.pass();
  const two = await story.use();
  const other = new Reading(two.fetch, 0, contents.length);
  await story.pass();
  await reading.hangUp();
  one.release();
  await story.pass(5000);
  t.equal(s1.stopped, 0, 'the other one still waits');
  const gone = other.hangUp();
  s1.stopsAt = 7;
  s1.go();
  s1.stopsAt = 7;
  await story.pass();
  await gone;
  two.release();
  await story.pass(5000);
  t.ok(s1.given.length < blocks, `${s1.given.length} of ${blocks} blocks came`);
  const here = s1.given.length;
  const third = await story.use();
  const last = new Reading(third.fetch, 0, contents.length);
  s1.go();
  await story.pass();
  await last.over;
  t.equal(s1.given.length, blocks, `the ${here} blocks that had come were not asked for again`);
});

t.test('nor does a transfer go on for a file that is open and not read', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 3;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length, 2);
  await story.pass();
  await reading.hangUp();
  await story.pass(500);
  t.equal(s1.stopped, 0, 'who seeks hangs up and comes back');
  await story.pass(1000);
  t.equal(s1.stopped, 1);
});

t.test('a transfer that breaks goes on from another source at the block where it broke', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  s1.breaksAt = 7;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  await reading.over;
  t.equal(reading.failure, undefined);
  t.equal(story.given, blocks, 'each block once');
  t.equal(Math.min(...s2.given), 7);
});

t.test('a block that does not match is taken from another source; nobody gets the other bytes', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  s1.liesAt = 5;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 4 * blockBytes, 8 * blockBytes);
  await story.pass();
  await reading.over;
  t.ok(reading.bytes.equals(contents.subarray(4 * blockBytes, 8 * blockBytes)));
  t.ok(s2.given.includes(5));
});

t.test('where no source has a block the reader is told, after what is sound', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  s1.liesAt = s2.liesAt = 5;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  await reading.over;
  t.ok(isFailure(reading.failure, 'damaged'), String(reading.failure));
  t.ok(reading.bytes.equals(contents.subarray(0, 5 * blockBytes)));
  s2.liesAt = -1;
  const again = new Reading(fetch, 5 * blockBytes, 6 * blockBytes);
  await story.pass();
  t.ok(again.bytes.equals(contents.subarray(5 * blockBytes, 6 * blockBytes)), 'asked again, it is there');
});

t.test('other block digests than those of the file are no proof', async (t) => {
  const other = contentsOf(blocks, 2);
  const [s1, s2] = [new Scripted('s1', other), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, 10);
  await story.pass();
  t.ok(reading.bytes.equals(contents.subarray(0, 10)));
  t.equal(s2.requests[0]?.proof, true);
});

t.test(
  'a late block is asked of a second source; the first to bring it wins, the other one stops',
  async (t) => {
    const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
    const story = await Story.begin([s1, s2]);
    s1.stopsAt = 2;
    const { fetch, release } = await story.use();
    const reading = new Reading(fetch, 0, 10 * blockBytes, 4);
    await story.pass(500);
    t.equal(s2.requests.length, 0, 'not yet late');
    await story.pass(1000);
    t.equal(s2.requests[0]?.first, 2);
    t.equal(reading.chunks.length, 4);
    t.ok(s1.stopped >= 1, 'what it was asked for is taken back');
    t.equal(s2.preferred, 0, 'one race says little');
    const asked = s1.requests.length;
    reading.take(1000);
    await story.pass();
    await reading.over;
    t.equal(s1.requests.length, asked, 'but the rest of this file is asked of the faster one');
    release();
    await story.pass(2000);
    s1.stopsAt = 0;
    const again = await story.use();
    const other = new Reading(again.fetch, 20 * blockBytes, 21 * blockBytes);
    await story.pass(2000);
    await other.over;
    t.equal(s2.preferred, 1, 'two in a row do');
  },
);

t.test('a killed gateway goes on with the blocks that it has', async (t) => {
  const before = new Scripted('s1');
  const story = await Story.begin([before]);
  before.stopsAt = 10;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  t.equal(reading.chunks.length, 10);
  await story.restart();
  const s1 = new Scripted('s1');
  story.sources[0] = s1;
  const again = await story.use();
  const rest = new Reading(again.fetch, 0, contents.length);
  await story.pass();
  await rest.over;
  t.equal(rest.failure, undefined);
  t.equal(s1.given.length, blocks - 9, 'and the one that the crash had spoilt');
  t.ok(s1.requests.every(({ proof }) => !proof));
  await story.pass(2000);
  t.ok(story.cache.has(story.data.digest));
});

t.test('what was read in part can be wanted whole', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const { fetch, release } = await story.use();
  await Promise.all([new Reading(fetch, 30 * blockBytes, 33 * blockBytes).over, story.pass()]);
  const whole = fetch.whole(false);
  await story.pass();
  await whole;
  t.ok(fetch.isWhole && story.cache.has(story.data.digest));
  t.equal(s1.given.length, blocks);
  release();
  await story.pass(2000);
  t.equal(story.fetches.bytes, 0);
});

t.test(
  'what has become whole another way meanwhile is not fetched any more, and not here twice',
  async (t) => {
    const s1 = new Scripted('s1');
    const story = await Story.begin([s1]);
    s1.stopsAt = 5;
    const { fetch, release } = await story.use();
    const reading = new Reading(fetch, 0, contents.length);
    await story.pass();
    const spool = await story.cache.spool(contents.length);
    await spool.write(contents);
    await spool.commit();
    await spool.abort();
    await story.pass();
    await reading.over;
    t.equal(reading.failure, undefined);
    t.same([reading.chunks.length, fetch.isWhole], [5, true], 'the rest is in the cache');
    t.same([story.fetches.bytes, s1.given.length, s1.stopped > 0], [0, 5, true]);
    for await (const { digest } of story.containers.partials()) t.fail(`${digest} is here in part`);
    release();
    await story.pass(2000);
  },
);

t.test('what is wanted in the background gives way while a user waits', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const user = story.gate.fetching();
  const { fetch } = await story.use();
  const whole = fetch.whole(false);
  await story.pass(1000);
  t.equal(s1.given.length, 0, 'it waits for its turn');
  await story.pass(1500);
  t.equal(s1.given.length, 1, 'one block, then it waits again');
  const reading = new Reading(fetch, 0, 4 * blockBytes);
  const far = new Reading(fetch, 30 * blockBytes, 31 * blockBytes);
  await story.pass(100);
  t.same([reading.chunks.length, far.chunks.length], [4, 1], 'not when somebody waits for the same');
  user();
  await story.pass(300);
  await whole;
  t.equal(s1.given.length, blocks);
});

t.test('whoever wants other bytes need not wait for what was begun in the background', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  story.gate.fetching();
  const { fetch } = await story.use();
  void fetch.whole(false);
  await story.pass(100);
  const far = new Reading(fetch, 30 * blockBytes, 31 * blockBytes);
  await story.pass(100);
  t.equal(far.chunks.length, 1);
});

t.test(
  'a file larger than the cache is read through it, and what is behind the reader makes room',
  async (t) => {
    const limit = 4 * 1024 * 1024;
    const s1 = new Scripted('s1');
    const story = await Story.begin([s1], limit);
    const { fetch, release } = await story.use();
    const reading = new Reading(fetch, 0, contents.length, 0);
    let most = 0;
    for (let block = 0; block < blocks; block += 1) {
      reading.take(1);
      await story.pass(10);
      most = Math.max(most, story.fetches.bytes);
    }
    reading.take(1);
    await story.pass();
    await reading.over;
    t.ok(reading.bytes.equals(contents));
    t.ok(fetch.inSegments && !fetch.isWhole);
    t.ok(most <= limit, `${most} bytes at most`);
    const tail = new Reading(fetch, contents.length - 10, contents.length);
    await story.pass();
    t.ok(tail.bytes.equals(contents.subarray(-10)));
    t.ok(s1.given.length <= blocks + 1, 'the end is still here');
    release();
  },
);

t.test('a disk that is full is said at once, and nobody is asked for what cannot be kept', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  story.containers = new MemoryContainers({ capacity: 2 * blockBytes });
  await story.start();
  const { fetch } = await story.use();
  const whole = fetch.whole(true).catch((error: unknown) => error);
  await story.pass();
  t.ok(isFailure(await whole, 'no-space'));
  t.ok(s1.requests.length + s2.requests.length <= 2);
});
