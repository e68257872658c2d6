/** The format: what is written is read, and what is not whole is found not to be, wherever it is damaged. */
import fc from 'fast-check';
import t from 'tap';
import {
  bytesOf,
  file,
  fidOf,
  filesOf,
  folder,
  madeDump,
  portable,
  read,
  root,
  stateWith,
  streamOf,
  venus,
  volume,
  written,
  type Files,
  type Lies,
  type Part,
} from '../../../conformance/bare-realm/made-dump.js';
import {
  isFailure,
  makeFid,
  makeStoreId,
  type Fid,
  type VenusId,
  type VnodeStatus,
} from '../../../vice/interface/index.js';
import { digestOf } from '../../../vice/seam/block-digests.js';
import { checkedDump, type CheckedDump } from './checked-dump.js';
import { DigestIndex } from './digest-index.js';
import { stateOf } from './dump-chain.js';
import { frame, headBytes, jsonFrame, tailBytes } from './format.js';
import type { VolumeState } from './volume-state.js';

const runs = Number(process.env['RUNS'] ?? 60);

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

/** A dump as it should be, which each fault below changes in one thing. */
const top = portable(root(1));
const letters = portable(folder('a'));
const offer = portable(file('b', 'an offer'));
const text: Part = { text: 'an offer' };
const sound: readonly Part[] = [top, letters, text, offer];

function data(status: VnodeStatus): NonNullable<VnodeStatus['data']> {
  if (status.data === null) throw new Error('no file');
  return status.data;
}

function within(status: VnodeStatus, parent: Fid): VnodeStatus {
  return { ...status, parent, places: status.places.map((place) => ({ ...place, parent })) };
}

const nowhere = makeFid(volume, 0xee, venus);
const elsewhere = makeFid('7f000002' as typeof volume, 2, venus);
const base = { snapshot: 'morning', time: 0, replica: 's1-1' };

/** What is wrong -> the parts, the lies, what is said. */
const wrong: Readonly<Record<string, readonly [readonly Part[], RegExp, Lies?]>> = {
  'another digest over all': [sound, /it is not what was written/, { trailer: { sha256: 'ab'.repeat(32) } }],
  'Fids out of order': [[top, text, offer, letters], /is not behind/],
  'a Fid twice': [[top, letters, text, offer, offer], /is not behind/],
  'contents that are missing': [[top, letters, offer], /it has not the contents/],
  'contents behind the object': [[top, letters, offer, text], /it has not the contents/],
  'contents twice': [[top, letters, text, text, offer], /these contents come twice/],
  'other contents than their digest says': [
    [top, letters, { text: 'an order', digest: data(offer).digest }, offer],
    /do not have the digest/,
  ],
  'more contents than their length says': [
    [
      top,
      letters,
      jsonFrame('C', { digest: data(offer).digest, length: 4 }),
      frame('B', Buffer.from('an offer')),
      offer,
    ],
    /do not have the digest/,
  ],
  'contents that end early': [
    [top, letters, jsonFrame('C', { digest: data(offer).digest, length: 8 }), offer],
    /there should be bytes of contents/,
  ],
  'an object with another length than its contents': [
    [top, letters, text, { ...offer, data: { ...data(offer), length: 9 } }],
    /has 9 bytes, and its contents 8/,
  ],
  'an empty file of some bytes': [
    [top, letters, { ...portable(file('b', '')), data: { ...data(file('b', '')), length: 1 } }],
    /has not the length of its contents/,
  ],
  'an object in a directory that is not there': [
    [top, letters, text, within(offer, nowhere)],
    /no directory in it/,
  ],
  'an object in a file': [[top, text, within(letters, fidOf('b')), offer], /no directory in it/],
  'a directory in itself': [[top, within(letters, fidOf('a')), text, offer], /is in itself/],
  'directories in each other': [
    [top, within(letters, fidOf('c')), text, offer, portable(folder('c', fidOf('a')))],
    /is in itself/,
  ],
  'two parents': [[top, letters, text, { ...offer, parent: fidOf('a') }], /it is in .*, and its place in/],
  'a broken move that is not in the root': [
    [
      top,
      letters,
      text,
      { ...within(offer, fidOf('a')), places: offer.places.map((each) => ({ ...each, isBroken: true })) },
    ],
    /it is in .*, and its place in/,
  ],
  'no place': [[top, letters, text, { ...offer, places: [] }], /it has no place/],
  'a place in another volume': [
    [top, letters, text, { ...offer, places: [...offer.places, ...within(offer, elsewhere).places] }],
    /in another volume/,
  ],
  'a name that is a path': [
    [top, letters, text, { ...offer, places: offer.places.map((place) => ({ ...place, name: '../x' })) }],
    /a name has a slash/,
  ],
  'a root that is a file': [
    [text, { ...top, kind: 'file', data: data(offer) }, letters, offer],
    /the root is a file/,
  ],
  'a root in a directory': [
    [{ ...top, parent: fidOf('a') }, letters, text, offer],
    /the root is in a directory/,
  ],
  'a file without contents': [[top, letters, { ...offer, data: null }], /exactly files have contents/],
  'a directory with contents': [
    [top, text, { ...letters, data: data(offer) }, offer],
    /exactly files have contents/,
  ],
  'a directory with versions': [
    [top, text, { ...letters, siblings: [data(offer)] }, offer],
    /exactly files have versions/,
  ],
  'a file with a target': [[top, letters, text, { ...offer, target: 'x' }], /symbolic links have a target/],
  'a link without one': [[top, { ...letters, kind: 'symlink' }, text, offer], /symbolic links have a target/],
  'an access list of a file': [
    [
      top,
      letters,
      text,
      { ...offer, access: [{ storeId: data(offer).storeId, list: null, time: 1, author: 'a', host: 'g' }] },
    ],
    /only directories have access lists/,
  ],
  'counts of replicas': [
    [top, letters, text, { ...offer, vv: { 's1-1': 1 } }],
    /it counts updates of replicas/,
  ],
  'a vector of nobody': [
    [top, letters, text, { ...offer, known: { ...offer.known, eve: 1 } }],
    /eve, which is no Venus/,
  ],
  'updates that it does not know': [
    [top, letters, text, { ...offer, known: {} }],
    /does not know its own update/,
  ],
  'a place that it does not know': [
    [
      top,
      letters,
      text,
      {
        ...offer,
        known: { [venus]: 98, ['b'.repeat(16)]: 1 },
        places: offer.places.map((place) => ({
          ...place,
          storeId: makeStoreId('b'.repeat(16) as VenusId, 2),
        })),
      },
    ],
    /does not know its own update b/,
  ],
  'a tombstone': [[top, letters, text, { ...offer, gone: offer.known }], /it is removed/],
  'an object of another volume': [[top, letters, text, { ...offer, fid: elsewhere }], /is of another volume/],
  'a removal in a full dump': [
    [top, letters, text, offer, { removed: fidOf('z') }],
    /a full dump has no removals/,
  ],
  'a second header': [[top, jsonFrame('H', {})], /a frame H does not belong there/],
  'no object': [[jsonFrame('O', { fid: fidOf('a') })], /not the status of an object/],
  'a text that is none': [[frame('O', Buffer.from([0x7b, 0xff]))], /is no JSON text/],
  'too few objects counted': [sound, /counts something else/, { trailer: { objects: 2 } }],
  'removals counted': [sound, /counts something else/, { trailer: { removed: 1 } }],
  'too many contents counted': [sound, /counts something else/, { trailer: { contents: 2 } }],
  'too few bytes counted': [sound, /counts something else/, { trailer: { bytes: 7 } }],
  'a field of the future': [
    sound,
    /is not understood/,
    { header: { color: 'red' } as Lies['header'] & object },
  ],
  'an incremental dump alone': [sound, /begin with the full dump/, { header: { base } }],
};

t.test('every checksum fits, and what it says is wrong: it is refused', async (t) => {
  const restorable = async (dump: Buffer): Promise<unknown> => stateOf(await read(dump));
  t.equal(await refusal(restorable(madeDump(sound))), 'none');
  t.equal(await refusal(restorable(madeDump([]))), 'none', 'a volume that nobody has touched');
  for (const [what, [parts, says, lies]] of Object.entries(wrong)) {
    const said = await refusal(restorable(madeDump(parts, lies)));
    t.match(said, says, what);
    t.match(
      said,
      /^(damaged: office\.dump (is damaged at byte|cannot be)|refused: office\.dump is incr)/,
      what,
    );
  }
});

t.test('an incremental dump that does not fit what it builds on is refused', async (t) => {
  const full = await read(madeDump(sound, { header: { state: base } }), 'full.dump');
  const then = async (parts: readonly Part[]): Promise<string> => {
    return refusal(stateOf(full, await read(madeDump(parts, { header: { base } }), 'then.dump')));
  };
  t.equal(await then([{ removed: fidOf('b') }]), 'none');
  t.match(await then([{ removed: fidOf('z') }]), /then\.dump removes .*, which is not there before it/);
  t.match(
    await then([{ removed: fidOf('a') }, within(offer, fidOf('a'))]),
    /full\.dump and then\.dump cannot be/,
  );
  t.match(await then([portable(file('c', 'else'))]), /none of the dumps has the contents/);
  const longer = { ...offer, data: { ...data(offer), length: 9 } };
  t.match(await then([longer]), /has 9 bytes, and its contents 8/);
  t.match(await then([within(letters, fidOf('c')), portable(folder('c', fidOf('a')))]), /is in itself/);
});

t.test('several contents are asked for at a time, and come in their order', async (t) => {
  const names = 'abcdefghijklmnopqrstuvwxyz'.split('');
  const state = stateWith(Object.fromEntries(names.map((name) => [name, `contents of ${name}`])), 'noon', 1);
  let [asked, most, under] = [0, 0, 0];
  const late: VolumeState = {
    ...state,
    async *contents(fid, version) {
      asked += 1;
      most = Math.max(most, (under += 1));
      // The later they are asked for, the sooner they come.
      for (let turn = asked; turn < 60; turn += 1) await Promise.resolve();
      yield* state.contents(fid, version);
      under -= 1;
    },
  };
  const dump = await written(late);
  t.same(dump, await written(state), 'as if one came after the other');
  t.ok(most > 8 && most <= 18, `${most} at a time`);
  const failing: VolumeState = {
    ...state,
    async *contents(fid, version) {
      if (fid === fidOf('c')) throw new Error('the server is gone');
      yield* state.contents(fid, version);
    },
  };
  await t.rejects(written(failing), /the server is gone/);
});

t.test('whoever looks for objects does not read contents', async (t) => {
  const bytes = await written(stateWith({ a: 'x'.repeat(3_000_000), b: 'two' }, 'noon', 1));
  let taken = 0;
  const dump = await checkedDump({
    ...bytesOf(bytes),
    read: (start, length) => {
      taken += length;
      return Promise.resolve(bytes.subarray(start, start + length));
    },
  });
  taken = 0;
  let objects = 0;
  for await (const entry of dump.entries()) objects += 'fid' in entry ? 1 : 0;
  t.equal(objects, 3);
  t.ok(taken < 1_200_000, `${taken} bytes of ${bytes.length} were read`);
});

t.test('an index of digests is a map', (t) => {
  const index = new DigestIndex();
  const digest = (of: number): string => digestOf(Buffer.from(String(of)));
  for (let of = 0; of < 3000; of += 1) {
    if (!index.add(digest(of), { at: of, length: 2 * of })) t.fail(`${of} is there already`);
    if (index.add(digest(of >> 1), { at: 7, length: 7 })) t.fail(`${of >> 1} is added twice`);
    // It must not get full: then a digest that is not there is looked for without end. Nor take more than it says.
    const slots = index.bytes / 48;
    if (index.size * 3 > slots * 2) t.fail(`${index.size} of ${slots} places are taken`);
    if (slots > 1024 && (index.size + 1) * 3 < slots) t.fail(`${slots} places for ${index.size}`);
  }
  t.equal(index.size, 3000);
  for (let of = 0; of < 3000; of += 1) {
    const found = index.get(digest(of));
    if (found?.at !== of || found.length !== 2 * of) t.fail(`${of} is lost`);
  }
  t.equal(index.get(digest(3000)), undefined);
  t.end();
});
