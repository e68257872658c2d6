/** Several volumes in one tree: walked, cut off one by one, mounted elsewhere while everybody works, moved between. */
import t, { type Test } from 'tap';
import { type Entry, type Fid, type Venus } from '../../venus/interface.js';
import { hoard } from '../suites/hoard.js';
import { caller, get, list, makeDirectory, outcomeOf, put, remove, rename } from './share.js';
import { drawings, drawingServers, VolumesStory } from './volumes-story.js';

t.setTimeout(5 * 60_000);

const rootOfDrawings = `${drawings}.1.1` as Fid;

async function entriesOf(venus: Venus, directory: Fid): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of venus.list(caller, directory)) entries.push(...batch);
  return entries;
}

t.test('a volume is seen where it is mounted', async (t) => {
  const story = await VolumesStory.begin({ seed: 1 }, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  await story.finish(put(g1, '/drawings/house', 'a house'));
  await story.finish(makeDirectory(g1, '/drawings/cars'));
  t.equal(await story.fidOf('/drawings'), rootOfDrawings);
  t.equal(
    (await story.fidOf('/drawings/house'))?.slice(0, 8),
    drawings,
    'what is made there is in that volume',
  );
  const place = await story.finish(g1.lookup(caller, ['drawings', 'cars', 'red']));
  t.equal(place.ancestors[1], rootOfDrawings);
  t.same(await story.finish(list(g2, '/drawings')), ['cars', 'house']);
  t.equal(await story.finish(get(g2, '/drawings/house')), 'a house');
  const listed = await story.finish(entriesOf(g2, place.ancestors[0] as Fid));
  t.match(listed, [{ name: 'drawings', status: { fid: rootOfDrawings } }]);
  t.same(story.volume('drawings').path, ['drawings']);
  t.same(story.volume('root').path, []);
  const space = await story.finish(g1.space(caller, rootOfDrawings));
  t.equal(space.usedBytes, 7, 'the room is that of the volume');
  t.not((await story.finish(g1.space(caller, place.ancestors[0] as Fid))).usedBytes, 7);
});

t.test('one volume may be disconnected while another is not', async (t) => {
  const story = await VolumesStory.begin({ seed: 2 });
  const venus = story.venus();
  await story.finish(put(venus, '/drawings/house', 'a house'));
  await story.cut(drawingServers);
  t.equal(story.volume('drawings').state, 'emulating');
  t.equal(story.volume('root').state, 'hoarding');
  await story.finish(put(venus, '/letter', 'dear'));
  await story.finish(put(venus, '/drawings/house', 'a new house'));
  t.equal(story.volume('drawings').pendingRecords, 1);
  t.equal(story.volume('root').pendingRecords, 0);
  t.same(
    venus.log.changes().map(({ records }) => records[0]?.path),
    ['/drawings/house'],
  );
  await story.heal(drawingServers);
  await story.cut(['s1', 's2']);
  t.match(story.volume('drawings'), { state: 'hoarding', pendingRecords: 0 });
  t.equal(story.volume('root').state, 'emulating');
  await story.finish(put(venus, '/letter', 'dear all'));
  await story.finish(put(venus, '/drawings/house', 'another house'));
  await story.heal(['s1', 's2']);
  for (const name of ['root', 'drawings']) {
    t.match(story.volume(name), { state: 'hoarding', pendingRecords: 0, keptRecords: 0 });
  }
  const other = await story.realm.startGateway('g2');
  t.equal(await story.finish(get(other, '/letter')), 'dear all');
  t.equal(await story.finish(get(other, '/drawings/house')), 'another house');
});

t.test(
  'a mounted volume of which nothing is known takes nothing from the folder that it is in',
  async (t) => {
    const story = await VolumesStory.begin({ seed: 3 });
    await story.finish(put(story.venus(), '/letter', 'dear'));
    for (const server of drawingServers) story.realm.kill(server);
    const g2 = await story.realm.startGateway('g2');
    t.same(await story.finish(list(g2, '/')), ['drawings', 'letter']);
    t.equal(await story.fidOf('/drawings', 'g2'), rootOfDrawings);
    t.equal(await story.finish(outcomeOf(list(g2, '/drawings'))), 'unreachable');
    t.equal(await story.finish(outcomeOf(get(g2, '/drawings/house'))), 'unreachable');
    t.equal(await story.finish(get(g2, '/letter')), 'dear');
  },
);

t.test('a mount that comes, moves and goes is seen at once', async (t) => {
  const story = await VolumesStory.begin({ seed: 4 });
  const venus = story.venus();
  await story.finish(put(venus, '/drawings/house', 'a house'));
  await story.finish(makeDirectory(venus, '/office'));
  const { fid } = await story.finish(makeDirectory(venus, '/office/plans'));
  await story.mount(fid);
  t.same(await story.finish(list(venus, '/drawings')), [], 'the folder itself');
  t.equal(await story.finish(get(venus, '/office/plans/house')), 'a house');
  t.same(story.volume('drawings').path, ['office', 'plans']);
  await story.finish(rename(venus, '/office', '/bureau'));
  t.equal(await story.finish(get(venus, '/bureau/plans/house')), 'a house', 'the mount goes with its folder');
  await story.finish(rename(venus, '/bureau/plans', '/bureau/sketches'));
  t.equal(await story.finish(get(venus, '/bureau/sketches/house')), 'a house');
  await story.mount(undefined);
  t.same(await story.finish(list(venus, '/bureau/sketches')), []);
  t.equal(story.volume('drawings').path, null);
});

t.test('what was put into the covered folder itself is told of', async (t) => {
  const story = await VolumesStory.begin({ seed: 5 });
  const venus = story.venus();
  const { fid } = await story.finish(makeDirectory(venus, '/office'));
  await story.finish(put(venus, '/office/letter', 'dear'));
  t.equal(story.volume('drawings').hidesNames, false);
  await story.mount(fid);
  t.same(await story.finish(list(venus, '/office')), []);
  t.equal(story.volume('drawings').hidesNames, true);
  await story.mount(undefined);
  t.equal(await story.finish(get(venus, '/office/letter')), 'dear');
});

t.test('what a volume that is mounted nowhere has in the log drains', async (t) => {
  const story = await VolumesStory.begin({ seed: 6 });
  const venus = story.venus();
  await story.finish(list(venus, '/drawings'));
  await story.cut(drawingServers);
  await story.finish(put(venus, '/drawings/house', 'a house'));
  const fid = await story.fidOf('/drawings/house');
  await story.mount(undefined);
  t.match(venus.log.changes(), [{ records: [{ path: null }, { path: null }] }]);
  await story.heal(drawingServers);
  t.match(story.volume('drawings'), { pendingRecords: 0, keptRecords: 0, state: 'hoarding' });
  t.equal((await story.finish(venus.status(caller, fid as Fid))).length, 7);
});

t.test('nothing removes a folder that a volume is mounted on', async (t) => {
  const story = await VolumesStory.begin({ seed: 7 });
  const venus = story.venus();
  await story.finish(makeDirectory(venus, '/office'));
  for (let index = 0; index < 100; index += 1) await story.finish(put(venus, `/office/a${index}`, 'a'));
  await story.finish(rename(venus, '/drawings', '/office/plans'));
  await story.finish(put(venus, '/office/plans/house', 'a house'));
  await story.finish(makeDirectory(venus, '/other'));
  for (const path of ['/office', '/office/plans']) {
    const refused = await story.finish(remove(venus, path).catch((error: unknown) => error));
    t.match(refused, { kind: 'refused', message: /coda volume unmount drawings/ });
    for (const [method, from, to] of [
      ['DELETE', path, ''],
      ['MOVE', '/other', path],
      ['COPY', '/other', path],
    ] as const) {
      t.match(
        await story.ask(method, from, to),
        { status: 409, text: /unmount drawings/ },
        `${method} ${path}`,
      );
    }
  }
  t.equal(
    (await story.finish(list(venus, '/office'))).length,
    101,
    'and nothing has gone before that was found',
  );
  await story.mount(undefined);
  await story.finish(remove(venus, '/office'));
});

t.test('a large file goes to the servers of its volume, wherever it was thought to go', async (t) => {
  const story = await VolumesStory.begin({ seed: 8 }, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  const large = 'large'.repeat(50_000);
  const { parent } = await story.finish(g1.lookup(caller, ['drawings', 'x']));
  const root = await story.fidOf('/');
  for (const [name, into] of [
    ['told', parent],
    ['mistold', root],
    ['untold', undefined],
  ] as const) {
    const contents = name + large;
    const write = async (): Promise<void> => {
      const writer = await g1.write(caller, contents.length, { into: into ?? undefined });
      for (let at = 0; at < contents.length; at += 65_536) {
        await writer.write(Buffer.from(contents.slice(at, at + 65_536)));
      }
      await writer.close({ parent: parent as Fid, name });
    };
    const traffic = story.realm.traffic.get('g1');
    traffic?.take();
    await story.finish(write());
    const reached = new Set(traffic?.uploads.map(({ address }) => address.slice(5, 7)));
    const expected = name === 'told' ? drawingServers : [...drawingServers, 's1', 's2'];
    t.same([...reached].sort(), [...expected].sort(), name);
    t.equal(await story.finish(get(g2, `/drawings/${name}`)), contents);
  }
});

t.test('what is hoarded below a folder is so in the volumes that are mounted there, too', async (t) => {
  const story = await VolumesStory.begin({ seed: 9 }, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  await story.finish(makeDirectory(g2, '/office'));
  await story.finish(rename(g2, '/drawings', '/office/plans'));
  await story.finish(put(g2, '/office/letter', 'a letter'));
  await story.finish(makeDirectory(g2, '/office/plans/cars'));
  await story.finish(put(g2, '/office/plans/cars/red', 'a red car'));
  await story.finish(put(g2, '/other', 'other'));
  await story.finish(hoard(g1, '/office', 100, 'd+'));
  t.match(await story.finish(g1.hoard.walk()), { fetchedObjects: 2, missing: 0 });
  await story.cut(['s1', 's2', ...drawingServers]);
  t.equal(await story.finish(get(g1, '/office/letter')), 'a letter');
  t.equal(await story.finish(get(g1, '/office/plans/cars/red')), 'a red car');
  t.match(await story.finish(outcomeOf(get(g1, '/other'))), 'unreachable');
});

t.test('conflicts and waiting changes have the names under which they are seen', async (t) => {
  const story = await VolumesStory.begin({ seed: 10 }, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  await story.finish(put(g1, '/drawings/house', 'a house'));
  t.equal(await story.finish(get(g2, '/drawings/house')), 'a house');
  await story.cut(drawingServers, 'g1');
  await story.finish(put(g1, '/drawings/house', 'a house by ann'));
  await story.finish(put(g2, '/drawings/house', 'a house by ben', { user: 'ben' }));
  let archive = '';
  const checkpoint = async (): Promise<void> => {
    for await (const chunk of g1.log.checkpoint()) archive += Buffer.from(chunk).toString('latin1');
  };
  await story.finish(checkpoint());
  t.match(archive, /drawings\/house/);
  await story.heal(drawingServers, 'g1');
  const conflicts = async (venus: Venus): Promise<unknown[]> => {
    const found: unknown[] = [];
    for await (const batch of venus.conflicts.list(caller)) found.push(...batch);
    return found;
  };
  for (const venus of [g1, g2]) {
    const found = await story.finish(conflicts(venus));
    t.match(found, [{ volume: 'drawings', kind: 'versions', path: ['drawings', 'house'] }]);
  }
  await story.mount(undefined);
  t.match(await story.finish(conflicts(g2)), [{ volume: 'drawings', path: null }]);
});

/** All rows of the gateway's store that say something of the volume, but for those of kept changes. */
function rowsOf(story: VolumesStory, volume: string): readonly string[] {
  const rows = [...story.realm.disk('g1').store.range({ start: '', end: '\uffff' })];
  return rows.map(({ key }) => key).filter((key) => key.includes(volume));
}

async function gathered<T>(batches: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}

async function archiveOf(venus: Venus): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of venus.log.checkpoint()) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** /office/plans is `drawings`; of what g1 has changed there /house and /cars/red are on no server. */
async function withUnsent(seed: number): Promise<VolumesStory> {
  const story = await VolumesStory.begin({ seed }, ['g1', 'g2']);
  const [g1, g2] = [story.venus('g1'), story.venus('g2')];
  await story.finish(makeDirectory(g1, '/office'));
  await story.finish(rename(g1, '/drawings', '/office/plans'));
  await story.finish(put(g1, '/letter', 'shared'));
  await story.finish(put(g1, '/office/plans/copy', 'shared'));
  await story.finish(put(g1, '/office/plans/house', 'a house'));
  await story.finish(put(g1, '/office/plans/old', 'old contents'));
  await story.finish(get(g2, '/office/plans/house'));
  await story.cut(drawingServers, 'g1');
  await story.finish(put(g1, '/office/plans/house', 'a house by ann'));
  await story.finish(put(g2, '/office/plans/house', 'a house by ben', { user: 'ben' }));
  await story.heal(drawingServers, 'g1');
  await story.finish(get(g1, '/office/plans/house'));
  await story.finish(hoard(g1, '/office', 100, 'd+'));
  await story.finish(g1.hoard.walk());
  await story.cut(drawingServers, 'g1');
  await story.finish(put(g1, '/office/plans/house', 'a house by ann again'));
  await story.finish(makeDirectory(g1, '/office/plans/cars'));
  await story.finish(put(g1, '/office/plans/cars/red', 'a red car'));
  return story;
}

async function isClearedAway(t: Test, story: VolumesStory): Promise<void> {
  const venus = story.venus();
  const changes = venus.log.changes();
  t.match(
    changes.map(({ volume, state, reason, records }) => [volume, state, reason, records.at(-1)?.path]),
    [
      ['drawings', 'kept', /volume drawings has been deleted/, '/office/plans/house'],
      ['drawings', 'kept', /volume drawings has been deleted/, '/office/plans/cars'],
      ['drawings', 'kept', /volume drawings has been deleted/, '/office/plans/cars/red'],
    ],
  );
  const { volumes, deletedVolumes } = venus.state();
  t.same(
    volumes.map(({ name }) => name),
    ['root'],
  );
  t.same(deletedVolumes, [{ id: drawings, name: 'drawings', keptRecords: 4 }]);
  t.same(rowsOf(story, drawings), [], 'of the volume nothing else is left');
  t.same(venus.conflicts.count(), {});
  t.equal(await story.finish(get(venus, '/letter')), 'shared');
  const cached = await story.finish(gathered(venus.hoard.cache.contents()));
  const has = (contents: string): boolean => cached.some(({ length }) => length === contents.length);
  t.ok(has('a house by ann again') && has('a red car'), 'contents that the log needs');
  t.ok(has('shared'), 'contents that another volume has, too');
  t.notOk(has('old contents'));
  await story.finish(gathered(venus.hoard.verify(null)));
  t.same(await story.finish(list(venus, '/office/plans')), []);
}

t.test('a volume that is deleted while the gateway is there', async (t) => {
  const story = await withUnsent(12);
  await story.mount(undefined);
  await story.delete();
  const late = put(story.venus(), '/office/plans/late', 'late');
  t.equal(await story.finish(outcomeOf(late)), 'done', 'the folder is an ordinary one now');
  await story.finish(remove(story.venus(), '/office/plans/late'));
  await isClearedAway(t, story);
  await story.restart();
  await isClearedAway(t, story);
});

t.test('a volume that is deleted while the gateway is away', async (t) => {
  const story = await withUnsent(12);
  story.realm.kill('g1');
  await story.mount(undefined);
  await story.delete();
  await story.restart();
  await isClearedAway(t, story);
});

t.test('a gateway that dies when it has just heard that a volume is deleted', async (t) => {
  for (const after of [0, 1, 2, 3, 5, 8]) {
    const story = await withUnsent(12);
    await story.mount(undefined);
    for (const server of ['s1', 's2']) story.realm.network.cut('g1', server);
    await story.delete();
    for (const server of ['s1', 's2']) story.realm.network.heal('g1', server);
    for (let waited = 0; story.venus().state().volumes.length > 1 && waited < 5000; waited += 1)
      await story.realm.clock.advance(1);
    await story.realm.clock.advance(after);
    await story.restart();
    await isClearedAway(t, story);
  }
});

t.test('what is kept of a deleted volume is archived, given up, and restored where it was', async (t) => {
  const story = await withUnsent(13);
  await story.mount(undefined);
  await story.delete();
  const venus = story.venus();
  const archive = await story.finish(archiveOf(venus));
  t.match(archive.toString('latin1'), /tree\/office\/plans\/cars\/red/);
  const sequences = venus.log.changes().map(({ sequence }) => sequence);
  t.same(await story.finish(venus.log.discard(sequences)), sequences);
  t.same(venus.log.changes(), []);
  t.same(venus.state().deletedVolumes, []);
  const again = async function* (): AsyncGenerator<Uint8Array> {
    yield archive;
  };
  t.match(await story.finish(venus.log.restore(again())), { restored: 3 });
  t.equal(await story.finish(get(story.venus('g2'), '/office/plans/house')), 'a house by ann again');
  t.equal(await story.finish(get(story.venus('g2'), '/office/plans/cars/red')), 'a red car');
});

t.test('who is changing something in a volume when it is deleted is told so', async (t) => {
  const story = await VolumesStory.begin({ seed: 14 });
  const venus = story.venus();
  await story.finish(list(venus, '/drawings'));
  // They are not heard any more, but nobody has noticed yet.
  for (const server of drawingServers) story.realm.network.pause(server);
  const writing = outcomeOf(put(venus, '/drawings/house', 'a house'));
  await story.realm.clock.advance(100);
  t.equal(venus.log.changes().length, 1);
  await story.delete();
  t.equal(await story.finish(writing), 'not-found');
  t.same(venus.log.changes(), [], 'it was never acknowledged');
});

t.test('the quota of a folder is that of its volume', async (t) => {
  const story = await VolumesStory.begin({ seed: 11 });
  await story.finish(put(story.venus(), '/drawings/house', 'a house'));
  await story.finish(put(story.venus(), '/letter', 'dear'));
  const body =
    '<propfind xmlns="DAV:"><prop><quota-used-bytes/><current-user-privilege-set/></prop></propfind>';
  const used = (answer: string): readonly string[] =>
    [...answer.matchAll(/<D:quota-used-bytes>(\d+)</g)].map(([, bytes]) => bytes ?? '');
  const asked = await story.finish(story.door().propfind('/', { depth: '1', body }));
  t.same(used(asked), ['4', '7']);
  for (const server of drawingServers) story.realm.kill(server);
  await story.realm.startGateway('g2');
  const again = await story.finish(story.door('g2').propfind('/', { depth: '1', body }));
  t.same(used(again), ['4'], 'that of the other nobody knows');
  t.match(again, '<D:href>/s/drawings/</D:href>');
});
