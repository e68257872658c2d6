/** Chunks, recipes and steps: nothing is lost, little is moved, and nothing that comes from outside is believed. */
import { createHash, hash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { isFailure } from '../interface/index.js';
import { scaled } from '../../conformance/test-scale.js';
import { chunkBytes, Cutter } from './cutter.js';
import { ChunkIndex, dataBytes, Differ, difference, stepsAfter, type Operation } from './difference.js';
import { readSteps, stepHeader } from './operation-codec.js';
import { readRecipe, recipeHeader, recipeRows, recipeVersion } from './recipe-codec.js';
import { chunkDigestBytes, chunksMost, Recipe, RecipeMaker } from './recipe.js';

const mebi = 1024 * 1024;

/** Bytes that look like chance and come from a seed. */
function noise(bytes: number, seed = 1): Buffer {
  const made = Buffer.alloc(bytes);
  let state = seed * 2654435761 + 1;
  for (let at = 0; at + 4 <= bytes; at += 4) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    made.writeInt32LE(state | 0, at);
  }
  return made;
}

/** The rules of cutter.ts, in as few words and as slowly as possible. */
function slowCuts(bytes: Uint8Array): number[] {
  const word = (value: number): number => hash('sha256', `coda gear ${value}`, 'buffer').readInt32BE(0);
  const words = Array.from({ length: 256 }, (_, value) => word(value));
  const hashAt = (end: number): number => {
    let hashed = 0;
    for (let at = end - 32; at < end; at += 1) hashed = ((hashed << 1) + (words[bytes[at] ?? 0] ?? 0)) | 0;
    return hashed >>> 0;
  };
  const cuts: number[] = [];
  for (let start = 0; start < bytes.length;) {
    let end = Math.min(bytes.length, start + chunkBytes.least);
    for (; end < bytes.length; end += 1) {
      const zeros = end - start <= chunkBytes.usual ? 18 : 14;
      if (end - start === chunkBytes.most || hashAt(end) < 2 ** (32 - zeros)) break;
    }
    cuts.push(end);
    start = end;
  }
  return cuts;
}

function cutsIn(bytes: Uint8Array, sizes: readonly number[]): number[] {
  const cutter = new Cutter();
  const cuts: number[] = [];
  let first = 0;
  for (let turn = 0; first < bytes.length; turn += 1) {
    const piece = bytes.subarray(first, first + (sizes[turn % sizes.length] ?? 1));
    for (let start = 0; start < piece.length;) {
      const cut = cutter.next(piece, start);
      if (cut < 0) break;
      cuts.push(first + cut);
      start = cut;
    }
    first += piece.length;
  }
  return cuts.at(-1) === bytes.length ? cuts : [...cuts, bytes.length];
}

function recipeOf(bytes: Uint8Array, pieceBytes = 100_000): Recipe {
  const maker = new RecipeMaker();
  for (let at = 0; at < bytes.length; at += pieceBytes) maker.push(bytes.subarray(at, at + pieceBytes));
  maker.end();
  return maker.recipe;
}

function stepsBetween(before: Uint8Array, after: Uint8Array): readonly Operation[] {
  return difference(ChunkIndex.of(recipeOf(before)), recipeOf(after));
}

function applied(before: Uint8Array, after: Uint8Array, steps: readonly Operation[]): Buffer {
  const from = { copy: before, data: after };
  return Buffer.concat(steps.map(({ kind, offset, length }) => from[kind].subarray(offset, offset + length)));
}

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function kindOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isFailure(error) ? error.kind : String(error)),
  );
}

t.test('the cuts are those of the slow twin, whatever the sizes of the pieces', async () => {
  // Runs of one value and short periods have no cut of their own, or one everywhere.
  const run = fc.record({
    bytes: fc.integer({ min: 1, max: 200_000 }),
    period: fc.constantFrom(1, 7, 4096, Infinity),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 300_000 })), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 3 }), sizes, (runs, sizes) => {
      const bytes = Buffer.concat(
        runs.map(({ bytes, period, seed }) => Buffer.alloc(bytes, noise(Math.min(bytes, period) + 4, seed))),
      );
      const expected = slowCuts(bytes);
      return JSON.stringify(cutsIn(bytes, sizes)) === JSON.stringify(expected);
    }),
    { numRuns: scaled(15, 4) },
  );
});

t.test('a cut where it may be for the first time depends on all bytes of the window', async (t) => {
  const bytes = noise(4 * mebi, 21);
  // Before the usual length it was the stricter condition that held; these 32 bytes are put to the least length.
  const cuts = cutsIn(bytes, [bytes.length]);
  const cut = cuts.find((end, index) => end - (cuts[index - 1] ?? 0) < chunkBytes.usual) ?? 0;
  const window = bytes.subarray(cut - 32, cut);
  for (const [at, expected] of [
    [chunkBytes.least, chunkBytes.least],
    [chunkBytes.least + 1, chunkBytes.least + 1],
    [chunkBytes.least - 1, undefined],
  ] as const) {
    const made = Buffer.concat([noise(at - 32, 22), window, noise(mebi, 23)]);
    const [found] = cutsIn(made, [4096]);
    if (expected === undefined) t.ok((found ?? 0) > chunkBytes.least, `not at ${at}`);
    else t.equal(found, expected);
    t.equal(found, slowCuts(made)[0]);
  }
});

t.test('chunks are as long as they should be', async (t) => {
  const recipe = recipeOf(noise(16 * mebi));
  const lengths = Array.from({ length: recipe.count }, (_, chunk) => recipe.lengthOf(chunk));
  t.ok(lengths.slice(0, -1).every((length) => length >= chunkBytes.least && length <= chunkBytes.most));
  const usual = recipe.bytes / recipe.count;
  t.ok(usual > 48 * 1024 && usual < 96 * 1024, `${Math.round(usual)} bytes a chunk`);
  t.equal(recipe.bytes, 16 * mebi);
  t.same(
    lengths.slice(0, 4),
    [recipeOf(noise(16 * mebi), 4096)].flatMap((same) => [0, 1, 2, 3].map((chunk) => same.lengthOf(chunk))),
  );
});

t.test('a recipe has the digests of its chunks', async (t) => {
  const bytes = noise(700_000, 3);
  const recipe = recipeOf(bytes, 999);
  let at = 0;
  for (let chunk = 0; chunk < recipe.count; chunk += 1) {
    const part = bytes.subarray(at, (at += recipe.lengthOf(chunk)));
    const digest = createHash('sha256').update(part).digest().subarray(0, chunkDigestBytes);
    t.ok(digest.equals(recipe.digestOf(chunk)), `chunk ${chunk}`);
    t.equal(recipe.keyOf(chunk), digest.toString('latin1'));
  }
  t.ok(recipe.count <= chunksMost(bytes.length));
  t.equal(recipeOf(Buffer.alloc(0)).count, 0);
});

t.test('steps make the new contents, also from any byte on', async () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    removed: fc.integer({ min: 0, max: 200_000 }),
    added: fc.integer({ min: 0, max: 200_000 }),
    again: fc.boolean(),
    seed: fc.integer({ min: 1, max: 1e6 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 * mebi }), fc.array(edit, { maxLength: 5 }), (bytes, edits) => {
      const before = noise(bytes, 5);
      let after = before;
      for (const { at, removed, added, again, seed } of edits) {
        const where = Math.floor(at * after.length);
        const fresh = again ? before.subarray(0, added) : noise(added, seed);
        after = Buffer.concat([after.subarray(0, where), fresh, after.subarray(where + removed)]);
      }
      const steps = stepsBetween(before, after);
      if (!applied(before, after, steps).equals(after)) return false;
      return [0, 1, after.length >> 1, after.length - 1, after.length].every((made) => {
        return applied(before, after, stepsAfter(steps, made)).equals(after.subarray(Math.max(0, made)));
      });
    }),
    { numRuns: scaled(60, 10) },
  );
});

t.test('what is moved is what has changed', async (t) => {
  const before = noise(32 * mebi, 7);
  const middle = before.length / 2;
  const fresh = noise(mebi, 8);
  const blocks = Array.from({ length: 32 }, (_, block) => before.subarray(block * mebi, (block + 1) * mebi));
  const shuffled = blocks.map((_, index) => blocks[(index * 7) % 32] ?? Buffer.alloc(0));
  const cases: readonly (readonly [what: string, after: Buffer, most: number])[] = [
    ['nothing', before, 0],
    [
      'an insertion in the middle',
      Buffer.concat([before.subarray(0, middle), fresh, before.subarray(middle)]),
      1.3,
    ],
    ['an insertion at the start', Buffer.concat([fresh, before]), 1.3],
    ['an append', Buffer.concat([before, fresh]), 1.3],
    [
      'a deletion in the middle',
      Buffer.concat([before.subarray(0, middle), before.subarray(middle + mebi)]),
      0.3,
    ],
    ['a deletion at the start', before.subarray(mebi + 1), 0.3],
    ['a cut at the end', before.subarray(0, -mebi - 1), 0.3],
    ['a change at the start', Buffer.concat([fresh, before.subarray(mebi)]), 1.3],
    ['a change at the end', Buffer.concat([before.subarray(0, -mebi), fresh]), 1.3],
    ['blocks in another order', Buffer.concat(shuffled), 32 * 0.2],
    ['a part of it twice', Buffer.concat([before, before.subarray(0, 4 * mebi)]), 0.3],
    ['everything', noise(8 * mebi, 9), 8],
  ];
  for (const [what, after, most] of cases) {
    const steps = stepsBetween(before, after);
    t.ok(applied(before, after, steps).equals(after), what);
    const moved = dataBytes(steps) / mebi;
    t.ok(moved <= most, `${what}: ${moved.toFixed(2)} of ${after.length / mebi} MiB are moved`);
  }
});

t.test('copies that follow each other are one, up to their longest', async (t) => {
  const before = noise(20 * mebi, 11);
  t.same(
    stepsBetween(before, before).map(({ kind }) => kind),
    ['copy', 'copy', 'copy'],
    'of 8 MiB at most',
  );
  const zeros = Buffer.alloc(16 * mebi);
  t.equal(stepsBetween(zeros, zeros).length, 2, 'also where all chunks are alike');
  const differ = new Differ(new ChunkIndex(), { copy: 1, data: 100 });
  t.equal(differ.take('a', 60), undefined);
  t.ok(differ.isData);
  t.same(differ.take('b', 60), { kind: 'data', offset: 0, length: 60 }, 'and so is data');
  t.same(differ.end(), { kind: 'data', offset: 60, length: 60 });
  t.equal(differ.end(), undefined);
});

t.test('the old contents may become known while the new ones are compared', async (t) => {
  const before = noise(4 * mebi, 13);
  const maker = new RecipeMaker();
  const index = new ChunkIndex();
  const recipe = recipeOf(before);
  const differ = new Differ(index);
  let moved = 0;
  for (let chunk = 0, at = 0; chunk < recipe.count; chunk += 1) {
    const length = recipe.lengthOf(chunk);
    maker.push(before.subarray(at, (at += length)));
    if (chunk === recipe.count - 1) maker.end();
    index.extend(maker.recipe);
    differ.take(recipe.keyOf(chunk), length);
    if (differ.isData) moved += 1;
  }
  t.equal(index.bytes, before.length);
  t.equal(moved, 0);
});

t.test('a recipe comes back as it went, in pieces of any size', async (t) => {
  const bytes = noise(3 * mebi + 17, 15);
  const recipe = recipeOf(bytes);
  const coded = Buffer.concat([recipeHeader(bytes.length), recipeRows(recipe, 0, 5), recipeRows(recipe, 5)]);
  for (const size of [1, 7, 23, 1000, coded.length]) {
    const read = await readRecipe(inPieces(coded, size), bytes.length);
    t.ok(recipeRows(read).equals(recipeRows(recipe)), `${size} bytes`);
  }
  const read = await readRecipe(inPieces(recipeHeader(0), 8), 0);
  t.equal(read.count, 0);
});

t.test('a recipe that cannot be is refused', async (t) => {
  const bytes = noise(mebi, 17);
  const recipe = recipeOf(bytes);
  const coded = Buffer.concat([recipeHeader(bytes.length), recipeRows(recipe)]);
  const changed = (at: number, ...values: number[]): Buffer => {
    const other = Buffer.from(coded);
    other.set(values, at);
    return other;
  };
  const cases: readonly (readonly [what: string, bytes: Buffer, kind: string])[] = [
    ['as it is', coded, 'none'],
    ['nothing', Buffer.alloc(0), 'invalid'],
    ['half a header', coded.subarray(0, 5), 'invalid'],
    ['half a row', coded.subarray(0, -1), 'invalid'],
    ['a row less', coded.subarray(0, -23), 'invalid'],
    ['a row more', Buffer.concat([coded, coded.subarray(-23)]), 'invalid'],
    ['another version', changed(0, 0, recipeVersion + 1), 'incompatible'],
    ['another length', changed(2, 1), 'invalid'],
    ['a chunk of nothing', changed(8, 0, 0, 0), 'invalid'],
    ['a chunk that is too short', changed(8, 0, 1, 0), 'invalid'],
    ['a chunk that is too long', changed(8, 255, 255, 255), 'invalid'],
  ];
  for (const [what, bad, kind] of cases) {
    t.equal(await kindOf(readRecipe(inPieces(bad, 50), bytes.length)), kind, what);
  }
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    yield coded.subarray(0, 8);
    for (let rows = 0; rows < 1000; rows += 1) yield coded.subarray(8, 31);
    throw new Error('read on and on');
  };
  t.equal(await kindOf(readRecipe(endless(), bytes.length)), 'invalid', 'one that does not end');
});

async function said(stream: Uint8Array, baseLength: number, size: number): Promise<string[]> {
  const heard: string[] = [];
  let data = 0;
  const flush = (): void => void (data > 0 && heard.push(`data ${data}`), (data = 0));
  for await (const each of readSteps(inPieces(stream, size), baseLength)) {
    if (each instanceof Uint8Array) data += each.length;
    else {
      flush();
      heard.push(`copy ${each.offset} ${each.length}`);
    }
  }
  flush();
  return heard;
}

t.test('steps come back as they went, in pieces of any size; others are refused', async (t) => {
  const copy = (offset: number, length: number): Buffer => stepHeader({ kind: 'copy', offset, length });
  const data = (length: number): Buffer => stepHeader({ kind: 'data', offset: 99, length });
  const stream = Buffer.concat([copy(0, 5), data(3), Buffer.from('abc'), copy(2 ** 40, 7)]);
  for (const size of [1, 2, 13, 100]) {
    t.same(await said(stream, 2 ** 40 + 7, size), ['copy 0 5', 'data 3', `copy ${2 ** 40} 7`]);
  }
  t.same(await said(Buffer.alloc(0), 5, 1), [], 'no step');
  const bad: readonly (readonly [string, Buffer])[] = [
    ['a copy beyond the end', stream.subarray(0, -1)],
    ['of more than there is', copy(1, 5)],
    ['of nothing', copy(0, 0)],
    ['no data', data(0)],
    ['data that ends early', Buffer.concat([data(3), Buffer.from('ab')])],
    ['half a step', copy(0, 5).subarray(0, 12)],
    ['an unknown step', Buffer.alloc(13, 3)],
  ];
  for (const [what, steps] of bad) t.equal(await kindOf(said(steps, 5, 4)), 'invalid', what);
});
