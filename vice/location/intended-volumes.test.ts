/** What an administrator wants of whole volumes, and what he gets, again and again. */
import t, { type Test } from 'tap';
import {
  intentionSchema,
  isFailure,
  realmDocumentSchema,
  volumeEntry,
  type Fid,
  type Intention,
  type RealmDocument,
  type VolumeId,
} from '../interface/index.js';
import { intended } from './intended.js';

const [root, drawings, letters] = ['7f000001', '7f000002', '7f000003'] as VolumeId[] as [
  VolumeId,
  VolumeId,
  VolumeId,
];
const place = (volume: VolumeId, vnode: string): Fid => `${volume}.${vnode}.9c3e5d7b01f2a4c6` as Fid;

/** `drawings` is mounted in the root volume and `letters` in `drawings`, as far as they are there. */
function realm(...ids: readonly VolumeId[]): RealmDocument {
  const names = new Map([
    [drawings, 'drawings'],
    [letters, 'letters'],
  ]);
  const above = new Map([
    [drawings, root],
    [letters, drawings],
  ]);
  const others = ids.map((id) => {
    const mount = place(above.get(id) ?? root, '5');
    return { id, name: names.get(id) ?? id, replicas: [{ id: 'r', server: 's1' }], mount };
  });
  return {
    format: 1,
    version: 7,
    realm: 'office',
    name: 'office',
    servers: ['s1', 's2', 's3'].map((name) => ({ name, address: `ws://${name}:1` })),
    volumes: [{ id: root, name: 'root', replicas: [{ id: 'r-s1', server: 's1' }] }, ...others],
    rootVolume: root,
  };
}

let ids = 0;
const newId = (server: string): string => `${server}-${(ids += 1)}`;

/** What it comes to: the document, or the kind of the failure. Said again it comes to nothing more. */
function outcome(t: Test, before: RealmDocument, intention: Intention): RealmDocument | string {
  const what = JSON.stringify(intention);
  t.ok(intentionSchema.safeParse(intention).success, what);
  let after: RealmDocument;
  try {
    after = intended(before, intention, newId);
  } catch (error) {
    return isFailure(error) ? error.kind : String(error);
  }
  t.equal(after.version, after === before ? 7 : 8, `${what}: the version`);
  t.equal(intended(after, intention, newId), after, `${what}: said again`);
  t.ok(realmDocumentSchema.safeParse(after).success, `${what}: a document`);
  return after;
}

function changed(t: Test, before: RealmDocument, intention: Intention): RealmDocument {
  const after = outcome(t, before, intention);
  if (typeof after === 'string' || after === before)
    throw new Error(`${JSON.stringify(intention)}: no change`);
  return after;
}

const create = (id: VolumeId, name: string, ...servers: string[]): Intention => {
  return { change: 'create-volume', id, name, servers };
};

t.test('a new volume is on the servers that were named, and in no tree', async (t) => {
  const before = realm();
  const after = changed(t, before, create(drawings, 'drawings', 's2', 's3', 's2'));
  const entry = volumeEntry(after, drawings);
  t.same(
    entry?.replicas.map(({ server, state }) => [server, state]),
    [
      ['s2', undefined],
      ['s3', undefined],
    ],
    'members at once: there is nothing to be filled with',
  );
  t.equal(new Set(entry?.replicas.map(({ id }) => id)).size, 2);
  t.equal(entry?.mount, undefined);
  t.equal(volumeEntry(after, root), volumeEntry(before, root), 'no other volume is touched (A12)');
  const lastWriter = { ...create(drawings, 'drawings', 's1'), conflicts: 'last-writer-wins' } as Intention;
  t.equal(volumeEntry(changed(t, before, lastWriter), drawings)?.conflicts, 'last-writer-wins');
});

t.test('a new volume takes nothing of another one', async (t) => {
  const before = realm(drawings);
  t.equal(outcome(t, before, create(letters, 'drawings', 's1')), 'exists', 'its name');
  t.equal(outcome(t, before, create(drawings, 'letters', 's1')), 'exists', 'its id');
  t.equal(outcome(t, before, create(drawings, 'drawings', 's1')), before, 'it is that very one');
  t.equal(outcome(t, before, create(letters, 'letters', 's9')), 'not-found', 'no such server');
  const gone = { ...realm(), retiredVolumes: [letters] };
  t.equal(outcome(t, gone, create(letters, 'letters', 's1')), 'refused', 'VO-1');
});

t.test('replicas of a new volume have ids of their own', async (t) => {
  const same = ['one', 'one', 'two'];
  const after = intended(
    realm(),
    create(drawings, 'drawings', 's1', 's2'),
    () => same.shift() ?? 'none left',
  );
  t.same(volumeEntry(after, drawings)?.replicas, [
    { id: 'one', server: 's1' },
    { id: 'two', server: 's2' },
  ]);
});

t.test('names are read by people, and differ from ids', async (t) => {
  const named = (name: string): boolean => intentionSchema.safeParse(create(letters, name, 's1')).success;
  for (const name of ['a', 'drawings', 'Zeichnungen 2026', 'Büro', 'v1.0_x-y', '7f00000', '7f0000011']) {
    t.ok(named(name), name);
  }
  for (const name of ['', ' a', '.a', 'a/b', 'a\n', 'a\u202eb', '7f000001', 'x'.repeat(65)]) {
    t.notOk(named(name), JSON.stringify(name));
  }
});

t.test('a volume is renamed, not to the name of another one', async (t) => {
  const before = realm(drawings, letters);
  const rename = (volume: VolumeId, name: string): Intention => ({ change: 'rename-volume', volume, name });
  const after = changed(t, before, rename(drawings, 'plans'));
  t.same(volumeEntry(after, drawings), { ...volumeEntry(before, drawings), name: 'plans' });
  t.equal(outcome(t, before, rename(drawings, 'drawings')), before);
  t.equal(outcome(t, before, rename(drawings, 'letters')), 'exists', 'VO-2');
  t.equal(outcome(t, realm(), rename(drawings, 'plans')), 'not-found');
  t.equal(volumeEntry(changed(t, before, rename(root, 'all')), root)?.name, 'all');
});

t.test('a volume is deleted only when nothing is seen through it', async (t) => {
  const deletion = (volume: VolumeId): Intention => ({ change: 'delete-volume', volume });
  const both = realm(drawings, letters);
  t.equal(outcome(t, realm(), deletion(root)), 'refused', 'the root volume');
  t.equal(outcome(t, both, deletion(letters)), 'refused', 'it is mounted');
  const alone = { ...intended(both, { change: 'unmount-volume', volume: drawings }, newId), version: 7 };
  t.equal(outcome(t, alone, deletion(drawings)), 'refused', 'another one is mounted in it');
  const free = { ...intended(alone, { change: 'unmount-volume', volume: letters }, newId), version: 7 };
  const after = changed(t, free, deletion(drawings));
  t.same(
    after.volumes.map(({ id }) => id),
    [root, letters],
  );
  t.same(after.retiredVolumes, [drawings]);
  t.same(changed(t, { ...after, version: 7 }, deletion(letters)).retiredVolumes, [drawings, letters]);
  t.equal(outcome(t, realm(), deletion(drawings)), 'not-found', 'it never was');
});

t.test('a volume is mounted in one place, and taken from there', async (t) => {
  const created = { ...intended(realm(), create(drawings, 'drawings', 's1'), newId), version: 7 };
  const mount = (volume: VolumeId, directory: Fid): Intention => ({
    change: 'mount-volume',
    volume,
    directory,
  });
  const after = { ...changed(t, created, mount(drawings, place(root, '5'))), version: 7 };
  t.equal(volumeEntry(after, drawings)?.mount, place(root, '5'));
  t.equal(outcome(t, after, mount(drawings, place(root, '6'))), 'refused', 'MT-1');
  t.equal(outcome(t, after, mount(root, place(drawings, '6'))), 'refused', 'MT-3');
  t.equal(outcome(t, created, mount(drawings, place(drawings, '6'))), 'refused', 'MT-2');
  t.equal(outcome(t, created, mount(drawings, place(letters, '6'))), 'not-found', 'in a volume that is not');
  t.equal(outcome(t, created, mount(letters, place(root, '6'))), 'not-found');
  const off: Intention = { change: 'unmount-volume', volume: drawings };
  t.same(changed(t, after, off).volumes, created.volumes, 'as if it had never been mounted');
  t.equal(outcome(t, created, off), created);
});

t.test('quota and lock are set and taken away', async (t) => {
  const before = realm(drawings);
  const quota = (bytes: number | null): Intention => ({ change: 'set-quota', volume: drawings, bytes });
  const limited = { ...changed(t, before, quota(4096)), version: 7 };
  t.equal(volumeEntry(limited, drawings)?.quotaBytes, 4096);
  t.equal(volumeEntry(changed(t, limited, quota(1)), drawings)?.quotaBytes, 1);
  t.same(changed(t, limited, quota(null)).volumes, before.volumes);
  t.equal(outcome(t, before, quota(null)), before);
  for (const bytes of [0, -1, 0.5]) t.notOk(intentionSchema.safeParse(quota(bytes)).success, `${bytes}`);
  const lock: Intention = { change: 'lock-volume', volume: drawings };
  const unlock: Intention = { change: 'unlock-volume', volume: drawings };
  const locked = { ...changed(t, limited, lock), version: 7 };
  t.match(volumeEntry(locked, drawings), { locked: true, quotaBytes: 4096, mount: place(root, '5') });
  t.same(changed(t, locked, unlock).volumes, limited.volumes);
  t.equal(outcome(t, before, unlock), before);
});

t.test('a volume that is being restored is opened when it is whole, and mounted only then', (t) => {
  const create: Intention = {
    change: 'create-volume',
    id: drawings,
    name: 'drawings',
    servers: ['s1'],
    restoring: 'office of noon',
  };
  const made = intended(realm(), create, newId);
  t.ok(realmDocumentSchema.safeParse(made).success);
  t.equal(volumeEntry(made, drawings)?.restoring, 'office of noon');
  const mount: Intention = { change: 'mount-volume', volume: drawings, directory: place(root, '5') };
  t.throws(() => intended(made, mount, newId), { kind: 'refused', message: /is being restored/ });
  const open: Intention = { change: 'open-volume', volume: drawings };
  const opened = intended(made, open, newId);
  t.equal(opened.version, made.version + 1);
  t.match(volumeEntry(opened, drawings), { restoring: undefined, restored: 'office of noon' });
  t.ok(realmDocumentSchema.safeParse(opened).success);
  t.equal(intended(opened, open, newId), opened, 'said again it comes to nothing more');
  t.equal(volumeEntry(intended(opened, mount, newId), drawings)?.mount, place(root, '5'));
  const deleted = intended(made, { change: 'delete-volume', volume: drawings }, newId);
  t.equal(volumeEntry(deleted, drawings), undefined, 'who does not go on may delete it');
  t.end();
});
