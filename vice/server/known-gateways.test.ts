/**
 * A gateway of the realm that has turned bad: whose updates it may speak of. It would have another one's saved file
 * pass for done that never came, or that is at one server alone.
 */
import t from 'tap';
import { BareGateway, mutation } from '../../conformance/bare-realm/gateway.js';
import { BareRealm, kindOf, names, root, volume } from '../../conformance/bare-realm/realm.js';
import { makeFid, makeStoreId, type Mutation } from '../interface/index.js';

interface Office {
  readonly realm: BareRealm;
  /** Honest; the first to come under its VenusId. */
  readonly ann: BareGateway;
  readonly mallory: BareGateway;
}

async function opened(): Promise<Office> {
  const realm = new BareRealm();
  await realm.start(...names);
  const ann = new BareGateway(realm, 'a');
  await ann.make('mkdir', root, 'of ann');
  return { realm, ann, mallory: new BareGateway(realm, 'b', volume, 'mallory') };
}

/** What the first server says to a change of the bad gateway, with `part` of it forged. */
async function refusal({ mallory }: Office, part: Partial<Mutation>): Promise<string> {
  const fid = makeFid(volume, 77, mallory.venus);
  const record = mallory.record({ op: 'create', parent: root, name: 'forged', fid, mode: 0o644 }, 's1');
  const client = await mallory.client('s1');
  return client.refusal('mutate', mutation({ ...record, ...part } as Mutation, {}));
}

t.test("another one's StoreId is not used up before it comes to use it", async (t) => {
  const office = await opened();
  const next = makeStoreId(office.ann.venus, 2);
  t.equal(await refusal(office, { storeId: next }), 'access-denied');
  const fid = await office.ann.make('create', root, 'report');
  t.equal(office.realm.status('s1', fid)?.kind, 'file', 'the change that has this StoreId is applied');
});

t.test('nor is its next Fid taken', async (t) => {
  const office = await opened();
  const made = await office.ann.make('create', root, 'draft');
  const fid = makeFid(volume, Number.parseInt(made.split('.')[1] ?? '', 16) + 1, office.ann.venus);
  t.equal(await refusal(office, { fid }), 'access-denied');
  t.equal(await office.ann.make('create', root, 'report'), fid);
});

t.test('who has an update is told by its gateway alone', async (t) => {
  const { realm, ann, mallory } = await opened();
  ann.reach = ['s1'];
  ann.sendsCop2 = false;
  const fid = await ann.make('create', root, 'report');
  const before = realm.status('s1', fid)?.vv;
  const cop2 = [{ storeId: makeStoreId(ann.venus, 2), replicas: ['r-s1', 'r-s2', 'r-s3'] }];
  const client = await mallory.client('s1');
  t.equal(await client.refusal('cop2', { volume, cop2 }), 'access-denied');
  t.equal(await client.refusal('status', { volume, fids: [root], cop2 }), 'access-denied');
  t.equal(await client.refusal('list', { volume, fid: root, full: false, cop2 }), 'access-denied');
  t.same(realm.status('s1', fid)?.vv, before, 'nobody counts it as being everywhere');
});

t.test('a VenusId stays with the gateway that came under it first, over a restart, too', async (t) => {
  const { realm, ann } = await opened();
  const attempt = async (name: string): Promise<string> => {
    const record = ann.record({ op: 'chmod', fid: root, mode: 0o700 }, 's1');
    const client = await realm.dial('s1', `${name}/${ann.venus}`);
    return kindOf(client.call('mutate', mutation(record, {})));
  };
  t.equal(await attempt('mallory'), 'access-denied');
  realm.kill('s1');
  await realm.start('s1');
  t.equal(await attempt('mallory'), 'access-denied');
  t.equal(await attempt('gateway'), 'answered');
});

t.test(
  'a gateway whose folder was moved sends what it made under its former VenusId, and nobody else does',
  async (t) => {
    const { realm, ann, mallory } = await opened();
    const moved = new BareGateway(realm, 'c');
    await moved.make('create', root, 'here');
    const attempt = async (gateway: BareGateway): Promise<string> => {
      const record = ann.record({ op: 'chmod', fid: root, mode: 0o700 }, 's1');
      return kindOf((await gateway.client('s1')).call('mutate', mutation(record, {})));
    };
    t.equal(await attempt(moved), 'answered');
    const cop2 = [{ storeId: makeStoreId(ann.venus, 2), replicas: ['r-s1', 'r-s2', 'r-s3'] }];
    await (await moved.client('s1')).call('cop2', { volume, cop2 });
    t.equal(await attempt(mallory), 'access-denied');
  },
);

t.test('a gateway that does not say its VenusId changes nothing', async (t) => {
  const { realm, ann } = await opened();
  const client = await realm.dial('s1', 'gateway');
  const record = ann.record({ op: 'chmod', fid: root, mode: 0o700 }, 's1');
  t.equal(await client.refusal('mutate', mutation(record, {})), 'access-denied');
});
