/** Dumps and restores on servers in this process: whoever dies, the new volume is whole or not to be seen. */
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { BareGateway } from '../../../conformance/bare-realm/gateway.js';
import { BareRealm, digestOf, kindOf, volume } from '../../../conformance/bare-realm/realm.js';
import { dumpPath, rootFid, type Fid, type VolumeId } from '../../../vice/interface/index.js';
import { Administration } from '../administration.js';
import { stateOf } from './dump-chain.js';
import type { Restored } from './restoring.js';
import { stateOfSnapshot } from './snapshot-state.js';
import type { VolumeState } from './volume-state.js';
import {
  bytesFrom,
  command,
  Killed,
  office,
  read,
  restore,
  seen,
} from '../../../conformance/bare-realm/dumped-volume.js';

t.test(
  'a command that dies at any step leaves no half volume to be seen, and goes on when it is repeated',
  async (t) => {
    const { realm, ann, letters } = await office();
    const operator = command(realm);
    const full = await read(await bytesFrom(realm, operator, {}));
    const before = await seen(realm, 's1', volume);
    await ann.remove('remove', letters, 'offer', fidNamed(realm, letters, 'offer'));
    await ann.file(letters, 'new', 'text 3');
    const second = await read(await bytesFrom(realm, operator, { since: full }));
    t.match(second.trailer, { removed: 1, contents: 0 });
    const state = await stateOf(full, second);
    let made: Restored | undefined;
    let deaths = 0;
    const staged = async (): Promise<unknown> => (await realm.run(operator.report('s1')))?.['stagedBytes'];
    const stagedBefore = await staged();
    for (; made === undefined; deaths += 1) {
      try {
        made = await restore(realm, command(realm, deaths), state);
      } catch (error) {
        if (!(error instanceof Killed)) throw error;
        const entry = (await realm.run(operator.document())).volumes.find(({ name }) => name === 'again');
        if (entry === undefined) continue;
        if (entry.restoring === undefined) t.fail(`half a volume is open after ${deaths} steps`);
        const mount = { change: 'mount-volume', volume: entry.id, directory: letters } as const;
        t.equal(await kindOf(realm.run(operator.publish(mount))), 'refused');
        const eve = new BareGateway(realm, 'e', entry.id);
        await t.rejects(eve.make('mkdir', rootFid(entry.id), 'mine'));
      }
    }
    t.ok(deaths > 8, `${deaths} deaths`);
    const { id } = made.volume;
    t.same(await seen(realm, 's1', id), await seen(realm, 's1', volume));
    t.notSame(await seen(realm, 's1', id), before);
    await realm.isSame(t, 'the same at each server', ['s1', 's2', 's3'], id);
    await countsOnce(t, realm, made.volume);
    t.equal(await staged(), stagedBefore, 'what came before its objects is let go, also of those that died');
    const snapshots = await realm.run(operator.snapshots('s1', volume));
    t.same(snapshots.snapshots, [], 'no snapshot is left of the dumps');
    // From then on it is a volume as any other.
    const eve = new BareGateway(realm, 'e', id);
    await eve.file(rootFid(id), 'mine', 'in the new one');
    await realm.clock.advance(130_000);
    await realm.isSame(t, 'also after a change', ['s1', 's2', 's3'], id);
    // The command may have died behind its last word to the servers.
    const { version } = await realm.run(operator.document());
    t.match(await restore(realm, operator, state), { volume: { id }, changed: false });
    t.equal((await realm.run(operator.document())).version, version, 'said again it changes nothing');
    t.ok((await realm.dump('s1', id)).has('/mine'), 'what was put there since is left');
    await t.rejects(restore(realm, operator, await stateOf(full)), {
      kind: 'exists',
      message:
        /again already, restored from something else, volume 7f000001 in "dump .*" of .*Z: give another/,
    });
    await t.rejects(restore(realm, operator, state, { name: 'root' }), {
      kind: 'exists',
      message: /root already, which is no restored one/,
    });
  },
);

t.test('a server that dies in the middle, and one that is away', async (t) => {
  const { realm } = await office();
  const full = await read(await bytesFrom(realm, command(realm), {}));
  const state = await stateOf(full);
  await t.rejects(restore(realm, command(realm, 8), state), /killed/);
  realm.kill('s1');
  await realm.start('s1');
  realm.kill('s3');
  const { volume: made, silent } = await restore(realm, command(realm), state);
  t.same(silent, ['s3']);
  t.same(await seen(realm, 's1', made.id), await seen(realm, 's1', volume));
  await realm.start('s3');
  await realm.clock.advance(130_000);
  await realm.isSame(t, 'who was away has it, too', ['s1', 's3'], made.id);
});

t.test('a restore from something else does not go on with it', async (t) => {
  const { realm, ann, letters } = await office();
  const one = await stateOf(await read(await bytesFrom(realm, command(realm), {})));
  await t.rejects(restore(realm, command(realm, 6), one), /killed/);
  await ann.file(letters, 'later', 'text');
  const other = await stateOf(await read(await bytesFrom(realm, command(realm), {})));
  await t.rejects(restore(realm, command(realm), other), /is being restored from something else/);
  await restore(realm, command(realm), one);
});

t.test('a volume that nobody has touched', async (t) => {
  const realm = new BareRealm();
  await realm.start('s1', 's2', 's3');
  const state = await stateOf(await read(await bytesFrom(realm, command(realm), {})));
  const { volume: made } = await restore(realm, command(realm), state);
  await new BareGateway(realm, 'a', made.id).file(rootFid(made.id), 'mine', 'the first');
  t.same([...(await realm.dump('s2', made.id)).keys()], ['', '/mine']);
});

t.test('a snapshot is a new volume at the same servers, and no contents travel', async (t) => {
  const { realm, ann, letters } = await office();
  const operator = command(realm);
  const noon = { name: 'noon', time: 5 };
  await realm.run(operator.takeSnapshot('s2', volume, noon));
  const before = await seen(realm, 's2', volume);
  await ann.remove('remove', letters, 'letter 7', fidNamed(realm, letters, 'letter 7'));
  const [entry] = realm.realm.volumes;
  if (entry === undefined) throw new Error('no volume');
  const state = stateOfSnapshot(operator, realm.realm, { server: 's2', volume: entry, snapshot: noon });
  const unread = {
    ...state,
    contents: () => {
      throw new Error('contents are read');
    },
  };
  const { volume: made } = await restore(realm, operator, unread, { preferred: 's2' });
  t.same(await seen(realm, 's2', made.id), before);
});

t.test('a restore of a snapshot that was cut short goes on after the replicas have moved', async (t) => {
  const { realm } = await office();
  const noon = { name: 'noon', time: 5 };
  for (const server of ['s1', 's2']) await realm.run(command(realm).takeSnapshot(server, volume, noon));
  const before = await seen(realm, 's2', volume);
  const stateAt = async (server: string, steps?: number): Promise<[Administration, VolumeState]> => {
    const operator = command(realm, steps);
    const document = await realm.run(command(realm).document());
    const entry = document.volumes.find(({ id }) => id === volume);
    if (entry === undefined) throw new Error('no volume');
    return [operator, stateOfSnapshot(operator, document, { server, volume: entry, snapshot: noon })];
  };
  const servers = ['s1', 's2', 's3'];
  await t.rejects(
    restore(realm, ...(await stateAt('s1', 9)), { usually: servers, preferred: 's1' }),
    /killed/,
  );
  const change = { change: 'remove-replica', volume, server: 's1', lost: false } as const;
  await realm.run(command(realm).publish(change));
  await realm.clock.advance(30_000);
  t.notOk(realm.server('s1').replica(volume), 'gone');
  const wish = { usually: ['s2', 's3'], preferred: 's2' };
  const { volume: made, changed } = await restore(realm, ...(await stateAt('s2')), wish);
  t.ok(changed);
  t.same(await seen(realm, 's2', made.id), before);
  const again = await restore(realm, ...(await stateAt('s3')), wish);
  t.match(again, { changed: false, volume: { id: made.id } }, 's3 has it from the others');
});

t.test('an operator reads nothing but snapshots and writes nothing but what is restored', async (t) => {
  const { realm, letters } = await office();
  const operator = await realm.dial('s1', 'op', 'operator');
  const gateway = await realm.dial('s1', 'gateway/eve');
  const noon = { name: 'noon', time: 5 };
  await operator.call('takeSnapshot', { volume, snapshot: noon });
  const offer = fidNamed(realm, letters, 'offer');
  const digest = digestOf('an offer');
  t.equal(await operator.download(dumpPath(volume, noon, offer, digest)), 'an offer');
  t.equal(await operator.download(dumpPath(volume, noon, offer, digest), 3), 'offer');
  const refusedAt = (path: string): Promise<string> => kindOf(operator.download(path));
  t.equal(await refusedAt(`container/${digest}`), 'access-denied');
  t.equal(await refusedAt(dumpPath(volume, noon, offer, digestOf('text 1'))), 'not-found');
  t.equal(await refusedAt(dumpPath(volume, { ...noon, time: 6 }, offer, digest)), 'not-found');
  t.equal(await kindOf(gateway.download(dumpPath(volume, noon, offer, digest))), 'not-found');
  const nothing = { volume, objects: [], inline: {}, transfers: {} };
  t.equal(await operator.refusal('restoreObjects', nothing), 'refused', 'it is not being restored');
  t.equal(await operator.refusal('lackingContents', { volume, contents: [] }), 'refused');
  t.equal(await gateway.refusal('restoreObjects', nothing), 'access-denied');
  t.equal(await gateway.refusal('snapshotObjects', { volume, snapshot: noon, after: null }), 'access-denied');
  const { objects } = await operator.call('snapshotObjects', { volume, snapshot: noon, after: null });
  t.same(
    objects.map(({ fid }) => fid),
    objects.map(({ fid }) => fid).toSorted(),
  );

  const id = '7f0000aa' as VolumeId;
  const create = {
    change: 'create-volume' as const,
    id,
    name: 'new',
    servers: ['s1'],
    restoring: 'x',
  };
  await realm.run(command(realm).publish(create));
  const into = { volume: id, inline: {}, transfers: {} };
  const [object] = objects;
  if (object === undefined) throw new Error('no object');
  t.equal(await operator.refusal('restoreObjects', { ...into, objects: [object] }), 'cross-volume');
  const top = { ...object, fid: rootFid(id) };
  const restoring = (more: object): Promise<string> => {
    return operator.refusal('restoreObjects', { ...into, objects: [top], ...more });
  };
  const other = digestOf('another');
  t.equal(await restoring({ inline: { [digest]: Buffer.from('another') } }), 'invalid', 'not these contents');
  t.equal(await restoring({ inline: { [other]: Buffer.from('another') } }), 'invalid', 'nothing names them');
  t.equal(await operator.upload('staging/other', 0, 'another'), 'answered');
  t.equal(await restoring({ transfers: { [other]: 'other' } }), 'invalid', 'nothing names them either');
  t.same(realm.status('s1', rootFid(id))?.known, {}, 'nothing was put there');
  t.equal(await restoring({}), 'answered');
  t.same(realm.status('s1', rootFid(id))?.known, object.known);
});

/** Each replica has, or gets by resolution, one and the same state: no replica seems to be ahead of another. */
async function countsOnce(t: Tap, realm: BareRealm, { id, replicas }: Restored['volume']): Promise<void> {
  const once = Object.fromEntries(replicas.map((replica) => [replica.id, 1]));
  for (const { server } of replicas) {
    const odd = [...(await realm.dump(server, id))].filter(([, { vv }]) => !isDeepStrictEqual(vv, once));
    t.same(odd.slice(0, 3), [], `${server} counts each object once for each replica`);
  }
}

type Tap = Pick<typeof t, 'same'>;

function fidNamed(realm: BareRealm, directory: Fid, name: string): Fid {
  const replica = realm.server('s1').replica(volume);
  for (const entry of replica?.list(directory)?.entries ?? [])
    if (entry.name === name) return entry.status.fid;
  throw new Error(`there is no ${name}`);
}
