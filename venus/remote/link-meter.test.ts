/** How a link's transfers are measured, each direction for itself. */
import t from 'tap';
import { sleep } from '../../vice/seam/clock.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { LinkMeter } from './link-meter.js';
import { bandwidth } from './link-quality.js';

const chunk = new Uint8Array(10_000);

/** A network that takes and brings so many bytes per second, shared by all that it carries. */
class SlowNetwork {
  readonly clock = new SimulatedClock();
  readonly turns: boolean[] = [];
  readonly meter: LinkMeter = new LinkMeter(this.clock, () => {
    const weak = this.meter.up.weak || this.meter.down.weak;
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

  /** Thousands of bytes a second, up and down. */
  get rates(): readonly [number, number] {
    const { up, down } = this.meter;
    return [Math.round((bandwidth(up) ?? 0) / 1000), Math.round((bandwidth(down) ?? 0) / 1000)];
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
  t.same(network.rates, [0, 20]);
  network.bytesPerSecond = 1_000_000;
  for (let count = 0; count < 7; count += 1) await clock.until(network.download(20));
  t.same(network.turns, [true, false]);
  t.equal(meter.down.weak, false);
});

t.test('what is read fast makes nothing that is sent fast', async (t) => {
  const network = new SlowNetwork(20_000);
  const { clock } = network;
  for (let count = 0; count < 3; count += 1) await clock.until(network.upload(body(20, clock)));
  network.bytesPerSecond = 1_000_000;
  for (let count = 0; count < 20; count += 1) await clock.until(network.download(20));
  t.same(network.rates, [20, 1000]);
  t.same(network.turns, [true], 'the line from the office is as slow as it was');
  for (let count = 0; count < 7; count += 1) await clock.until(network.upload(body(20, clock)));
  t.same(network.turns, [true, false]);
});

t.test('whoever reads or writes slowly makes no slow link', async (t) => {
  const network = new SlowNetwork(1_000_000);
  const { clock } = network;
  for (let count = 0; count < 3; count += 1) {
    await clock.until(network.upload(body(20, clock, 2000)));
    await clock.until(network.download(20, 2000));
  }
  t.same(network.rates, [1000, 1000]);
  t.same(network.turns, []);
});

t.test('bytes in a buffer have not been carried; many transfers share one link', async (t) => {
  const buffered = new SlowNetwork(20_000);
  buffered.buffer = 1_000_000;
  for (let count = 0; count < 3; count += 1) {
    await buffered.clock.until(buffered.upload(body(20, buffered.clock)));
  }
  t.equal(buffered.rates[0], 20);
  const shared = new SlowNetwork(400_000);
  const all = Array.from({ length: 20 }, () => shared.upload(body(100, shared.clock)));
  await shared.clock.until(Promise.all(all));
  t.equal(shared.rates[0], 400, 'not the share of one of them');
  t.same(shared.turns, []);
  t.equal(shared.meter.up.latency, undefined, 'no transfer is taken for a call');
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
  t.equal(network.rates[0], 20);
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
  t.same(network.rates, [0, 0], 'nor one that was given up');
  const small = async (): Promise<void> => {
    for await (const _ of meter.download(body(3, clock, 500), Infinity)) continue;
  };
  for (let count = 0; count < 3; count += 1) await clock.until(small());
  t.same(network.rates, [0, 0], 'nor one that brought less than tells anything');
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
  const fast = new LinkMeter(clock, () => network.turns.push(meter.up.weak));
  for (let count = 0; count < 7; count += 1) fast.answered(1_000_000, 100);
  const before = fast.up;
  const broken = fast.upload(body(9, clock), async (watched) => {
    for await (const _ of watched) {
      await sleep(clock, 60_000);
      throw new Error('the link broke');
    }
  });
  const ended = t.rejects(broken, { message: 'the link broke' });
  await clock.until(sleep(clock, 30_000));
  t.equal(fast.up.weak, true);
  await clock.until(ended);
  t.equal(fast.up, before);
});

t.test('calls: many bytes tell, few tell only that the link is fast', async (t) => {
  const network = new SlowNetwork(1);
  const { meter } = network;
  for (let count = 0; count < 9; count += 1) meter.answered(60_000, 20_000);
  t.equal(bandwidth(meter.up), undefined, 'the server may have been busy');
  for (let count = 0; count < 3; count += 1) meter.answered(400_000, 40_000);
  t.same(network.turns, [true]);
  for (let count = 0; count < 7; count += 1) meter.answered(60_000, 10);
  t.same(network.turns, [true, false]);
  for (let count = 0; count < 9; count += 1) meter.answered(200_000, 4_900);
  t.same(network.turns, [true, false], 'nor do some that a busy server may have had for so long');
  for (let count = 0; count < 3; count += 1) meter.answered(200_000, 20_000);
  t.same(network.turns, [true, false, true], 'no server has them for so long');
  meter.answered(0, 30);
  t.equal(meter.up.latency, 30);
});
