/** The format: what is written is read, and what is not whole is found not to be, wherever it is damaged. */
import fc from 'fast-check';
import t from 'tap';
import {
  isFailure,
  makeFid,
  makeStoreId,
  rootFid,
  type Fid,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../../vice/interface/index.js';
import { digestOf } from '../../../vice/seam/block-digests.js';
import { checkedDump, type CheckedDump } from './checked-dump.js';
import { DigestIndex } from './digest-index.js';
import { stateOf } from './dump-chain.js';
import { headBytes, tailBytes } from './format.js';
import type { DumpBytes } from './frame-reader.js';
import type { VolumeState } from './volume-state.js';
import { dumped } from './writer.js';

const volume = '7f000001' as VolumeId;
const venus = 'a'.repeat(16) as VenusId;
const runs = Number(process.env['RUNS'] ?? 60);

/** Names -> contents: all that these volumes have, in their roots. */
type Files = Readonly<Record<string, string>>;

function stateWith(files: Files, snapshot: string, time: number): VolumeState {
  const texts = new Map(Object.values(files).map((text) => [digestOf(Buffer.from(text)), text]));
  const objects = [root(time), ...Object.entries(files).map(([name, text]) => file(name, text))];
  objects.sort((a, b) => (a.fid < b.fid ? -1 : 1));
  return {
    header: {
      format: 'coda-dump',
      version: 1,
      realm: { id: 'r', name: 'a realm' },
      volume: { id: volume, name: 'office' },
      state: { snapshot, time, replica: 's1-1' },
    },
    objects: () => streamOf(objects),
    contents: (_fid, { digest }) => streamOf([Buffer.from(texts.get(digest) ?? '')]),
  };
}

function fidOf(name: string): Fid {
  return makeFid(volume, name.charCodeAt(0), venus);
}

function file(name: string, text: string): VnodeStatus {
  const storeId = makeStoreId(venus, name.charCodeAt(0));
  const place = {
    parent: rootFid(volume),
    name,
    storeId,
    time: 1,
    author: 'ann',
    host: 'g',
    isBroken: false,
  };
  const made = { modified: 2, author: 'ann', host: 'g', saved: 3 };
  const digest = digestOf(Buffer.from(text));
  return {
    ...common,
    fid: fidOf(name),
    kind: 'file',
    parent: rootFid(volume),
    storeId,
    data: { storeId, mark: storeId, length: Buffer.byteLength(text), digest, ...made },
    places: [place],
    properties: { '{DAV:}x': `<x>${name}\u2028</x>` },
  };
}

function root(time: number): VnodeStatus {
  const storeId = makeStoreId(venus, 1);
  return { ...common, fid: rootFid(volume), kind: 'directory', parent: null, storeId, modified: time };
}

const common = {
  vv: { 's1-1': 1 },
  known: {},
  data: null,
  siblings: [],
  places: [],
  gone: {},
  revived: {},
  names: '',
  target: null,
  created: 1,
  modified: 2,
  mode: 0o644,
  owner: 'ann',
  author: 'ann',
  properties: {},
  setters: {},
} satisfies Partial<VnodeStatus>;

async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function written(state: VolumeState, base?: VolumeState): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of dumped(state, base, { objects: 0, bytes: 0 })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function bytesOf(buffer: Uint8Array, name = 'office.dump'): DumpBytes {
  return {
    name,
    size: buffer.length,
    read: (start, length) => Promise.resolve(buffer.subarray(start, start + length)),
    pause: () => Promise.resolve(),
  };
}

async function read(buffer: Uint8Array, name?: string): Promise<CheckedDump> {
  return checkedDump(bytesOf(buffer, name));
}

/** Names -> contents, as a state has them. */
async function filesOf(state: VolumeState): Promise<Files> {
  const found: Record<string, string> = {};
  for await (const { fid, data, places } of state.objects()) {
    if (data === null) continue;
    const chunks: Uint8Array[] = [];
    if (data.length > 0) for await (const chunk of state.contents(fid, data)) chunks.push(chunk);
    found[places[0]?.name ?? ''] = Buffer.concat(chunks).toString();
  }
  return found;
}

async function refusal(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'none';
  } catch (error) {
    if (!isFailure(error)) throw error;
    return `${error.kind}: ${error.message}`;
  }
}

const files = fc.dictionary(
  fc.constantFrom(...'abcdefg'),
  fc.constantFrom('', 'one', 'two', 'three', 'x'.repeat(600)),
);

t.test('what is dumped in steps comes to the last state', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(files, { minLength: 1, maxLength: 4 }), async (days) => {
      const states = days.map((day, index) => stateWith(day, `day ${index}`, index));
      const dumps: CheckedDump[] = [];
      for (const [index, state] of states.entries()) {
        dumps.push(await read(await written(state, states[index - 1]), `${index}.dump`));
      }
      const [full, ...then] = dumps;
      if (full === undefined) throw new Error('no day');
      const found = await filesOf(await stateOf(full, ...then));
      const wanted = days.at(-1) ?? {};
      if (JSON.stringify(sorted(found)) !== JSON.stringify(sorted(wanted))) {
        throw new Error(`${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`);
      }
      // The same from files, as a base that the servers do not have any more.
      const again = await written(states.at(-1) as VolumeState, await stateOf(full));
      await stateOf(full, await read(again));
    }),
    { numRuns: runs },
  );
  t.pass('in all runs');
});

function sorted(files: Files): Files {
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}

t.test('an incremental dump has what is new, and nothing else', async (t) => {
  const monday = stateWith({ a: 'one', b: 'two', c: 'three' }, 'monday', 1);
  const tuesday = stateWith({ a: 'one', b: 'three', d: 'four', e: 'two' }, 'tuesday', 1);
  const { trailer, header } = await read(await written(tuesday, monday));
  t.match(trailer, { objects: 3, removed: 1, contents: 1, bytes: 4 });
  t.match(header.base, { snapshot: 'monday', time: 1, replica: 's1-1' });
});

t.test('torn at any byte, or with any byte changed, it is refused', async (t) => {
  const whole = await written(stateWith({ a: 'one', b: 'x'.repeat(300), c: '' }, 'noon', 1));
  await read(whole);
  for (let end = 0; end < whole.length; end += 1) {
    const said = await refusal(read(whole.subarray(0, end)));
    if (!said.startsWith('damaged: office.dump is damaged at byte')) t.fail(`torn at ${end}: ${said}`);
  }
  for (let at = 0; at < whole.length; at += 1) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    const said = await refusal(read(changed));
    if (!said.startsWith('damaged: office.dump is damaged at byte')) t.fail(`byte ${at}: ${said}`);
  }
  t.match(await refusal(read(Buffer.concat([whole, Buffer.from('x')]))), /something follows behind its end/);
  t.match(await refusal(read(Buffer.from('PK and what follows'))), /does not begin as a dump/);
  const later = Buffer.from(whole);
  later.write('coda-dump 2\n');
  t.match(await refusal(read(later)), /another version than 1/);
});

t.test('frames that are good one by one, but not as they were written, are refused', async (t) => {
  const whole = await written(stateWith({ a: 'one', b: 'two' }, 'noon', 1));
  const frames: Buffer[] = [];
  for (let at = 12; at < whole.length;) {
    const next = at + headBytes + whole.readUInt32BE(at + 1) + tailBytes;
    frames.push(whole.subarray(at, next));
    at = next;
  }
  const head = whole.subarray(0, 12);
  for (let index = 0; index < frames.length; index += 1) {
    const without = Buffer.concat([head, ...frames.toSpliced(index, 1)]);
    t.match(await refusal(read(without)), /^damaged/, `without frame ${index}`);
    const twice = Buffer.concat([head, ...frames.toSpliced(index, 0, frames[index] ?? head)]);
    t.match(await refusal(read(twice)), /^damaged/, `frame ${index} twice`);
    if (index === 0) continue;
    const swapped = frames.toSpliced(index - 1, 2, frames[index] ?? head, frames[index - 1] ?? head);
    t.match(await refusal(read(Buffer.concat([head, ...swapped]))), /^damaged/, `frame ${index} too early`);
  }
});

t.test('only dumps that build on each other are put together', async (t) => {
  const days = ['monday', 'tuesday', 'wednesday'].map((day, index) => {
    return stateWith({ a: `a on ${day}`, b: 'always' }, day, index);
  });
  const [monday, tuesday, wednesday] = days as [VolumeState, VolumeState, VolumeState];
  const full = await read(await written(monday), 'monday.dump');
  const second = await read(await written(tuesday, monday), 'tuesday.dump');
  const third = await read(await written(wednesday, tuesday), 'wednesday.dump');
  t.same(await filesOf(await stateOf(full, second, third)), { a: 'a on wednesday', b: 'always' });
  t.match(await refusal(stateOf(full, third)), /"tuesday" of .* "monday" of .* give the one in between/);
  t.match(await refusal(stateOf(second)), /tuesday\.dump is incremental/);
  t.match(await refusal(stateOf(full, full)), /restore it alone/);
  // Another replica's snapshot of the same name is not the same state.
  const { header } = monday;
  const other = { ...monday, header: { ...header, state: { ...header.state, replica: 's2-1' } } };
  t.match(await refusal(stateOf(await read(await written(other)), second)), /^refused/);
});

t.test('contents that a server sends otherwise than it says are not written', async (t) => {
  const state = stateWith({ a: 'one' }, 'noon', 1);
  const lying = { ...state, contents: () => streamOf([Buffer.from('two')]) };
  t.match(await refusal(written(lying)), /did not come as they are/);
  const short = { ...state, contents: () => streamOf([Buffer.from('on')]) };
  t.match(await refusal(written(short)), /did not come as they are/);
});

t.test('an index of digests is a map', (t) => {
  const index = new DigestIndex();
  const digest = (of: number): string => digestOf(Buffer.from(String(of)));
  for (let of = 0; of < 3000; of += 1) {
    if (!index.add(digest(of), of)) t.fail(`${of} is there already`);
    if (index.add(digest(of >> 1), 7)) t.fail(`${of >> 1} is added twice`);
  }
  t.equal(index.size, 3000);
  for (let of = 0; of < 3000; of += 1) if (index.get(digest(of)) !== of) t.fail(`${of} is lost`);
  t.equal(index.get(digest(3000)), undefined);
  t.end();
});
