/** Two replicas that are changed apart, and merged. */
import { apply, check, heldBy, mergeAll, server, Venus, type Creation, type Server } from './bare-replica.js';
import { conflictsOf, type ConflictKind, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { Replica } from '../../vice/volume/replica.js';

/** Two servers, a person at each, and what was there before they parted. */
export class Parted {
  readonly anna = new Venus('a');
  readonly ben = new Venus('b');
  readonly #releases: (() => void)[] = [];

  private constructor(
    readonly servers: readonly [Server, Server],
    readonly a: Replica,
    readonly b: Replica,
  ) {}

  static async begin(): Promise<Parted> {
    const servers = [server(), server()] as const;
    const [one, two] = servers;
    const parted = new Parted(servers, await one.open({ id: 'a' }), await two.open({ id: 'b' }));
    let now = 1000;
    for (const venus of [parted.anna, parted.ben]) venus.time = () => (now += 1000);
    return parted;
  }

  /** Made by Anna while all is well. */
  async make(op: 'create' | 'mkdir', parent: Fid, name: string): Promise<Creation> {
    const record = this.anna.make(this.a, op, parent, name);
    for (const replica of [this.a, this.b]) await apply(replica, record);
    return record;
  }

  /** Contents that are at both, and stay there until `release`. */
  async upload(text: string): Promise<string> {
    const [one, two] = this.servers;
    const digest = await one.upload(text);
    await two.upload(text);
    this.#releases.push(this.a.hold(digest), this.b.hold(digest));
    return digest;
  }

  async release(): Promise<void> {
    for (const release of this.#releases.splice(0)) release();
    await new Promise(setImmediate);
  }

  /** Both have merged all of the other, and are the same. */
  async meet(t: Tap): Promise<void> {
    for (let round = 0; round < 3; round += 1) {
      await mergeAll(this.a, this.b);
      await mergeAll(this.b, this.a);
    }
    await check(this.a, this.servers[0].store);
    await check(this.b, this.servers[1].store);
    t.same(plain(this.b), plain(this.a), 'the same on both sides');
  }
}

export interface Tap {
  same(found: unknown, wanted: unknown, message: string): unknown;
}

export function plain(replica: Replica): ReadonlyMap<Fid, VnodeStatus> {
  return new Map([...heldBy(replica)].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function conflicts(replica: Replica, fid: Fid): readonly ConflictKind[] {
  const { conflicts } = replica.conflicts(null, 100);
  const found = conflicts.find(({ status }) => status.fid === fid);
  return found === undefined ? [] : conflictsOf(found.status, found.name);
}

export function fault(): never {
  throw new Error('not there');
}
