/** Small contents from several sources, some of them late or broken. */
import t from 'tap';
import { Failure } from '../../vice/interface/index.js';
import { sleep } from '../../vice/seam/clock.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { unknownQuality, type LinkQuality } from '../remote/link-quality.js';
import { RaceBook } from './race-book.js';
import { Soonest, type ByteSource } from './soonest.js';

const contents = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));
const chunk = 100;

/** Brings a chunk every `ms`, and breaks at `until`. */
class Server implements ByteSource {
  readonly asked: (readonly [number, number])[] = [];
  /** Bytes that have left it. */
  sent = 0;
  preferred = 0;
  isStopped = false;
  readonly name: string;
  readonly quality: LinkQuality;
  readonly #clock: SimulatedClock;
  readonly #ms: number;
  readonly #until: number;

  constructor(clock: SimulatedClock, name: string, ms: number, { until = Infinity, rate = 0 } = {}) {
    this.name = name;
    this.#clock = clock;
    this.#ms = ms;
    this.#until = until;
    this.quality = rate === 0 ? unknownQuality : { ...unknownQuality, rates: [rate, rate, rate] };
  }

  async *bytes(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    this.asked.push([start, end]);
    signal.addEventListener('abort', () => (this.isStopped = true));
    for (let at = start; at < end; at += chunk) {
      if (this.#ms > 0) await sleep(this.#clock, this.#ms, signal);
      if (at >= this.#until) throw new Failure('unreachable', 'test', `${this.name} broke`);
      this.sent += Math.min(end, at + chunk) - at;
      yield contents.subarray(at, Math.min(end, at + chunk));
    }
  }

  prefer(): void {
    this.preferred += 1;
  }
}

class Stage {
  readonly clock = new SimulatedClock();
  readonly races = new RaceBook();
  readonly broke: string[] = [];

  server(name: string, ms: number, how: { until?: number; rate?: number } = {}): Server {
    return new Server(this.clock, name, ms, how);
  }

  soonest(sources: readonly ByteSource[], at = 0): Soonest {
    const broke = (source: string, from: number): void => void this.broke.push(`${source} at ${from}`);
    return new Soonest({ clock: this.clock, races: this.races, broke }, sources, at);
  }

  async gather(soonest: Soonest, isUrgent = true, at = 0): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let length = at;
    while (length < contents.length) {
      for await (const bytes of soonest.to(contents.length, isUrgent)) {
        chunks.push(bytes);
        length += bytes.length;
      }
    }
    return Buffer.concat(chunks);
  }

  /** @returns the bytes, and the milliseconds they took */
  async read(sources: readonly ByteSource[], isUrgent = true): Promise<readonly [Buffer, number]> {
    const began = this.clock.monotonic();
    const bytes = await this.clock.until(this.gather(this.soonest(sources), isUrgent));
    return [bytes, this.clock.monotonic() - began];
  }
}

t.test('one source is asked, as long as it is in time', async (t) => {
  const stage = new Stage();
  const [one, two] = [stage.server('s1', 10), stage.server('s2', 1)];
  const [bytes, ms] = await stage.read([one, two]);
  t.ok(bytes.equals(contents));
  t.equal(ms, 100);
  t.same(one.asked, [[0, 1000]]);
  t.same(two.asked, []);
  t.notOk(one.isStopped, 'it has given all and ends by itself: its connection serves the next request');
});

t.test('one that gives more than it was asked for is stopped', async (t) => {
  const stage = new Stage();
  const one = stage.server('s1', 1);
  const greedy: ByteSource = {
    name: 's1',
    quality: one.quality,
    bytes: (start, _end, signal) => one.bytes(start, contents.length, signal),
    prefer: () => undefined,
  };
  const gather = async (): Promise<number> => {
    let length = 0;
    for await (const bytes of stage.soonest([greedy]).to(500, true)) length += bytes.length;
    return length;
  };
  t.equal(await stage.clock.until(gather()), 500);
  await stage.clock.advance(1000);
  t.ok(one.isStopped);
  t.equal(one.sent, 600, 'one chunk more was on its way');
});

t.test('where one breaks the next goes on at that byte', async (t) => {
  const stage = new Stage();
  const sources = [
    stage.server('s1', 1, { until: 300 }),
    stage.server('s2', 1, { until: 0 }),
    stage.server('s3', 1),
  ];
  const [bytes] = await stage.read(sources);
  t.ok(bytes.equals(contents));
  t.same(stage.broke, ['s1 at 300', 's2 at 300']);
  t.same(sources[2]?.asked, [[300, 1000]]);
  const none = stage.gather(stage.soonest([stage.server('s1', 1, { until: 500 })]));
  await t.rejects(stage.clock.until(none), { kind: 'unreachable', message: /s1 broke/ });
  await t.rejects(stage.gather(stage.soonest([])), { kind: 'unreachable', message: /no server/ });
});

t.test('a late one is overtaken by a second, and loses its place when that happens again', async (t) => {
  const stage = new Stage();
  const slow = stage.server('s1', 2000);
  const fast = stage.server('s2', 10);
  const [bytes, ms] = await stage.read([slow, fast]);
  t.ok(bytes.equals(contents), 'each byte once');
  t.equal(ms, 1100, 'late after a second, where nothing is known');
  t.ok(slow.isStopped, 'nobody wants it any more');
  t.equal(fast.preferred, 0);
  await stage.read([slow, fast]);
  t.equal(fast.preferred, 1);
});

t.test('a late one that comes first after all keeps its place', async (t) => {
  const stage = new Stage();
  const [late, slower] = [stage.server('s1', 150), stage.server('s2', 200)];
  for (let count = 0; count < 3; count += 1) {
    const [bytes, ms] = await stage.read([late, slower]);
    t.ok(bytes.equals(contents));
    t.equal(ms, 1500);
  }
  t.equal(slower.asked.length, 3);
  t.equal(slower.preferred, 0);
});

t.test('the second goes on alone where the late one breaks, and the other way round', async (t) => {
  for (const breaks of [0, 1]) {
    const stage = new Stage();
    const how = (index: number) => (index === breaks ? { until: 800 } : {});
    const [bytes] = await stage.read([stage.server('s1', 150, how(0)), stage.server('s2', 120, how(1))]);
    t.ok(bytes.equals(contents));
  }
});

t.test('what gives way to users comes in pieces, and is never asked of two', async (t) => {
  const stage = new Stage();
  const slow = stage.server('s1', 3000, { rate: 100 });
  const other = stage.server('s2', 3000, { rate: 100 });
  const [bytes] = await stage.read([slow, other], false);
  t.ok(bytes.equals(contents));
  t.same([...slow.asked, ...other.asked], [[0, 1000]], 'a piece is never tiny');
});
