/**
 * A replica that lives through random days with snapshots, beside full copies of what it was: what the tests of
 * snapshots and of their copies share.
 */
import fc from 'fast-check';
import { emptyDigest, isRunt, versionsOf, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { endOf, type Store } from '../../vice/seam/store.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ContainerReferences } from '../../vice/store/container-references.js';
import { digestsOf, partsOf, SnapshotKeys, snapshotsOf } from '../../vice/store/snapshot-rows.js';
import { VolumeKeys, VolumeReader } from '../../vice/store/volume-store.js';
import type { Replica } from '../../vice/volume/replica.js';
import { VolumeSnapshots } from '../../vice/volume/snapshots.js';
import { fault, refusal, root, sameJson, Venus, volume, type Server } from './bare-replica.js';

/** All that can be reached from the root, by its path; `read` tells the members of a directory. */
function copyOf(
  top: VnodeStatus | undefined,
  read: (directory: Fid) => Iterable<readonly [string, VnodeStatus]>,
): Record<string, VnodeStatus> {
  const copy: Record<string, VnodeStatus> = {};
  const walk = (path: string, status: VnodeStatus): void => {
    copy[path] = status;
    if (status.kind !== 'directory') return;
    for (const [name, child] of [...read(status.fid)].sort(([a], [b]) => (a < b ? -1 : 1))) {
      walk(`${path}/${name}`, child);
    }
  };
  if (top !== undefined) walk('', top);
  return copy;
}

export function living(replica: Replica): Record<string, VnodeStatus> {
  return copyOf(replica.status(root), (directory) =>
    [...(replica.list(directory)?.entries ?? [])].map(({ name, status }) => [name, status] as const),
  );
}

export function inSnapshot(replica: Replica, name: string): Record<string, VnodeStatus> {
  const snapshot = replica.snapshots.list().find((each) => each.name === name);
  if (snapshot === undefined) throw new Error(`there is no snapshot ${name}`);
  const copy = copyOf(replica.snapshots.status(snapshot, root), (directory) =>
    [...replica.snapshots.entries(snapshot, directory)].flatMap((entry) =>
      entry === undefined ? [] : [[entry.name, entry.status] as const],
    ),
  );
  // Whoever dumps a volume takes the other way to them: all objects in the order of their Fids.
  const walked = Object.values(copy).filter((status) => !isRunt(status));
  walked.sort((a, b) => (a.fid < b.fid ? -1 : 1));
  const listed = [...replica.snapshots.objects(snapshot, null)].filter((status) => status !== undefined);
  if (!sameJson(listed, walked)) throw new Error(`the objects of ${name} are not those that are in its tree`);
  return copy;
}

/** Rows of `store` whose keys begin so. */
export function rowsUnder(store: Store, prefix: string): readonly { key: string; value: Uint8Array }[] {
  return [...store.range({ start: prefix, end: endOf(prefix) })];
}

/** Counts of containers are what the rows of objects, living and saved, come to. @throws Error */
export function checkReferences(store: Store): void {
  const due = new Map<string, number>();
  const need = (digest: string): unknown => due.set(digest, (due.get(digest) ?? 0) + 1);
  for (const row of new VolumeReader(store, new VolumeKeys(volume)).objects()) {
    if (row.removed && row.keeps !== true) continue;
    for (const { digest } of versionsOf(row.status)) if (digest !== emptyDigest) need(digest);
  }
  for (const { value } of rowsUnder(store, `${volume}/saved/object/`))
    for (const digest of digestsOf(value)) need(digest);
  const counted = rowsUnder(store, 'container/').map(({ key }) => key.split('/')[1] ?? '');
  if (!sameJson(counted, [...due.keys()].sort())) fault(`counted are ${counted}, not ${[...due.keys()]}`);
}

/** SN-3: each saved row is the first at or after some snapshot. @throws Error */
export function checkNeeded(store: Store): void {
  const keys = new SnapshotKeys(volume);
  const saved = rowsUnder(store, keys.savedPrefix).map(({ key }) => ({ key, ...partsOf(key) }));
  const needed = new Set<string>();
  for (const { number } of snapshotsOf(store, keys)) {
    const first = new Map<string, string>();
    for (const each of saved)
      if (each.number >= number && !first.has(each.row)) first.set(each.row, each.key);
    for (const key of first.values()) needed.add(key);
  }
  for (const { key } of saved) if (!needed.has(key)) fault(`nobody needs ${key}`);
}

/** Counts are of each replica: of what was brought from another one they say nothing. */
function asCopied(name: string, copy: Record<string, VnodeStatus>): Record<string, VnodeStatus> {
  if (!name.startsWith('copied ')) return copy;
  return Object.fromEntries(Object.entries(copy).map(([path, status]) => [path, { ...status, vv: {} }]));
}

export const step = fc.record({
  op: fc.constantFrom(
    ...([
      'create',
      'create',
      'mkdir',
      'remove',
      'remove',
      'rename',
      'store',
      'chmod',
      'cop2',
      'forget',
    ] as const),
    ...(['take', 'take', 'drop', 'sweep', 'crash'] as const),
  ),
  pick: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)),
  name: fc.constantFrom('a', 'a', 'a', 'a b', 'a\u{10ffff}', 'b'),
});
export type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A replica that lives through steps, beside full copies of it. */
export class History {
  readonly #at: Server;
  readonly #venus = new Venus('a');
  readonly #fids: Fid[] = [root];
  readonly copies = new Map<string, Record<string, VnodeStatus>>();
  replica!: Replica;
  store: Server['store'];
  #texts = 0;

  constructor(at: Server) {
    this.#at = at;
    this.store = at.store;
  }

  async open(): Promise<void> {
    this.replica = await this.#at.open({ store: this.store });
    this.replica.keepsRemoved = true;
  }

  async run(step: Step): Promise<void> {
    if (step.op !== 'crash') return this.#one(step);
    const ops = ['take', 'drop', 'sweep', 'store', 'remove', 'create'] as const;
    const op = ops[step.pick[0] % ops.length] ?? 'take';
    const before = living(this.replica);
    const copies = new Map(this.copies);
    const { store } = this;
    // The power fails while it is at work: nobody is answered.
    void this.#one({ ...step, op }).catch(() => undefined);
    for (let turn = 0; turn < step.pick[1] % 5; turn += 1) await Promise.resolve();
    this.store = store.crash(step.pick[2] % 2 === 0);
    await this.open();
    const there = this.replica.snapshots.list().map(({ name }) => name);
    this.copies.clear();
    for (const name of there) this.copies.set(name, copies.get(name) ?? before);
  }

  async #one({ op, pick, name }: Step): Promise<void> {
    const [replica, venus] = [this.replica, this.#venus];
    // Mostly in the root, so that names are taken, freed and taken again.
    const [one = root, two = root] = pick.map(
      (index) => this.#fids[index < 60 ? 0 : index % this.#fids.length],
    );
    const named = [...(replica.list(one)?.entries ?? [])][pick[1] % 3];
    switch (op) {
      case 'create':
      case 'mkdir': {
        const record = venus.make(replica, op, one, name);
        if ((await refusal(replica, record)) === 'applied') this.#fids.push(record.fid);
        return;
      }
      case 'remove': {
        if (named === undefined) return;
        const { fid, kind } = named.status;
        const kindOf = kind === 'directory' ? 'rmdir' : 'remove';
        await refusal(replica, venus.remove(replica, kindOf, one, named.name, fid));
        return;
      }
      case 'rename':
        if (named === undefined) return;
        await refusal(replica, venus.rename(replica, named.status.fid, [one, named.name], [two, name]));
        return;
      case 'store': {
        if (replica.status(one)?.kind !== 'file') return;
        // A few texts only, so that files share contents.
        const text = `text ${(this.#texts += 1) % 4}`;
        const digest = await this.#at.upload(text);
        const release = replica.hold(digest);
        await refusal(replica, venus.store(replica, one, digest, text.length));
        release();
        return;
      }
      case 'chmod':
        await refusal(replica, venus.chmod(replica, one, 0o700 + pick[1]));
        return;
      case 'cop2':
        await replica.cop2([{ storeId: `${venus.id}:${pick[0]}` as never, replicas: ['a', 'b'] }]);
        return;
      case 'forget':
        await replica.forgetRemoved(replica.stamp);
        return;
      case 'take': {
        const taken = `s${pick[0] % 6}`;
        if (this.copies.has(taken)) return;
        const copy = living(replica);
        await replica.snapshots.take({ name: taken, time: this.copies.size });
        this.copies.set(taken, copy);
        return;
      }
      case 'drop':
        this.copies.delete(`s${pick[0] % 6}`);
        await replica.snapshots.drop(`s${pick[0] % 6}`);
        return;
      case 'sweep':
        await this.sweep();
        return checkNeeded(this.store);
      case 'crash':
        throw new Error('no crash within a crash');
    }
  }

  /** In slices of three rows. */
  async sweep(): Promise<void> {
    const { store } = this;
    const { containers } = this.#at;
    const clock = new SimulatedClock();
    const references = ContainerReferences.of({ store, containers, clock: this.#at.clock, log: silentLog });
    const keys = new VolumeKeys(volume);
    const world = { store, references, clock, sliceRows: 3 };
    await clock.until(new VolumeSnapshots(keys, world, this.replica).sweep());
  }

  async check(): Promise<void> {
    const { replica, copies } = this;
    const names = replica.snapshots.list().map((each) => each.name);
    if (!sameJson(names.toSorted(), [...copies.keys()].sort())) fault(`snapshots are ${names}`);
    for (const [name, copy] of copies) {
      const read = inSnapshot(replica, name);
      if (!sameJson(asCopied(name, read), asCopied(name, copy)))
        fault(`${name} is ${Object.keys(read)} instead of ${Object.keys(copy)}`);
      for (const { data } of Object.values(copy)) {
        if (data === null || data.digest === emptyDigest) continue;
        if (!(await this.#at.containers.has(data.digest))) fault(`contents of ${name} are gone`);
      }
    }
    checkReferences(this.store);
  }
}
