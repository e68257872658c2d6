/** Which source is asked (FC-1 to FC-4). */
import fc from 'fast-check';
import t from 'tap';
import { unknownQuality, type LinkQuality } from '../remote/link-quality.js';
import {
  backgroundBytes,
  chosen,
  expectedMs,
  lateAfter,
  raced,
  replacement,
  type Measured,
} from './choice.js';

const megabyte = 1_000_000;

function quality(bytesPerSecond: number, latency = 5): LinkQuality {
  return { rates: [bytesPerSecond, bytesPerSecond, bytesPerSecond], latency, weak: false };
}

function source(name: string, of: LinkQuality = unknownQuality): Measured {
  return { name, quality: of };
}

t.test('a source that is known to be much faster takes the place of the preferred one', async (t) => {
  const slow = source('s1', quality(megabyte));
  t.equal(replacement([slow, source('s2', quality(10 * megabyte))])?.name, 's2');
  t.equal(
    replacement([slow, source('s2', quality(4 * megabyte)), source('s3', quality(9 * megabyte))])?.name,
    's3',
    'the fastest of them',
  );
  t.equal(replacement([slow, source('s2', quality(1.7 * megabyte))]), undefined, 'not for a little');
  t.equal(
    replacement([source('s1', quality(100 * megabyte)), source('s2', quality(300 * megabyte))]),
    undefined,
    'nor where nobody would notice',
  );
  t.equal(replacement([slow, source('s2')]), undefined, 'nor one of which nothing is known');
  t.equal(replacement([source('s1'), source('s2', quality(megabyte))]), undefined);
  t.equal(replacement([]), undefined);
});

t.test('so does one that answers much sooner, unless it carries much less', async (t) => {
  const far = source('s1', { ...unknownQuality, latency: 500 });
  t.equal(replacement([far, source('s2', { ...unknownQuality, latency: 5 })])?.name, 's2');
  t.equal(replacement([far, source('s2', { ...unknownQuality, latency: 450 })]), undefined);
  t.equal(
    replacement([source('s1', quality(100 * megabyte, 500)), source('s2', quality(megabyte, 5))]),
    undefined,
  );
  t.equal(
    replacement([
      source('s1', { ...unknownQuality, latency: 40 }),
      source('s2', { ...unknownQuality, latency: 1 }),
    ]),
    undefined,
    'nor where nobody would notice',
  );
});

t.test(
  'two sources never take turns: whoever was replaced does not come back by the same measure',
  async () => {
    const any = fc.record({
      rates: fc.oneof(
        fc.constant([]),
        fc.integer({ min: 1, max: 1e8 }).map((rate) => [rate, rate, rate]),
      ),
      latency: fc.option(fc.integer({ min: 0, max: 5000 }), { nil: undefined }),
      weak: fc.boolean(),
    });
    fc.assert(
      fc.property(any, any, (one, two) => {
        const [a, b] = [source('a', one), source('b', two)];
        return replacement([a, b]) === undefined || replacement([b, a]) === undefined;
      }),
      { numRuns: 2000 },
    );
  },
);

t.test(
  'data come from the preferred source alone, unless it is slow: then an unknown one is tried',
  async (t) => {
    const none = new Set<string>();
    const [fast, slow] = [source('s1', quality(50 * megabyte)), source('s1', quality(megabyte))];
    t.equal(chosen([fast, source('s2')], none, 0)?.name, 's1');
    t.equal(chosen([fast, source('s2')], new Set(['s1']), 31)?.name, 's1');
    t.equal(
      chosen([source('s1'), source('s2')], new Set(['s1']), 0)?.name,
      's1',
      'nothing is known: no reason',
    );
    t.equal(chosen([slow, source('s2')], none, 0)?.name, 's2');
    t.equal(chosen([slow, source('s2'), source('s3')], new Set(['s2']), 0)?.name, 's3');
    t.equal(chosen([slow, source('s2')], new Set(['s2']), 0)?.name, 's1');
    const far = source('s2', { ...unknownQuality, latency: 500 });
    t.equal(chosen([slow, far], none, 0)?.name, 's1', 'it is known to be far away');
    t.equal(chosen([slow, source('s2', quality(megabyte))], new Set(['s1']), 0)?.name, 's1', 'it is known');
    t.equal(chosen([], none, 0), undefined);
  },
);

t.test(
  'what was slow once is tried again now and then, each in its turn, while the first one is slow',
  async (t) => {
    const known = ['s1', 's2', 's3'].map((name) => source(name, quality(megabyte)));
    const asked = Array.from({ length: 96 }, (_, count) => chosen(known, new Set(), count)?.name);
    t.equal(asked.filter((name) => name === 's1').length, 93);
    t.same([asked[31], asked[63], asked[95]], ['s2', 's3', 's2']);
  },
);

t.test('what gives way to users occupies the link for a moment only', async (t) => {
  const most = 8 * 262_144;
  t.equal(backgroundBytes(source('s1'), most), most, 'nothing is known: no reason');
  t.equal(backgroundBytes(source('s1', quality(100 * megabyte)), most), most);
  t.equal(backgroundBytes(source('s1', quality(megabyte)), most), megabyte / 4);
  t.equal(backgroundBytes(source('s1', quality(5_000)), most), 16_384, 'never less');
  t.equal(backgroundBytes(source('s1', quality(5_000)), 1_000), 1_000);
});

t.test('a block is late by what the source is known for', async (t) => {
  t.equal(expectedMs(unknownQuality, megabyte), undefined);
  t.equal(expectedMs(quality(megabyte, 20), megabyte), 1020);
  t.equal(lateAfter(unknownQuality, 262_144), 1000);
  t.equal(lateAfter(quality(100 * megabyte), 262_144), 300, 'never sooner');
  t.ok(lateAfter(quality(50_000), 262_144) > 15_000, 'a slow line is no reason to ask twice');
});

t.test('who loses two races in a row to the same source gives way to it', async (t) => {
  const first = raced(undefined, 's1', 's2');
  t.equal(first.replace, false);
  t.equal(raced(first.races, 's1', 's2').replace, true);
  t.equal(raced(first.races, 's1', 's3').replace, false);
  t.equal(raced(first.races, 's2', 's1').replace, false);
});
