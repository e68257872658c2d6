/** What may be concluded from transfers about a link, and what may not; how a link's transfers are measured. */
import fc from 'fast-check';
import t from 'tap';
import { sleep } from '../../vice/seam/clock.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { LinkMeter } from './link-meter.js';
import { bandwidth, observed, strongAbove, unknownQuality, weakBelow, type Sample } from './link-quality.js';

const after = (samples: readonly Sample[], start = unknownQuality): typeof unknownQuality =>
  samples.reduce(observed, start);
/** A transfer at `rate` bytes per second behind `latency` milliseconds. */
const at = (rate: number, bytes: number, latency = 0): Sample => ({
  bytes,
  milliseconds: latency + (bytes * 1000) / rate,
});
const times = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value);

t.test('an unknown link is a strong one, and one transfer makes no verdict', async (t) => {
  t.equal(unknownQuality.weak, false);
  t.equal(bandwidth(unknownQuality), undefined);
  const once = after([at(5_000, 1_000_000)]);
  t.same([once.weak, bandwidth(once)], [false, undefined]);
  t.equal(after(times(3, at(40_000, 70_000))).weak, true);
  t.equal(after(times(2, at(5_000, 1_000_000))).weak, true, 'two long ones are enough');
});

t.test('weak below 50 kB/s, strong again only above 100 kB/s', async (t) => {
  let quality = after(times(7, at(49_000, 200_000)));
  t.equal(quality.weak, true);
  t.equal(Math.round(bandwidth(quality) ?? 0), 49_000);
  quality = after(times(7, at(99_000, 200_000)), quality);
  t.equal(quality.weak, true, 'between the limits it stays what it was');
  quality = after(times(7, at(101_000, 200_000)), quality);
  t.equal(quality.weak, false);
  quality = after(times(7, at(51_000, 200_000)), quality);
  t.equal(quality.weak, false, 'also the other way');
});

t.test('latency is no bandwidth', async (t) => {
  const satellite = 600;
  const calls = times(20, { bytes: 200, milliseconds: satellite });
  t.equal(after([...calls, ...times(50, at(1_000_000, 8_000, satellite))]).weak, false, 'small files');
  const known = after([...calls, ...times(7, at(200_000, 70_000, satellite))]);
  t.equal(known.weak, false, 'bulk');
  t.ok((bandwidth(known) ?? 0) > 100_000, 'the latency is taken off');
  const busy = [...calls, { bytes: 100, milliseconds: 60_000 }];
  t.ok((after(busy).latency ?? 0) < 1_300, 'one call that waited at the server is not the latency');
  t.equal(after(times(50, { bytes: 100, milliseconds: 60_000 })).weak, false, 'waiting is no transfer');
});

t.test('bursts and stalls', async (t) => {
  const slow = times(4, at(20_000, 40_000));
  const burst = { bytes: 2_000_000, milliseconds: 3 };
  t.equal(after([burst, ...slow.slice(0, 2)]).weak, true, 'what a buffer took at once');
  t.equal(after([...slow, burst, ...slow, burst, ...slow]).weak, true);
  const fast = times(4, at(10_000_000, 500_000));
  const stall = { bytes: 300_000, milliseconds: 25_000 };
  t.equal(after([...fast, stall, ...fast, stall]).weak, false, 'a server that was busy');
});

t.test('a weak link that has become strong is found out by small transfers too', async (t) => {
  const weak = after(times(7, at(10_000, 1_000_000)));
  t.equal(after(times(10, at(5_000_000, 500)), weak).weak, true, 'next to nothing says nothing');
  t.equal(after(times(4, at(5_000_000, 8_000, 10)), weak).weak, false);
  t.equal(after(times(50, at(30_000, 8_000, 10)), weak).weak, true);
});

t.test('properties', async () => {
  const rate = fc.integer({ min: 1, max: 100_000_000 });
  const bytes = fc.integer({ min: 64 * 1024, max: 100_000_000 });
  const sample = fc.record({
    bytes: fc.integer({ min: 0, max: 10_000_000 }),
    milliseconds: fc.integer({ min: 0, max: 100_000 }),
  });
  fc.assert(
    fc.property(rate, fc.array(bytes, { minLength: 3, maxLength: 20 }), (rate, sizes) => {
      const quality = after(sizes.map((size) => ({ bytes: size, milliseconds: (size * 1000) / rate })));
      return quality.weak === rate < weakBelow || Math.abs(rate - weakBelow) < 1;
    }),
  );
  fc.assert(
    fc.property(fc.array(sample, { maxLength: 40 }), (samples) => {
      const quality = after(samples);
      const known = bandwidth(quality);
      const fits = known === undefined || !(quality.weak ? known > strongAbove : known < weakBelow);
      return quality.rates.length <= 7 && fits && quality.rates.every((each) => Number.isFinite(each));
    }),
  );
  for (const odd of [-1, NaN]) {
    if (observed(unknownQuality, { bytes: 1e6, milliseconds: odd }) !== unknownQuality)
      throw new Error('time');
    if (observed(unknownQuality, { bytes: odd, milliseconds: 1 }) !== unknownQuality)
      throw new Error('bytes');
  }
});

const chunk = new Uint8Array(10_000);

/** A network that takes and brings so many bytes per second, shared by all that it carries. */
class SlowNetwork {
  readonly clock = new SimulatedClock();
  readonly turns: boolean[] = [];
  readonly meter: LinkMeter = new LinkMeter(this.clock, () => {
    const { weak } = this.meter.quality;
    if (weak !== (this.turns.at(-1) ?? false)) this.turns.push(weak);
  });
  bytesPerSecond: number;
  /** Bytes that a buffer takes at once. */
  buffer = 0;
  #free = 0;

  constructor(bytesPerSecond: number) {
    this.bytesPerSecond = bytesPerSecond;
  }

  async carry(bytes: number, ahead = 0): Promise<void> {
    const start = Math.max(this.#free, this.clock.monotonic());
    this.#free = start + (bytes * 1000) / this.bytesPerSecond;
    const allowed = (ahead * 1000) / this.bytesPerSecond;
    await sleep(this.clock, Math.max(0, this.#free - allowed - this.clock.monotonic()));
  }

  upload(source: AsyncIterable<Uint8Array>): Promise<void> {
    return this.meter.upload(source, async (watched) => {
      for await (const { length } of watched) await this.carry(length, this.buffer);
      await this.carry(0);
    });
  }

  async download(chunks: number, readerMs = 0): Promise<void> {
    const source = async function* (network: SlowNetwork): AsyncGenerator<Uint8Array> {
      for (let count = 0; count < chunks; count += 1) {
        await network.carry(chunk.length);
        yield chunk;
      }
    };
    for await (const _ of this.meter.download(source(this))) await sleep(this.clock, readerMs);
  }

  get rate(): number {
    return Math.round((bandwidth(this.meter.quality) ?? 0) / 1000);
  }
}

async function* body(chunks: number, clock: SimulatedClock, everyMs = 0): AsyncGenerator<Uint8Array> {
  for (let count = 0; count < chunks; count += 1) {
    await sleep(clock, everyMs);
    yield chunk;
  }
}

t.test('a link is measured by what passes over it', async (t) => {
  const network = new SlowNetwork(20_000);
  const { clock, meter } = network;
  await clock.until(network.download(20));
  t.same(network.turns, [true], 'one long download is several samples, and it is told once');
  t.equal(network.rate, 20);
  network.bytesPerSecond = 1_000_000;
  for (let count = 0; count < 7; count += 1) await clock.until(network.upload(body(20, clock)));
  t.same(network.turns, [true, false]);
  t.equal(meter.quality.weak, false);
});

t.test('whoever reads or writes slowly makes no slow link', async (t) => {
  const network = new SlowNetwork(1_000_000);
  const { clock } = network;
  for (let count = 0; count < 3; count += 1) {
    await clock.until(network.upload(body(20, clock, 2000)));
    await clock.until(network.download(20, 2000));
  }
  t.equal(network.rate, 1000);
  t.same(network.turns, []);
});

t.test('bytes in a buffer have not been carried; many transfers share one link', async (t) => {
  const buffered = new SlowNetwork(20_000);
  buffered.buffer = 1_000_000;
  for (let count = 0; count < 3; count += 1) {
    await buffered.clock.until(buffered.upload(body(20, buffered.clock)));
  }
  t.equal(buffered.rate, 20);
  const shared = new SlowNetwork(400_000);
  const all = Array.from({ length: 20 }, () => shared.upload(body(100, shared.clock)));
  await shared.clock.until(Promise.all(all));
  t.equal(shared.rate, 400, 'not the share of one of them');
  t.same(shared.turns, []);
  t.equal(shared.meter.quality.latency, undefined, 'no transfer is taken for a call');
  const beside = new SlowNetwork(20_000);
  beside.buffer = 1_000_000;
  void beside.upload(body(2, beside.clock, 3_600_000));
  for (let count = 0; count < 2; count += 1) await beside.clock.until(beside.upload(body(20, beside.clock)));
  t.same(beside.turns, [true], 'told at the end of each, whatever else is open');
});

t.test('uploads that have not ended tell, however large the parts in which they are read', async (t) => {
  const network = new SlowNetwork(20_000);
  network.buffer = 100_000;
  const large = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(512 * 1024);
  };
  const ended: number[] = [];
  const uploads = Array.from({ length: 4 }, (_, index) =>
    network.upload(large()).then(() => void ended.push(index)),
  );
  while (network.turns.length === 0 && ended.length === 0)
    await network.clock.until(sleep(network.clock, 1000));
  t.same([network.turns, ended], [[true], []], 'before the first of them is whole');
  t.ok(network.clock.monotonic() < 20_000, 'and long before');
  await network.clock.until(Promise.all(uploads));
  t.equal(network.rate, 20);
});

t.test('a transfer that breaks says nothing', async (t) => {
  const network = new SlowNetwork(20_000);
  const { clock, meter } = network;
  for (let count = 0; count < 9; count += 1) {
    const broken = meter.upload(body(9, clock), async (watched) => {
      for await (const _ of watched) await sleep(clock, 200);
      await sleep(clock, 25_000);
      throw new Error('the link broke');
    });
    await t.rejects(clock.until(broken), { message: 'the link broke' });
  }
  t.same(network.turns, []);
  const givenUp = async (): Promise<void> => {
    for await (const _ of meter.download(body(9, clock, 500))) break;
  };
  for (let count = 0; count < 3; count += 1) await clock.until(givenUp());
  t.equal(bandwidth(meter.quality), undefined, 'nor one that was given up');
});

t.test('an upload that stands still is a sample; of a link that then breaks it was none', async (t) => {
  const network = new SlowNetwork(20_000);
  const { clock, meter } = network;
  const standing = (ends: () => void): Promise<void> =>
    meter.upload(body(9, clock), async (watched) => {
      let count = 0;
      for await (const _ of watched) if ((count += 1) === 2) await sleep(clock, 60_000);
      ends();
    });
  const whole = standing(() => undefined);
  await clock.until(sleep(clock, 9_000));
  t.same(network.turns, [], 'for a while a server may be busy');
  await clock.until(sleep(clock, 2_000));
  t.same(network.turns, [true], 'long before its end');
  await clock.until(whole);
  const fast = new LinkMeter(clock, () => network.turns.push(meter.quality.weak));
  for (let count = 0; count < 7; count += 1) fast.answered(1_000_000, 100);
  const before = fast.quality;
  const broken = fast.upload(body(9, clock), async (watched) => {
    for await (const _ of watched) {
      await sleep(clock, 60_000);
      throw new Error('the link broke');
    }
  });
  const ended = t.rejects(broken, { message: 'the link broke' });
  await clock.until(sleep(clock, 30_000));
  t.equal(fast.quality.weak, true);
  await clock.until(ended);
  t.equal(fast.quality, before);
});

t.test('calls: many bytes tell, few tell only that the link is fast', async (t) => {
  const network = new SlowNetwork(1);
  const { meter } = network;
  for (let count = 0; count < 9; count += 1) meter.answered(60_000, 20_000);
  t.equal(bandwidth(meter.quality), undefined, 'the server may have been busy');
  for (let count = 0; count < 3; count += 1) meter.answered(400_000, 40_000);
  t.same(network.turns, [true]);
  for (let count = 0; count < 7; count += 1) meter.answered(60_000, 10);
  t.same(network.turns, [true, false]);
  for (let count = 0; count < 9; count += 1) meter.answered(200_000, 4_900);
  t.same(network.turns, [true, false], 'nor do some that a busy server may have had for so long');
  for (let count = 0; count < 3; count += 1) meter.answered(200_000, 20_000);
  t.same(network.turns, [true, false, true], 'no server has them for so long');
  meter.answered(0, 30);
  t.equal(meter.quality.latency, 30);
});
