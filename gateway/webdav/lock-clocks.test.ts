/** How long locks live when the wall clock of their gateway is set, while it runs and over a restart. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import t from 'tap';
import { seal } from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { LeaseTable } from '../../venus/store/lease-table.js';
import { WriteBuffer } from '../../venus/store/write-buffer.js';
import { Failure, isFailure, type Leases } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { Body } from '../realm/control-stream.js';
import { mustBeUnlocked } from '../realm/tree-lock.js';
import { putFile } from '../realm/tree-put.js';
import { lockDiscovery } from './lock-discovery.js';
import { lock } from './lock.js';
import { put } from './put.js';
import { ann, Rehearsal, rehearsalStart } from './rehearsal.js';

const second = 1000;
const year = 365 * 24 * 3600 * second;

class VenusWithDisk extends MemoryVenus {
  override leases: Leases;

  constructor(leases: Leases) {
    super();
    this.leases = leases;
  }
}

/**
 * A gateway with the folder `d`, the file `d/a` in it, and two files beside. Each of its processes has a monotonic
 * clock of its own.
 */
class Gateway {
  readonly #store = new MemoryStore();
  readonly #venus: VenusWithDisk;
  readonly rehearsal: Rehearsal;
  clock = new SimulatedClock(rehearsalStart);

  private constructor() {
    this.#venus = new VenusWithDisk(this.#leases());
    this.rehearsal = new Rehearsal(this.#venus, '/s', this.clock);
  }

  static async open(): Promise<Gateway> {
    const gateway = new Gateway();
    await gateway.rehearsal.tree('d/', 'd/a', 'e', 'f');
    return gateway;
  }

  /** It is killed, and another process begins when the wall clock says `wall`. */
  restart(wall: number): void {
    this.clock = new SimulatedClock(wall);
    this.#venus.leases = this.#leases();
    this.rehearsal.restart(this.clock);
  }

  setClock(by: number): void {
    this.clock.setWall(this.clock.wall() + by);
  }

  /** Ann locks `path`; her token, without its brackets. */
  async lock(path: string, seconds: number): Promise<string> {
    const { token } = await this.rehearsal.lock(path, { headers: { timeout: `Second-${seconds}` } });
    return token.slice(1, -1);
  }

  async refresh(token: string, seconds: number): Promise<number> {
    const headers = { if: `(<${token}>)`, timeout: `Second-${seconds}` };
    return (await this.rehearsal.send(lock, 'LOCK', 'd/a', { headers })).status;
  }

  /** What bob is answered who saves the file. */
  async put(): Promise<number> {
    return (await this.rehearsal.send(put, 'PUT', 'd/a', { user: 'bob', body: 'bob' })).status;
  }

  /** Tries to finish moves that were broken off, in vain: no server answers. */
  async finishMove(): Promise<void> {
    this.#venus.failNext('list', new Failure('unreachable', 'list', 'no server answers'));
    await this.rehearsal.moves.finish();
  }

  /** How many it keeps, lapsed ones included. */
  get leases(): number {
    return this.#venus.leases.all().length;
  }

  /** What clients are told that is left of the lock on the file, in seconds; undefined: there is none. */
  async left(): Promise<number | undefined> {
    const exchange = this.rehearsal.exchange('PROPFIND', 'd/a');
    const told = lockDiscovery(exchange, await this.rehearsal.place('d/a'), exchange.path);
    const seconds = /Second-(\d+)</.exec(told)?.[1];
    return seconds === undefined ? undefined : Number(seconds);
  }

  /** Whether `coda import` would take the folder, and the file, for locked. */
  async import(): Promise<readonly boolean[]> {
    const folder = await this.rehearsal.status('d');
    const file = await this.rehearsal.status('d/a');
    const isBusy = (error: unknown): boolean => {
      if (!isFailure(error, 'busy')) throw error;
      return true;
    };
    const entering = mustBeUnlocked(this.#venus, ann, { path: ['d'], fid: folder.fid }, this.clock);
    const order = { user: 'ann', parent: folder.fid, name: 'a', length: '0', modified: '0' };
    const query = new URLSearchParams({ ...order, replaces: file.version ?? '', file: file.fid });
    const nothing = new IncomingMessage(new Socket());
    nothing.push(null);
    const answer = await putFile(this.#venus, query, new Body(nothing, this.clock), this.clock);
    return [await entering.then(() => false, isBusy), JSON.stringify(answer).includes('has locked it')];
  }

  /** What an earlier release had written of the same leases. */
  async writeAsBefore(): Promise<void> {
    const rows = this.#venus.leases.all().map(({ token, fid, holder, note, ends }) => {
      const expires = this.clock.wall() + ends - this.clock.monotonic();
      return [`x/${token}`, seal({ token, fid, holder, expires, note })] as const;
    });
    await this.#store.transact((transaction) => {
      for (const [key, row] of rows) transaction.put(key, row);
    });
  }

  #leases(): LeaseTable {
    return new LeaseTable(new WriteBuffer(this.#store), this.clock);
  }
}

const steps = [
  ['a year ahead', year],
  ['a year back', -year],
] as const;

for (const [where, step] of steps) {
  t.test(`a wall clock that is set ${where} neither drops nor prolongs a lock`, async (t) => {
    const gateway = await Gateway.open();
    await gateway.lock('d/a', 300);
    gateway.setClock(step);
    t.equal(await gateway.put(), 423, 'it is held');
    t.equal(await gateway.left(), 300, 'and clients are told so');
    t.same(await gateway.import(), [false, true], 'an import sees it, too');
    await gateway.clock.advance(299 * second);
    t.equal(await gateway.put(), 423);
    t.equal(await gateway.left(), 1);
    await gateway.clock.advance(second);
    t.equal(await gateway.left(), undefined, 'it ends when it was to end');
    t.same(await gateway.import(), [false, false]);
    t.equal(await gateway.put(), 204);

    await gateway.lock('d', 300);
    gateway.setClock(step);
    t.equal(await gateway.put(), 423, 'a lock of the folder is one of the file');
    t.same(await gateway.import(), [true, false]);
    await gateway.clock.advance(300 * second);
    t.same(await gateway.import(), [false, false]);
    t.equal(await gateway.put(), 204);
  });

  t.test(
    `a refresh counts from when it comes, with the wall clock set ${where} before and after`,
    async (t) => {
      const gateway = await Gateway.open();
      const token = await gateway.lock('d/a', 300);
      gateway.setClock(step);
      await gateway.clock.advance(200 * second);
      t.equal(await gateway.refresh(token, 600), 200);
      t.equal(await gateway.left(), 600);
      gateway.setClock(step);
      await gateway.clock.advance(599 * second);
      t.equal(await gateway.put(), 423);
      await gateway.clock.advance(second);
      t.equal(await gateway.refresh(token, 600), 412, 'what has lapsed cannot be refreshed');
      t.equal(await gateway.put(), 204);
    },
  );

  t.test(`what has lapsed is swept away, with the wall clock set ${where}`, async (t) => {
    const gateway = await Gateway.open();
    await gateway.lock('d/a', 300);
    gateway.setClock(step);
    await gateway.clock.advance(299 * second);
    await gateway.lock('e', 300);
    t.equal(gateway.leases, 2);
    await gateway.clock.advance(60 * second);
    await gateway.lock('f', 300);
    t.equal(gateway.leases, 2);
  });
}

t.test('a restart', async (t) => {
  const gateway = await Gateway.open();
  await gateway.lock('d/a', 600);
  await gateway.clock.advance(100 * second);
  gateway.restart(gateway.clock.wall() + 200 * second);
  t.equal(await gateway.put(), 423);
  t.equal(await gateway.left(), 300, 'the time that the gateway was down counts');
  t.same(await gateway.import(), [false, true]);
  gateway.setClock(year);
  await gateway.clock.advance(299 * second);
  t.equal(await gateway.put(), 423, 'a clock that is set after that does not');
  await gateway.clock.advance(second);
  t.equal(await gateway.put(), 204);

  await gateway.lock('d/a', 600);
  gateway.restart(gateway.clock.wall() + 601 * second);
  t.equal(await gateway.left(), undefined, 'it lapsed while the gateway was down');
  t.equal(await gateway.put(), 204);
});

t.test('a restart with a wall clock that was set back gives no lock more than it was granted', async (t) => {
  for (const isOfEarlierRelease of [false, true]) {
    const gateway = await Gateway.open();
    const token = await gateway.lock('d/a', 600);
    if (isOfEarlierRelease) await gateway.writeAsBefore();
    gateway.restart(gateway.clock.wall() - year);
    t.equal(await gateway.left(), 600);
    t.equal(await gateway.put(), 423);
    await gateway.clock.advance(600 * second);
    t.equal(await gateway.refresh(token, 600), 412);
    if (!isOfEarlierRelease) t.same(await gateway.import(), [false, false]);
    t.equal(await gateway.put(), 204);
  }
});

t.test('a lock that was refreshed after the wall clock had been set outlives a restart', async (t) => {
  const gateway = await Gateway.open();
  const token = await gateway.lock('d/a', 600);
  gateway.setClock(year);
  t.equal(await gateway.refresh(token, 600), 200);
  gateway.restart(gateway.clock.wall() + second);
  t.equal(await gateway.left(), 599);
  t.equal(await gateway.put(), 423);
});

t.test('what is noted of a move is kept for thirty days, whatever the wall clock says', async (t) => {
  const gateway = await Gateway.open();
  const { fid: parent } = await gateway.rehearsal.status('d');
  const { fid: moved } = await gateway.rehearsal.status('d/a');
  const [source, beside, aside] = [
    { parent, name: 'a' },
    { parent, name: '.moving-a' },
    { parent, name: '.moved-a' },
  ] as const;
  const note = await gateway.rehearsal.moves.begin({ user: 'ann', moved, source, beside, aside });
  await note.end(false);
  gateway.setClock(year);
  await gateway.finishMove();
  t.equal(gateway.leases, 1);
  gateway.setClock(-2 * year);
  await gateway.clock.advance(31 * 24 * 3600 * second);
  await gateway.finishMove();
  t.equal(gateway.leases, 0);
});

t.test('locks that an earlier release has kept are read', async (t) => {
  const gateway = await Gateway.open();
  await gateway.lock('d/a', 600);
  await gateway.writeAsBefore();
  gateway.restart(gateway.clock.wall() + 200 * second);
  t.equal(await gateway.left(), 400);
  t.equal(await gateway.put(), 423);
  await gateway.clock.advance(400 * second);
  t.equal(await gateway.put(), 204);
});
