/** What may be concluded from transfers about a link, and what may not. */
import fc from 'fast-check';
import t from 'tap';
import {
  areWeak,
  bandwidth,
  observed,
  strongAbove,
  unknownQuality,
  weakBelow,
  type Sample,
} from './link-quality.js';

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

t.test('links that share a cable', async (t) => {
  const [weak, strong] = [after(times(7, at(10_000, 200_000))), after(times(7, at(1_000_000, 200_000)))];
  t.equal(areWeak([]), false);
  t.equal(areWeak([unknownQuality, unknownQuality]), false);
  t.equal(areWeak([unknownQuality, weak]), true, 'TCP starves one of them: nothing is known of it');
  t.equal(areWeak([strong, weak, unknownQuality]), false, 'one server is near');
  t.equal(areWeak([weak, weak]), true);
});
