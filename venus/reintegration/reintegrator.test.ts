/** Changes on their way to one server that answers as a test wants: what it is told, what becomes of them. */
import t from 'tap';
import { planted } from '../../conformance/modify-log/logging-venus.js';
import {
  Failure,
  rootFid,
  type Argument,
  type Fid,
  type Mutation,
  type Result,
  type VolumeId,
} from '../../vice/interface/index.js';
import { sleep } from '../../vice/seam/clock.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ContainerCache } from '../cache/container-cache.js';
import { ObjectCache } from '../cache/object-cache.js';
import { ModifyLog } from '../log/modify-log.js';
import type { ServerLink } from '../remote/server-link.js';
import { Identity } from '../store/identity.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { Volume, type Member } from '../volume/volume.js';
import { LogBounds } from './log-bounds.js';
import { Reintegrator } from './reintegrator.js';
import { TrickleGate } from './trickle-gate.js';
import type { Committed } from './waiters.js';

const id = '7f000001' as VolumeId;
const root = rootFid(id);

type Answer = Result<'mutate'>;
const applied: Answer = { outcome: 'applied', replica: 'r1', stamp: 1, versions: [], ahead: [] };
function refused(kind: Failure['kind'], index = 0): Answer {
  return { outcome: 'refused', index, failure: { kind, message: `it says ${kind}`, fid: null } };
}

class Gateway {
  readonly clock = new SimulatedClock();
  readonly store: MemoryStore;
  /** The records of each `mutate`. */
  readonly sent: Mutation[][] = [];
  /** What the server says, in turn, and then that all is applied. */
  readonly answers: Answer[] = [];
  /** Milliseconds that it takes. */
  answerMs = 0;
  /** While it does not answer. */
  underWay: (record: Mutation) => void = () => undefined;
  volume!: Volume;
  cache!: ObjectCache;
  modifyLog!: ModifyLog;
  reintegrator!: Reintegrator;
  #identity!: Identity;

  private constructor(store: MemoryStore) {
    this.store = store;
  }

  static async open(store = new MemoryStore({})): Promise<Gateway> {
    const gateway = new Gateway(store);
    const { clock } = gateway;
    const buffer = new WriteBuffer(gateway.store);
    const identity = await Identity.open(buffer, seededRandom(1), 'here');
    const cache = new ObjectCache(buffer);
    const modifyLog = await ModifyLog.open(buffer, () => sleep(clock, 0));
    const log = silentLog;
    const containers = await ContainerCache.open({
      containers: new MemoryContainers(),
      limitBytes: 1e9,
      isNeeded: () => true,
      log,
    });
    gateway.cache = cache;
    gateway.modifyLog = modifyLog;
    gateway.#identity = identity;
    gateway.reintegrator = new Reintegrator({
      modifyLog,
      cache,
      containers,
      identity,
      bounds: new LogBounds({ records: 100, bytes: 1e6 }, modifyLog),
      gate: new TrickleGate(clock),
      clock,
      random: seededRandom(2),
      log,
      authors: { isKept: false, isLoggedIn: () => true, doubt() {}, present() {} },
    });
    const link = {
      name: 's1',
      weak: false,
      quality: { weak: false },
      sendingQuality: { weak: false },
      call: gateway.#call.bind(gateway),
    } as unknown as ServerLink;
    const entry = { id, name: 'root', replicas: [{ id: 'r1', server: 's1' }] };
    const onChange = (volume: Volume): void => gateway.reintegrator.changed(volume);
    gateway.volume = new Volume(entry, () => link, { cache, buffer, log, identity, onChange });
    for (const status of planted([
      { fid: root, parent: null, name: '', kind: 'directory' },
    ]).statuses.values())
      cache.putStatus(status, { epoch: gateway.volume.epoch, unheard: [] }, true);
    return gateway;
  }

  get member(): Member {
    const [member] = this.volume.members;
    if (member === undefined) throw new Error('the volume has one replica');
    return member;
  }

  /** The author makes a directory; what he is told. */
  makeDirectory(name: string): Promise<Committed> {
    const fid = this.#identity.newFid(id);
    const common = { time: this.clock.wall(), author: 'ann', host: 'gateway', base: { [root as Fid]: {} } };
    return this.reintegrator.submit(this.volume, {
      records: (newStoreId) => [
        { op: 'mkdir', storeId: newStoreId('ann'), ...common, parent: root, name, fid, mode: 0o755 },
      ],
    });
  }

  /** Names of what was sent, call by call; those of settled records with an exclamation mark. */
  wire(): string[][] {
    return this.sent.map((records) =>
      records.map((record) => `${'name' in record ? record.name : ''}${record.settled === true ? '!' : ''}`),
    );
  }

  async #call(call: string, argument: unknown): Promise<unknown> {
    if (call === 'watch') return { stamp: 0, incarnation: 'one', changed: [], seen: [] };
    if (call !== 'mutate') return {};
    this.sent.push((argument as Argument<'mutate'>).records);
    const answer = this.answers.shift() ?? applied;
    for (const record of this.sent.at(-1) ?? []) this.underWay(record);
    await sleep(this.clock, this.answerMs);
    return answer;
  }
}

t.test('a change whose author waits is not settled: he is told when it is refused', async (t) => {
  const gateway = await Gateway.open();
  await gateway.volume.join(gateway.member);
  gateway.answers.push(refused('exists'));
  const told = gateway.makeDirectory('docs').catch((error: unknown) => error);
  t.match(await gateway.clock.until(told), { kind: 'exists' });
  t.same((await gateway.clock.until(gateway.makeDirectory('docs'))).servers, ['s1']);
  t.same(gateway.wire(), [['docs'], ['docs']]);
  t.equal(gateway.modifyLog.size, 0);
});

t.test('what the log has answered for is settled', async (t) => {
  const gateway = await Gateway.open();
  t.same((await gateway.clock.until(gateway.makeDirectory('a'))).servers, [], 'no server is there');
  t.same((await gateway.clock.until(gateway.makeDirectory('b'))).servers, []);
  t.notOk([...gateway.modifyLog.all()].some(({ records }) => records.some(({ settled }) => settled)));
  await gateway.volume.join(gateway.member);
  await gateway.clock.advance(100);
  t.same(gateway.wire(), [['a!', 'b!']]);
  t.equal(gateway.modifyLog.size, 0);
});

t.test('a change that is refused after its author was answered goes out again, settled', async (t) => {
  const gateway = await Gateway.open();
  await gateway.volume.join(gateway.member);
  gateway.answerMs = 3000;
  gateway.answers.push(refused('conflict'));
  t.same((await gateway.clock.until(gateway.makeDirectory('docs'))).servers, [], 'after two seconds');
  await gateway.clock.advance(1500);
  t.same(gateway.wire(), [['docs'], ['docs!']], 'at once');
  t.same(gateway.modifyLog.kept(), []);
  await gateway.clock.advance(3000);
  t.equal(gateway.modifyLog.size, 0);
  t.equal(gateway.sent.length, 2);
});

t.test('so do those that were under way with it', async (t) => {
  const gateway = await Gateway.open();
  await gateway.volume.join(gateway.member);
  gateway.answerMs = 1500;
  gateway.answers.push(applied, refused('exists', 1));
  const first = gateway.makeDirectory('a');
  await gateway.clock.advance(10);
  const others = Promise.all([gateway.makeDirectory('b'), gateway.makeDirectory('c')]);
  await gateway.clock.until(Promise.all([first, others]));
  await gateway.clock.advance(5000);
  t.same(gateway.wire(), [['a'], ['b', 'c'], ['b!', 'c!']]);
  t.same(gateway.modifyLog.kept(), []);
  t.equal(gateway.modifyLog.size, 0);
});

t.test('a settled change that is refused is kept', async (t) => {
  const gateway = await Gateway.open();
  await gateway.clock.until(gateway.makeDirectory('docs'));
  gateway.answers.push(refused('access-denied'));
  await gateway.volume.join(gateway.member);
  await gateway.clock.advance(100);
  t.same(gateway.wire(), [['docs!']]);
  t.match(gateway.modifyLog.kept(), [{ reason: 'access-denied: it says access-denied' }]);
  t.equal(gateway.modifyLog.size, 0);
});

t.test('what the disk does not take as offered is not sent, and goes out later', async (t) => {
  const gateway = await Gateway.open();
  await gateway.clock.until(gateway.makeDirectory('docs'));
  gateway.store.failNext('no-space', 1);
  await gateway.volume.join(gateway.member);
  await gateway.clock.advance(100);
  t.same(gateway.wire(), [], 'a crash would forget that it was sent (ML-4)');
  t.match([...gateway.modifyLog.all()], [{ offered: false }]);
  await gateway.clock.advance(3000);
  t.same(gateway.wire(), [['docs!']]);
  t.equal(gateway.modifyLog.size, 0);
});

t.test(
  'what others have changed before the author is answered is in doubt, whoever answers him (PR-3)',
  async (t) => {
    const gateway = await Gateway.open();
    await gateway.volume.join(gateway.member);
    const made: Fid[] = [];
    gateway.underWay = ({ op, fid }) => {
      if (op === 'mkdir') made.push(fid);
      gateway.volume.broken(gateway.member, {
        push: 'break',
        volume: id,
        fids: [fid],
        stamp: made.length + 1,
      });
    };
    await gateway.clock.until(gateway.makeDirectory('a'));
    gateway.answerMs = 3000;
    t.same((await gateway.clock.until(gateway.makeDirectory('b'))).servers, [], 'the log answers');
    gateway.answerMs = 0;
    gateway.underWay = ({ fid }) => made.push(fid);
    await gateway.clock.advance(3000);
    await gateway.clock.until(gateway.makeDirectory('c'));
    t.same(
      made.map((fid) => gateway.cache.get(fid)?.suspect),
      [true, true, false],
      'no break has named the last one',
    );
  },
);

t.test('so is what was under way when the gateway died', async (t) => {
  const gateway = await Gateway.open();
  await gateway.volume.join(gateway.member);
  gateway.answerMs = 60_000;
  const made: Fid[] = [];
  gateway.underWay = ({ fid }) => {
    made.push(fid);
    gateway.volume.broken(gateway.member, { push: 'break', volume: id, fids: [fid], stamp: 2 });
  };
  void gateway.makeDirectory('a');
  await gateway.clock.advance(100);
  const again = await Gateway.open(gateway.store.reopen());
  again.reintegrator.restore(again.volume);
  await again.volume.join(again.member);
  await again.clock.advance(100);
  t.same(again.wire(), [['a!']]);
  t.equal(again.modifyLog.size, 0);
  t.same(
    made.map((fid) => again.cache.get(fid)?.suspect),
    [true],
    'it was heard of the break, and had nothing to mark',
  );
});
