/**
 * One seeded run in which gateways change the same small tree while servers, gateways and the network between any two
 * of them come and go. Then everything is healed, and the laws are:
 *   - every log is empty, and no change was refused for good;
 *   - the replicas are equal, conflicts included, and each is a tree;
 *   - both gateways show that tree;
 *   - contents that nobody has replaced or removed after having seen them are there;
 *   - when all conflicts are repaired through one gateway, none is left anywhere.
 */
import { isFailure, type Fid, type StoreId } from '../../vice/interface/index.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import type { ConflictReport, Entry, ObjectStatus, Venus } from '../../venus/interface.js';
import { firstDifference, withoutOrder } from './replica-dump.js';
import { contentsOf } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

export interface ConflictRunReport {
  readonly trace: readonly string[];
  readonly acknowledged: number;
  /** Kinds of conflicts before the repair, and how many. */
  readonly conflicts: Readonly<Record<string, number>>;
  readonly violations: readonly string[];
}

export interface ConflictRunOptions {
  readonly steps: number;
  /** Between which parties the network fails: gateways and all servers together, or any two. */
  readonly partitions: 'gateways' | 'any';
  readonly kills: boolean;
}

const gateways = ['g1', 'g2'] as const;
const caller = { user: 'ann' };

export async function conflictRun(seed: number, options: ConflictRunOptions): Promise<ConflictRunReport> {
  const run = new ConflictRun(seed, options);
  await run.start();
  for (let step = 0; step < options.steps; step += 1) await run.step();
  await run.heal();
  await run.check('healed');
  await run.repair();
  await run.check('repaired');
  return run.report();
}

/** A name and what bears it, as a gateway shows it. */
interface Seen {
  readonly parent: Fid;
  readonly name: string;
  readonly object: ObjectStatus | null;
}

class ConflictRun {
  readonly #options: ConflictRunOptions;
  readonly #random;
  readonly #realm: SimulatedRealm;
  readonly #trace: string[] = [];
  readonly #violations: string[] = [];
  /** Acknowledged contents that nobody has given up knowingly. */
  readonly #standing = new Set<string>();
  readonly #contents = new Map<StoreId | null, string>();
  readonly #conflicts: Record<string, number> = {};
  #acknowledged = 0;
  #written = 0;

  constructor(seed: number, options: ConflictRunOptions) {
    this.#options = options;
    this.#random = seededRandom(seed);
    this.#realm = new SimulatedRealm({ seed: seed + 9000 });
  }

  async start(): Promise<void> {
    for (const name of this.#realm.serverNames) await this.#realm.startServer(name);
    for (const gateway of gateways) await this.#realm.startGateway(gateway);
    const g1 = this.#realm.gateway('g1');
    const { object: root } = await this.#realm.finish(g1.lookup(caller, []));
    if (root === null) throw new Error('no root');
    for (const name of ['d0', 'd1']) await this.#realm.finish(g1.makeDirectory(caller, root.fid, name));
    await this.#realm.clock.advance(2000);
  }

  async step(): Promise<void> {
    const dice = this.#random.fraction();
    if (dice < 0.12) return this.#network();
    if (dice < 0.16 && this.#options.kills) return this.#process();
    if (dice < 0.26) return this.#realm.clock.advance(this.#pick([10, 1000, 6000]));
    const gateway = this.#pick(gateways);
    if (!this.#realm.isUp(gateway)) return;
    await this.#work(gateway, this.#realm.gateway(gateway));
  }

  async heal(): Promise<void> {
    this.#trace.push('heal everything');
    const names = [...this.#realm.serverNames, ...gateways];
    for (const a of names) for (const b of names) if (a !== b) this.#realm.network.heal(a, b);
    for (const name of this.#realm.serverNames) {
      if (!this.#realm.isUp(name)) await this.#realm.startServer(name);
    }
    for (const name of gateways) if (!this.#realm.isUp(name)) await this.#realm.startGateway(name);
    await this.#realm.clock.advance(300_000);
  }

  async check(when: string): Promise<void> {
    const dumps = await Promise.all(this.#realm.serverNames.map((name) => this.#realm.dump(name)));
    const [first = [], ...others] = dumps.map(withoutOrder);
    others.forEach((dump, index) => {
      const difference = firstDifference(first, dump);
      if (difference !== undefined) this.#violation(`${when}: s1 and s${index + 2} differ: ${difference}`);
    });
    const there = new Set(dumps.flatMap((dump) => dump.flatMap(({ versions }) => versions)));
    for (const contents of this.#standing) {
      if (!there.has(contents)) this.#violation(`${when}: "${contents}" is lost`);
    }
    const expected = (dumps[0] ?? []).map(({ path }) => path).sort();
    for (const name of gateways) await this.#checkGateway(when, name, expected);
  }

  /** Each conflict in one of the ways that people have. */
  async repair(): Promise<void> {
    const g1 = this.#realm.gateway('g1');
    for (const report of await this.#realm.finish(reportsOf(g1))) {
      const { kind, path } = report;
      this.#conflicts[kind] = (this.#conflicts[kind] ?? 0) + 1;
      const kept = this.#pick(report.versions);
      const keepsAll = kind !== 'versions' || this.#random.fraction() < 0.3;
      const among = report.versions.map(({ storeId }) => storeId);
      const decision = keepsAll ? ({ keepAll: true } as const) : { keep: kept.storeId, among };
      for (const version of report.versions) {
        if (keepsAll || version === kept) continue;
        this.#giveUp(await this.#realm.finish(read(g1, version.fid)));
      }
      this.#trace.push(`repair ${kind} of ${path?.join('/')}: ${JSON.stringify(decision)}`);
      try {
        await this.#realm.finish(g1.conflicts.repair(caller, report.fid, decision));
      } catch (error) {
        // One decision can settle two conflicts of an object.
        if (!isFailure(error, 'not-found')) throw error;
        this.#trace.push(`not there: ${error.message}`);
      }
    }
    await this.#realm.clock.advance(130_000);
    for (const name of gateways) {
      const left = await this.#realm.finish(reportsOf(this.#realm.gateway(name)));
      if (left.length > 0) this.#violation(`${name}: still in conflict: ${JSON.stringify(left)}`);
    }
  }

  report(): ConflictRunReport {
    return {
      trace: this.#trace,
      acknowledged: this.#acknowledged,
      conflicts: this.#conflicts,
      violations: this.#violations,
    };
  }

  async #checkGateway(when: string, name: string, expected: readonly string[]): Promise<void> {
    const venus = this.#realm.gateway(name);
    const changes = venus.log.changes();
    for (const { state, reason, sequence, records } of changes) {
      const what = records.map(({ op, path }) => `${op} ${path}`).join(', ');
      this.#violation(`${when}: ${name}: change ${sequence} (${what}) is ${state}: ${reason}`);
    }
    const shown: string[] = [];
    const visit = async (path: string, fid: Fid): Promise<void> => {
      for (const { name: child, status } of await this.#realm.finish(entriesOf(venus, fid))) {
        if (status.conflict?.kind !== 'sibling') shown.push(`${path}/${child}`);
        if (status.kind === 'directory') await visit(`${path}/${child}`, status.fid);
        else if (status.kind === 'file') await this.#realm.finish(read(venus, status.fid));
      }
    };
    const { object: root } = await this.#realm.finish(venus.lookup(caller, []));
    if (root !== null) await visit('', root.fid);
    const difference = firstDifference(
      expected.filter((path) => path !== ''),
      shown.sort(),
    );
    if (difference !== undefined) this.#violation(`${when}: ${name} shows another tree: ${difference}`);
  }

  async #work(gateway: string, venus: Venus): Promise<void> {
    const from = await this.#look(venus);
    if (from === undefined) return;
    const dice = this.#random.fraction();
    const what = `${gateway}: ${from.name} (${from.object?.kind ?? 'free'})`;
    if (dice < 0.45 && from.object?.kind !== 'directory') return this.#write(what, gateway, venus, from);
    if (dice < 0.55) {
      if (from.object !== null) return;
      await this.#act(`${what}: mkdir`, () => venus.makeDirectory(caller, from.parent, from.name));
    } else if (dice < 0.7 && from.object !== null) {
      const versions = await this.#below(venus, from.object);
      await this.#act(`${what}: remove`, () => {
        return venus.remove(caller, from.parent, from.name, expectationOf(from));
      });
      // Where it failed half way it may still have happened.
      for (const contents of versions) this.#giveUp(contents);
    } else if (dice < 0.9 && from.object !== null) {
      const to = await this.#look(venus);
      if (to === undefined || (to.parent === from.parent && to.name === from.name)) return;
      const versions = to.object === null ? [] : await this.#below(venus, to.object);
      await this.#act(`${what}: rename to ${to.name} (${to.object?.kind ?? 'free'}) in ${to.parent}`, () =>
        venus.rename(caller, from, to, { replace: true, expect: expectationOf(to) }),
      );
      for (const contents of versions) this.#giveUp(contents);
    } else if (from.object !== null) {
      const { fid } = from.object;
      const set = { [`{x}p${Math.floor(this.#random.fraction() * 3)}`]: `<v>${this.#written}</v>` };
      await this.#act(`${what}: setprops`, () => venus.setProperties(caller, fid, { set, remove: [] }));
    }
  }

  async #write(what: string, gateway: string, venus: Venus, to: Seen): Promise<void> {
    this.#written += 1;
    const contents = `${gateway} ${this.#written}`;
    const before = to.object === null ? undefined : await this.#contentsOf(venus, to.object);
    const version = await this.#act(`${what}: write "${contents}"`, () => write(venus, to, contents));
    if (version !== undefined) {
      this.#standing.add(contents);
      this.#contents.set(version, contents);
    }
    this.#giveUp(before);
  }

  /** Some name in some directory of the tree, as this gateway shows it. */
  async #look(venus: Venus): Promise<Seen | undefined> {
    const root = await this.#try(() => venus.lookup(caller, []));
    let directory = root?.object?.fid;
    while (directory !== undefined) {
      const at: Fid = directory;
      const entries = await this.#try(() => entriesOf(venus, at));
      if (entries === undefined) return undefined;
      const below = entries.filter(({ status }) => status.kind === 'directory');
      if (below.length === 0 || this.#random.fraction() < 0.4) return this.#nameIn(at, entries);
      directory = this.#pick(below).status.fid;
    }
    return undefined;
  }

  #nameIn(parent: Fid, entries: readonly Entry[]): Seen {
    if (entries.length > 0 && this.#random.fraction() < 0.6) {
      const { name, status } = this.#pick(entries);
      return { parent, name, object: status };
    }
    const name = this.#pick(['a', 'b.txt', 'c', 'd0', 'd1']);
    return { parent, name, object: entries.find((entry) => entry.name === name)?.status ?? null };
  }

  /** Contents that go with an object, as far as this gateway can see. */
  async #below(venus: Venus, object: ObjectStatus): Promise<readonly (string | undefined)[]> {
    if (object.kind !== 'directory') return [await this.#contentsOf(venus, object)];
    const below: (string | undefined)[] = [];
    const entries = await this.#try(() => entriesOf(venus, object.fid));
    for (const { status } of entries ?? []) below.push(...(await this.#below(venus, status)));
    return below;
  }

  /** A version that a rename made of another one has no name here: it is read. */
  async #contentsOf(venus: Venus, object: ObjectStatus): Promise<string | undefined> {
    const known = this.#contents.get(object.version);
    return known ?? this.#try(() => read(venus, object.fid));
  }

  #giveUp(contents: string | undefined): void {
    if (contents !== undefined) this.#standing.delete(contents);
  }

  #network(): void {
    const names = [...this.#realm.serverNames, ...gateways];
    const cuts = this.#random.fraction() < 0.5;
    const one = this.#options.partitions === 'any' ? this.#pick(names) : this.#pick(gateways);
    const others =
      this.#options.partitions === 'any' && this.#random.fraction() < 0.6 ? [this.#pick(names)] : names;
    this.#trace.push(`${cuts ? 'cut' : 'heal'} ${one} ${others.join(' ')}`);
    for (const other of others) {
      if (other === one) continue;
      if (cuts) this.#realm.network.cut(one, other);
      else this.#realm.network.heal(one, other);
    }
  }

  async #process(): Promise<void> {
    const name = this.#pick([...this.#realm.serverNames, ...gateways]);
    this.#trace.push(`${this.#realm.isUp(name) ? 'kill' : 'start'} ${name}`);
    if (this.#realm.isUp(name)) return this.#realm.kill(name);
    if (name.startsWith('s')) await this.#realm.startServer(name);
    else await this.#realm.startGateway(name);
  }

  async #act<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    let failure = '';
    const done = await this.#try(act, (reason) => (failure = reason));
    this.#trace.push(`${what}: ${failure === '' ? 'ok' : failure}`);
    if (failure === '') this.#acknowledged += 1;
    return done;
  }

  /** Undefined: it failed, as it may. */
  async #try<T>(
    act: () => Promise<T>,
    failed: (reason: string) => void = () => undefined,
  ): Promise<T | undefined> {
    try {
      return await this.#realm.finish(act());
    } catch (error) {
      if (!isFailure(error)) throw error;
      failed(`${error.operation} ${error.kind}: ${error.message}`);
      return undefined;
    }
  }

  #violation(text: string): void {
    this.#violations.push(text);
  }

  #pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.#random.fraction() * choices.length)];
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }
}

function expectationOf({ object }: Seen): { readonly version?: StoreId | null } {
  if (object === null) return { version: null };
  return object.kind === 'file' ? { version: object.version } : {};
}

async function entriesOf(venus: Venus, directory: Fid): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of venus.list(caller, directory)) entries.push(...batch);
  return entries;
}

async function reportsOf(venus: Venus): Promise<readonly ConflictReport[]> {
  const reports: ConflictReport[] = [];
  for await (const batch of venus.conflicts.list(caller)) reports.push(...batch);
  return reports;
}

async function read(venus: Venus, fid: Fid): Promise<string> {
  return contentsOf(await venus.open(caller, fid));
}

async function write(venus: Venus, to: Seen, contents: string): Promise<StoreId> {
  const writer = await venus.write(caller);
  try {
    await writer.write(Buffer.from(contents));
    const { status } = await writer.close({ parent: to.parent, name: to.name, expect: expectationOf(to) });
    if (status.version === null) throw new Error('a file has a version');
    return status.version;
  } finally {
    await writer.abort();
  }
}
