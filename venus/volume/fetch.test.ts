/** Whose word makes a cached object valid, and what becomes of that when servers go, come back, and tell of changes. */
import t from 'tap';
import {
  otherVenus,
  planted,
  root,
  venus,
  volume as id,
} from '../../conformance/modify-log/logging-venus.js';
import {
  Failure,
  makeFid,
  makeStoreId,
  noNames,
  type Argument,
  type Fid,
  type Result,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ObjectCache } from '../cache/object-cache.js';
import { ModifyLog } from '../log/modify-log.js';
import type { ServerLink } from '../remote/server-link.js';
import { Identity } from '../store/identity.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { Fetcher } from './fetch.js';
import { Volume, type Member } from './volume.js';

const file = makeFid(id, 2, otherVenus);
const tree = planted([
  { fid: root, parent: null, name: '', kind: 'directory' },
  { fid: file, parent: root, name: 'a', kind: 'file' },
]);
const older = tree.status(file) as VnodeStatus;
const top = tree.status(root) as VnodeStatus;
const newer: VnodeStatus = {
  ...older,
  storeId: makeStoreId(otherVenus, 8),
  known: { [otherVenus]: 8 },
  vv: { s1: 1, s2: 1 },
};

/** Answers as a test wants. */
class Server {
  readonly name: string;
  holds: VnodeStatus | null = older;
  /** Of the root: what it answers when it can be listed. */
  lists: Result<'list'> | undefined;
  /** What it names when it is back; null: it cannot tell. */
  changed: Fid[] | null = [];
  isFailing = false;
  /** Before it answers `status`. */
  underWay: () => unknown = () => undefined;
  statusCalls = 0;

  constructor(name: string) {
    this.name = name;
  }

  get link(): ServerLink {
    const quality = { weak: false };
    const call = this.#call.bind(this);
    return { name: this.name, quality, sendingQuality: quality, call } as unknown as ServerLink;
  }

  async #call(name: string, argument: unknown): Promise<unknown> {
    switch (name) {
      case 'watch': {
        const { replica = '', since } = argument as Argument<'watch'>;
        const { changed } = this;
        return { replica, incarnation: 'i', stamp: since ?? 5, changed, seen: [] } satisfies Result<'watch'>;
      }
      case 'status': {
        this.statusCalls += 1;
        const told = this.holds;
        await this.underWay();
        if (this.isFailing) throw new Failure('damaged', 'vice.status', 'it cannot be read');
        return { statuses: (argument as Argument<'status'>).fids.map((fid) => (fid === file ? told : null)) };
      }
      case 'list':
        if (this.lists !== undefined) return this.lists;
        throw new Failure('damaged', 'vice.list', 'it cannot be read');
      default:
        return {};
    }
  }
}

/** Others have been asked, and have answered. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let lives = 0;

class Gateway {
  readonly s1 = new Server('s1');
  readonly s2 = new Server('s2');
  store = new MemoryStore({});
  cache!: ObjectCache;
  volume!: Volume;
  fetcher!: Fetcher;
  #buffer!: WriteBuffer;

  static async open(): Promise<Gateway> {
    const gateway = new Gateway();
    await gateway.#start();
    return gateway;
  }

  /** Its servers are dialled anew by the test. */
  async restart(): Promise<void> {
    await this.#buffer.flush();
    this.store = this.store.reopen();
    await this.#start();
  }

  async #start(): Promise<void> {
    const buffer = new WriteBuffer(this.store);
    const identity = await Identity.open(buffer, seededRandom((lives += 1)), 'here');
    const cache = new ObjectCache(buffer);
    const pause = async (): Promise<void> => undefined;
    const links = new Map([this.s1, this.s2].map((server) => [server.name, server.link]));
    const entry = {
      id,
      name: 'root',
      replicas: [...links.keys()].map((name) => ({ id: name, server: name })),
    };
    const world = { cache, buffer, log: silentLog, identity, onChange: () => undefined };
    this.#buffer = buffer;
    this.cache = cache;
    this.volume = new Volume(entry, (name) => links.get(name), world);
    this.fetcher = new Fetcher({
      cache,
      modifyLog: await ModifyLog.open(buffer, pause),
      gate: { fetching: () => () => undefined },
      clock: new SimulatedClock(),
      log: silentLog,
      volume: () => this.volume,
      pause,
    });
  }

  member(server: Server): Member {
    const found = this.volume.members.find(({ replica }) => replica === server.name);
    if (found === undefined) throw new Error(`${server.name} has no replica`);
    return found;
  }

  async join(...servers: readonly Server[]): Promise<void> {
    for (const server of servers) await this.volume.join(this.member(server));
  }

  leave(server: Server): void {
    this.volume.leave(this.member(server));
  }

  break(server: Server, stamp: number): void {
    this.volume.broken(this.member(server), { push: 'break', volume: id, fids: [file], stamp });
  }

  /** The version that is shown. */
  async shown(): Promise<string> {
    const { status } = await this.fetcher.fresh(file);
    return status.storeId === newer.storeId ? 'newer' : 'older';
  }
}

for (const isCached of [true, false]) {
  for (const restarts of [false, true]) {
    const when = isCached ? 'here' : 'not here';
    const life = restarts ? ', over a restart' : '';
    t.test(
      `${when} when a break came, then told by a server that lags: asked for again${life}`,
      async (t) => {
        const gateway = await Gateway.open();
        const { s1, s2 } = gateway;
        await gateway.join(s1, s2);
        if (isCached) t.equal(await gateway.shown(), 'older');
        s1.holds = newer;
        gateway.break(s1, 6);
        gateway.leave(s1);
        t.equal(await gateway.shown(), 'older', 'it is all that can be had');
        t.ok(gateway.fetcher.isFresh(file));
        if (restarts) {
          await gateway.restart();
          await gateway.join(s2);
          t.ok(gateway.fetcher.isFresh(file));
        }
        await gateway.join(s1);
        t.notOk(gateway.fetcher.isFresh(file), 's1 has named nothing: it was heard of the break');
        t.equal(await gateway.shown(), 'newer');
        t.ok(gateway.fetcher.isFresh(file));
      },
    );
  }
}

t.test('what was here before a server went is not asked for when it is back', async (t) => {
  const gateway = await Gateway.open();
  const { s1, s2 } = gateway;
  await gateway.join(s1, s2);
  await gateway.shown();
  gateway.leave(s1);
  await gateway.shown();
  await gateway.join(s1);
  await gateway.shown();
  t.same([s1.statusCalls, s2.statusCalls], [1, 1]);
});

t.test('a server that is there and fails is asked again by whoever comes next', async (t) => {
  const gateway = await Gateway.open();
  const { s1, s2 } = gateway;
  await gateway.join(s1, s2);
  s1.holds = newer;
  s1.isFailing = true;
  t.equal(await gateway.shown(), 'older');
  s1.isFailing = false;
  t.equal(await gateway.shown(), 'newer');
  t.ok(gateway.fetcher.isFresh(file));
});

t.test('a server that joins while others are asked is asked, too', async (t) => {
  const gateway = await Gateway.open();
  const { s1, s2 } = gateway;
  await gateway.join(s1, s2);
  gateway.leave(s1);
  s1.holds = newer;
  s2.underWay = () => gateway.join(s1);
  t.equal(await gateway.shown(), 'older');
  s2.underWay = () => undefined;
  t.equal(await gateway.shown(), 'newer');
});

t.test('what was said before an epoch ended is of that epoch (PR-1)', async (t) => {
  const gateway = await Gateway.open();
  const { s1, s2 } = gateway;
  await gateway.join(s1, s2);
  s1.underWay = async () => {
    await turn();
    gateway.leave(s2);
    s2.changed = null;
    s2.holds = newer;
    await gateway.join(s2);
  };
  t.equal(await gateway.shown(), 'older');
  t.notOk(gateway.fetcher.isFresh(file), 's2 could not tell what has changed since it said so');
});

t.test('a break that comes while servers tell less than is known here is a break (PR-3)', async (t) => {
  const gateway = await Gateway.open();
  const { s1, s2, cache } = gateway;
  await gateway.join(s1, s2);
  await gateway.shown();
  const ours = { ...older, known: { ...older.known, [venus]: 5 } };
  cache.putStatus(ours, { epoch: gateway.volume.epoch, unheard: [] }, false);
  cache.suspect(file);
  s2.underWay = () => gateway.break(s1, 6);
  await gateway.shown();
  t.notOk(gateway.fetcher.isFresh(file));
  s2.underWay = () => undefined;
  await gateway.shown();
  t.ok(gateway.fetcher.isFresh(file));
});

t.test(
  'what no server has, and its directory, asked since, no more either, is not shown once more',
  async (t) => {
    const gateway = await Gateway.open();
    const { s1, s2, cache } = gateway;
    await gateway.join(s1, s2);
    const pace = { pause: () => Promise.resolve(), isDue: () => true };
    const onDone = (): void => void cache.putStatus(top, { epoch: gateway.volume.epoch, unheard: [] }, true);
    await cache.setNames(root, new Map([['a', { name: 'a', fid: file, kind: 'file' }]]), { ...pace, onDone });
    t.equal(await gateway.shown(), 'older');
    gateway.break(s1, 6);
    const known = { ...top.known, [otherVenus]: 9 };
    for (const server of [s1, s2]) {
      server.holds = null;
      server.lists = { status: { ...top, known, names: noNames }, digest: '', entries: [] };
    }
    t.ok(
      gateway.fetcher.isFresh(root),
      'nothing was heard of the removal before servers are asked for the file',
    );
    await t.rejects(gateway.shown(), { message: 'the object is gone' });
    t.same([...(cache.names(root)?.keys() ?? [])], []);
  },
);
