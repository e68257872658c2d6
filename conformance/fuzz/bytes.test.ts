/**
 * Whatever bytes come, from a peer, from a disk or in an archive, they are read to a value or refused with a Failure,
 * and nothing of a promised size is believed before the bytes are there.
 */
import fc from 'fast-check';
import t from 'tap';
import { TarReader } from '../../venus/archive/tar-reader.js';
import { tarHeader, tarPadding } from '../../venus/archive/tar.js';
import { calls, isFailure, mutationSchema, pushSchema, seal, unseal } from '../../vice/interface/index.js';
import { readSteps, stepHeader } from '../../vice/difference/operation-codec.js';
import { readRecipe, recipeHeader, recipeRows } from '../../vice/difference/recipe-codec.js';
import { chunksMost, Recipe } from '../../vice/difference/recipe.js';
import { failureFrom } from '../../vice/seam/link-failure.js';
import { parseFrame } from '../../vice/seam/link-frame.js';
import { garbageFrames } from './hostile-frames.js';
import { harmed, runs } from './hostile.js';

const fid = '7f000001.1.1';
const storeId = '0123456789abcdef:1';
t.test('frames of a link, and what is in them', async () => {
  const property = fc.property(garbageFrames, (bytes) => {
    let frame;
    try {
      frame = parseFrame(bytes);
    } catch (error) {
      return isFailure(error, 'invalid');
    }
    for (const { argument, result } of Object.values(calls)) {
      argument.safeParse('argument' in frame ? frame.argument : frame);
      result.safeParse('result' in frame ? frame.result : frame);
    }
    pushSchema.safeParse('push' in frame ? frame.push : frame);
    mutationSchema.safeParse(frame);
    return isFailure(failureFrom('failure' in frame ? frame.failure : frame, 'call'));
  });
  fc.assert(property, { numRuns: runs * 4 });
  // Something that a peer sent has changed no object but its own.
  if (Object.keys(Object.prototype).length > 0) throw new Error('a message has changed all objects');
});

t.test('records of a store', async () => {
  const record = seal({ status: { fid, storeId, length: 5, digest: 'a'.repeat(64) }, stamp: 7 });
  const property = fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), harmed(record)), (bytes) => {
    try {
      unseal(bytes);
      return Buffer.compare(bytes, record) === 0;
    } catch (error) {
      return isFailure(error, 'damaged');
    }
  });
  fc.assert(property, { numRuns: runs * 2 });
});

const baseBytes = 100_000;
const steps = Buffer.concat([
  stepHeader({ kind: 'copy', offset: 10, length: 90_000 }),
  stepHeader({ kind: 'data', offset: 0, length: 40 }),
  Buffer.alloc(40, 1),
  stepHeader({ kind: 'copy', offset: 0, length: baseBytes }),
]);
const recipe = new Recipe();
for (const length of [20_000, 70_000, 10_000]) recipe.add(length, Buffer.alloc(32, length));
const toldRecipe = Buffer.concat([recipeHeader(baseBytes), recipeRows(recipe)]);

t.test('steps of a difference, and recipes', async () => {
  const inTwo = async function* (bytes: Uint8Array, at: number): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, at);
    yield bytes.subarray(at);
  };
  const stream = fc.oneof(fc.uint8Array({ maxLength: 100 }), harmed(steps));
  const step = fc.asyncProperty(stream, fc.nat(80), async (bytes, at) => {
    try {
      for await (const said of readSteps(inTwo(bytes, at), baseBytes)) {
        if (!(said instanceof Uint8Array) && said.offset + said.length > baseBytes) return false;
      }
      return true;
    } catch (error) {
      return isFailure(error, 'invalid');
    }
  });
  await fc.assert(step, { numRuns: runs * 2 });
  const told = fc.oneof(fc.uint8Array({ maxLength: 100 }), harmed(toldRecipe));
  const rows = fc.asyncProperty(told, fc.nat(80), async (bytes, at) => {
    try {
      const read = await readRecipe(inTwo(bytes, at), baseBytes);
      return read.bytes === baseBytes && read.count <= chunksMost(baseBytes);
    } catch (error) {
      return isFailure(error, 'invalid', 'incompatible');
    }
  });
  await fc.assert(rows, { numRuns: runs * 2 });
});

const modified = Date.UTC(2026, 0, 1);
const bodies = [Buffer.from('short'), Buffer.alloc(1_500, 7), Buffer.alloc(0)];
const archive = Buffer.concat([
  ...bodies.flatMap((body, index) => {
    // The second name is too long for its field: a pax header comes before it.
    const name = index === 1 ? 'n'.repeat(150) : `contents/${index}`;
    const header = tarHeader({ name, type: 'file', size: body.length, target: '', modified });
    return [header, body, tarPadding(body.length)];
  }),
  Buffer.alloc(1_024),
]);

/** With the checksums of its headers put right, so that what is behind them is read. */
function summed(bytes: Uint8Array): Uint8Array {
  const result = Buffer.from(bytes);
  for (let at = 0; at + 512 <= result.length; at += 512) {
    if (result.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    result.fill(0x20, at + 148, at + 156);
    const sum = result.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    result.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, at + 148, 'latin1');
  }
  return result;
}

/** What fields of headers must not hold, or hold elsewhere. */
const forged = [
  '',
  '7',
  '77777777777',
  '00000000010',
  '-1',
  'x',
  '5',
  '\u0000',
  '8',
  '9999',
  'L',
  '../..',
  '0',
];
const fields = [0, 100, 124, 130, 136, 156, 157, 257];

/** Each field of each block holds each of them, and the checksum is right. */
function* forgeries(): Generator<Uint8Array> {
  for (let block = 0; block < archive.length; block += 512) {
    for (const field of fields) {
      for (const text of forged) {
        const bytes = Buffer.from(archive);
        bytes.write(text, block + field, 'latin1');
        yield summed(bytes);
      }
    }
  }
}

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Contents of all entries. */
async function read(bytes: Uint8Array, size: number): Promise<Buffer[]> {
  const reader = new TarReader(pieces(bytes, size));
  const found: Buffer[] = [];
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    if (!Number.isSafeInteger(entry.size) || entry.size < 0) throw new Error(`a size of ${entry.size}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of reader.contents()) chunks.push(chunk);
    found.push(Buffer.concat(chunks));
  }
  return found;
}

t.test('archives', async (t) => {
  t.same(await read(archive, 100), bodies, 'a whole one is read');
  const altered = fc.oneof(
    harmed(archive),
    harmed(archive).map(summed),
    fc.nat(archive.length).map((length) => archive.subarray(0, length)),
    fc.uint8Array({ maxLength: 2_000 }),
  );
  const isSound = async (bytes: Uint8Array, size: number): Promise<boolean> => {
    try {
      const found = await read(bytes, size);
      return found.reduce((sum, { length }) => sum + length, 0) <= bytes.length;
    } catch (error) {
      return isFailure(error, 'invalid');
    }
  };
  await fc.assert(fc.asyncProperty(altered, fc.integer({ min: 1, max: 3_000 }), isSound), { numRuns: runs });
  for (const bytes of forgeries()) {
    if (!(await isSound(bytes, 512))) t.fail(`forged: ${Buffer.from(bytes).toString('base64')}`);
  }
});
