/** Rows of one replica rot, and what follows from many of them is counted while others write. */
import t from 'tap';
import {
  apply,
  check,
  failureOf,
  group,
  names,
  refusal,
  root,
  server,
  Venus,
  volume,
  type Creation,
  type Server,
} from '../../conformance/bare-realm/bare-replica.js';
import { seal, unseal } from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import { silentLog } from '../seam/log.js';
import { seededRandom } from '../seam/twin/seeded-random.js';
import { VolumeKeys, type MetaRow } from '../store/volume-store.js';
import { openReplica } from './open-replica.js';
import type { Replica } from './replica.js';

const keys = new VolumeKeys(volume);
/** More than are counted in the transaction that meets the damage. */
const many = 450;

interface Stand extends Server {
  readonly replica: Replica;
  readonly venus: Venus;
  readonly made: Creation[];
  /** Lets time pass until `work` is done. */
  readonly run: <T>(work: Promise<T>) => Promise<T>;
}

async function stand(files = many): Promise<Stand> {
  const own = server();
  const replica = await own.open();
  const venus = new Venus('a');
  const made = Array.from({ length: files }, (_, index) =>
    venus.make(replica, 'create', root, `file ${index}`),
  );
  for (let from = 0; from < files; from += 50) await apply(replica, ...made.slice(from, from + 50));
  const run: Stand['run'] = (work) => own.clock.until(work);
  return { ...own, replica, venus, made, run };
}

/** Nothing of it is in the memory of the replica that is opened after. `meanwhile`: in each pause of its. */
async function rotten(
  { store, containers, clock }: Stand,
  rows: readonly string[],
  meanwhile?: (pause: number) => Promise<void>,
): Promise<Replica> {
  await store.transact((transaction) => {
    for (const key of rows) {
      const value = transaction.get(key) ?? new Uint8Array();
      transaction.put(
        key,
        value.map((byte, index) => (index === 9 ? byte ^ 1 : byte)),
      );
    }
  });
  let pauses = 0;
  const pausing: Clock = {
    wall: () => clock.wall(),
    monotonic: () => clock.monotonic(),
    after: (delay, task) => {
      return clock.after(delay, () => void (meanwhile?.(pauses++) ?? Promise.resolve()).then(task));
    },
  };
  const world = { store, containers, clock: pausing, random: seededRandom(2), log: silentLog };
  return openReplica({ volume, id: 'a', group, ...world });
}

t.test('a name of a large directory rots: its object says so, while names come and go', async (t) => {
  const scene = await stand();
  const [first, second] = scene.made.slice(200, 202) as [Creation, Creation];
  const others = scene.made.slice(0, 100);
  let changed = 0;
  const { venus } = scene;
  const rows = [keys.entry(root, first.name), keys.entry(root, second.name)];
  const replica: Replica = await rotten(scene, rows, async (pause) => {
    const other = others[pause];
    if (other === undefined) return;
    const renamed = [root, `${pause % 2 === 0 ? 'a' : 'z'} ${pause}`] as const;
    await apply(replica, venus.rename(replica, other.fid, [root, other.name], renamed));
    await apply(replica, venus.make(replica, 'create', root, `m ${pause}`));
    changed += 1;
  });
  t.equal(await failureOf(() => names(replica)), `damaged ${root}`);
  await scene.run(replica.mending.search(root));
  t.ok(changed > 3, `${changed} changes while it was mended and counted`);
  t.equal(names(replica).length, many + changed);
  await check(replica, scene.store);
});

t.test('a crash in the middle: what is in doubt stays so until it is counted', async (t) => {
  const scene = await stand();
  const replica = await rotten(scene, [keys.children(root)]);
  const [first] = scene.made as [Creation];
  t.equal(
    await failureOf(() => replica.list(root)),
    `damaged ${root}`,
    'too many to count while it is listed',
  );
  await apply(replica, scene.venus.chmod(replica, first.fid, 0o600));
  t.ok(scene.store.get(keys.doubt(root)));
  // Nobody has counted it; the next process does.
  const next = await scene.open();
  await scene.run(next.mending.settleDoubts());
  t.notOk(scene.store.get(keys.doubt(root)));
  await check(next, scene.store);
});

t.test('an object and its name rot, and nobody brings it: its name is nobody else’s', async (t) => {
  const scene = await stand(20);
  const [first] = scene.made as [Creation, ...Creation[]];
  const replica = await rotten(scene, [keys.object(first.fid), keys.entry(root, first.name)]);
  const taken = scene.venus.make(replica, 'create', root, first.name);
  t.equal(await refusal(replica, taken), '0 damaged');
  t.equal(await scene.run(replica.mending.search(root)), true, 'searched');
  t.ok(scene.store.get(keys.entry(root, first.name)), 'the row stays');
  t.equal(await failureOf(() => names(replica)), `damaged ${root}`);

  t.comment('a name that no object can bear any more');
  const sound = await stand(20);
  const whole = await rotten(sound, [keys.entry(root, 'ghost')]);
  await sound.run(whole.mending.search(root));
  t.equal(names(whole).length, 20, 'is gone');
  await check(whole, sound.store);

  t.comment('another one, beside a tombstone that rots');
  const { venus, made, replica: before, store } = sound;
  const [removed] = made as [Creation];
  await apply(before, venus.remove(before, 'remove', root, removed.name, removed.fid));
  const beside = await rotten(sound, [keys.entry(root, 'ghost'), keys.object(removed.fid)]);
  await sound.run(beside.mending.search(root));
  t.equal(names(beside).length, 19, 'what was removed bears no name');
  t.notOk(store.get(keys.entry(root, 'ghost')));
});

t.test('what a volume uses is counted while files come, change and go', async (t) => {
  const scene = await stand(350);
  const digest = await scene.upload('0123456789');
  const { replica, venus, made } = scene;
  for (const { fid } of made.slice(0, 40)) await apply(replica, venus.store(replica, fid, digest, 10));
  const meta = unseal(scene.store.get(keys.meta) ?? new Uint8Array()) as MetaRow;
  await scene.store.transact((transaction) => {
    transaction.put(keys.meta, seal({ ...meta, used: 7, objects: 7 }));
    transaction.put(keys.doubt('space'), seal(1));
  });
  let changed = 0;
  const wrong: Replica = await rotten(scene, [], async (pause) => {
    const [early, late] = [made[pause], made[349 - pause]];
    if (early === undefined || late === undefined) return;
    await apply(wrong, venus.store(wrong, late.fid, digest, 10));
    await apply(wrong, venus.remove(wrong, 'remove', root, early.name, early.fid));
    await apply(wrong, venus.make(wrong, 'create', root, `new ${pause}`));
    changed += 1;
  });
  await scene.run(wrong.mending.settleDoubts(true));
  t.ok(changed >= 3);
  t.notOk(scene.store.get(keys.doubt('space')));
  await check(wrong, scene.store);
});

t.test('tombstones that rot are forgotten in their time, and what lives never is', async (t) => {
  const scene = await stand(4);
  const { venus, made } = scene;
  const [gone, alive] = made as [Creation, Creation];
  await apply(scene.replica, venus.remove(scene.replica, 'remove', root, gone.name, gone.fid));
  const graves = [...scene.store.range({ start: `${volume}/grave/`, end: `${volume}/grave0` })];
  t.equal(graves.length, 1);
  // As damage leaves it: the word of an earlier removal of an object that lives.
  await scene.store.transact((transaction) => transaction.put(keys.grave(1, alive.fid), Uint8Array.of(0)));
  const replica = await rotten(scene, [keys.object(gone.fid)]);
  t.equal(replica.changes(0, 10).forgotten, undefined, 'all removals are told');
  let forgotten = 0;
  for (let round = 0; round < 5; round += 1) forgotten += await replica.forgetRemoved(replica.stamp);
  t.equal(forgotten, 2, 'once each');
  t.ok(Number(replica.changes(0, 10).forgotten) > 1, 'who reads is told that some are not (CU-5)');
  t.notOk(scene.store.get(keys.object(gone.fid)));
  t.ok(replica.status(alive.fid));
  const rottenAlive = await rotten(scene, [keys.object(alive.fid)]);
  await scene.store.transact((transaction) => transaction.put(keys.grave(1, alive.fid), Uint8Array.of(0)));
  t.equal(await rottenAlive.forgetRemoved(rottenAlive.stamp), 0);
  t.ok(scene.store.get(keys.object(alive.fid)), 'a living object that cannot be read stays');
});
