/**
 * One change of a share, again and again, each time with one thing that goes wrong in another moment: the k-th flush
 * of a disk fails, or a process dies after so many milliseconds. What it comes to must be the tree before the change
 * or the tree after it, the latter if it was acknowledged, the former if it was refused.
 */
import { isFailure, rootFid, type Fid } from '../../vice/interface/index.js';
import type { Entry, Venus } from '../../venus/interface.js';
import { firstDifference, withoutOrder } from './replica-dump.js';
import { caller, contentsOf, makeDirectory, pathOf, put, remove, rename, setProperty } from './share.js';
import type { DiskFault } from '../../vice/seam/twin/memory-store.js';
import { rootVolume, SimulatedRealm } from './simulated-realm.js';

/** Everything that a person can do to a share, once. */
export const verbs: Readonly<Record<string, (venus: Venus) => Promise<unknown>>> = {
  nothing: () => Promise.resolve(),
  'put new': (venus) => put(venus, 'x/new', 'n'.repeat(300)),
  'put new, a few bytes': (venus) => put(venus, 'x/new', 'few'),
  'put over': (venus) => put(venus, 'x/a', 'o'.repeat(200)),
  'put large': (venus) => put(venus, 'x/a', 'l'.repeat(200_000)),
  mkdir: (venus) => makeDirectory(venus, 'x/d'),
  remove: (venus) => remove(venus, 'x/a'),
  'remove tree': (venus) => remove(venus, 'x/tree'),
  rename: (venus) => rename(venus, 'x/a', 'x/c'),
  'rename over': (venus) => rename(venus, 'x/a', 'x/b'),
  'move folder': (venus) => rename(venus, 'x/tree', 'y/tree'),
  copy: async (venus) =>
    venus.copy(
      caller,
      await fidOf(venus, 'x/a'),
      { parent: await fidOf(venus, 'y'), name: 'a' },
      { replace: false },
    ),
  'copy over': async (venus) =>
    venus.copy(
      caller,
      await fidOf(venus, 'x/a'),
      { parent: await fidOf(venus, 'x'), name: 'b' },
      { replace: true },
    ),
  property: (venus) => setProperty(venus, 'x/a', '{urn:x}mark', 'red'),
  'access list': async (venus) =>
    venus.setAccess(caller, await fidOf(venus, 'x'), { positive: { ann: 127 }, negative: {} }),
};

/** Which disk, or which processes. */
export type Part = 'g1' | 's1' | 'servers' | 'everything';
export type Trouble =
  | {
      readonly do: 'fail';
      readonly what: 'store' | 'containers';
      readonly how: DiskFault;
      readonly at: Part;
      readonly after: number;
    }
  /** The store's flush is there after the restart that it needs (`keepsRunning`), or not. */
  | { readonly do: 'doubt'; readonly at: Part; readonly after: number; readonly keepsRunning: boolean }
  | { readonly do: 'kill'; readonly at: Part; readonly ms: number; readonly keepsRunning: boolean };

export interface Trial {
  readonly verb: string;
  /** Without servers: the log answers. */
  readonly alone: boolean;
  readonly trouble: Trouble | undefined;
}

export interface Outcome {
  /** 'done', the kind of the failure, or 'none' where nobody was left to be answered. */
  readonly answer: string;
  /** Whether the trouble was met. */
  readonly isMet: boolean;
  /** How long it took until it was answered, milliseconds of simulated time. */
  readonly ms: number;
  /** The tree at g1, and as an empty cache sees it. */
  readonly shown: readonly [string, string];
  /** What replicas differ in, what waits in logs, what is in conflict; nothing of it is right. */
  readonly faults: readonly string[];
}

const servers = ['s1', 's2', 's3'] as const;
/** A change is answered, or never. */
const patienceMs = 60_000;
const settledMs = 120_000;

export async function play({ verb, alone, trouble }: Trial): Promise<Outcome> {
  const work = verbs[verb];
  if (work === undefined) throw new Error(`there is no verb ${verb}`);
  const realm = await prepared();
  if (alone) {
    for (const name of servers) realm.kill(name);
    await realm.clock.advance(100);
  }
  const began = realm.clock.monotonic();
  if (trouble !== undefined && trouble.do !== 'kill') arm(realm, trouble);
  let answer = 'none';
  work(realm.gateway('g1')).then(
    () => (answer = 'done'),
    (error: unknown) => (answer = isFailure(error) ? error.kind : `broken: ${String(error)}`),
  );
  let isMet = false;
  if (trouble?.do === 'kill') {
    await realm.clock.advance(trouble.ms);
    isMet = true;
    for (const name of processesOf(trouble.at)) if (realm.isUp(name)) realm.kill(name, trouble);
  }
  for (let waited = 0; answer === 'none' && waited < patienceMs && realm.isUp('g1'); waited += 1)
    await realm.clock.advance(1);
  const ms = realm.clock.monotonic() - began;
  if (trouble !== undefined && trouble.do !== 'kill') isMet = isStruck(realm, trouble);
  restartBroken(realm, trouble);
  return { answer, isMet, ms, ...(await healed(realm)) };
}

async function prepared(): Promise<SimulatedRealm> {
  const realm = new SimulatedRealm({ seed: 1 });
  for (const name of servers) await realm.startServer(name);
  const venus = await realm.startGateway('g1');
  for (const folder of ['x', 'y', 'x/tree', 'x/tree/deep']) await realm.finish(makeDirectory(venus, folder));
  const files = { 'x/a': 'a'.repeat(100), 'x/b': 'b', 'x/tree/one': '1'.repeat(40), 'x/tree/deep/two': '2' };
  for (const [path, contents] of Object.entries(files)) await realm.finish(put(venus, path, contents));
  // COP2 is sent by and by.
  await realm.clock.advance(3000);
  return realm;
}

function processesOf(part: Part): readonly string[] {
  if (part === 'servers') return servers;
  return part === 'everything' ? ['g1', ...servers] : [part];
}

type DiskTrouble = Exclude<Trouble, { do: 'kill' }>;

function arm(realm: SimulatedRealm, trouble: DiskTrouble): void {
  for (const name of processesOf(trouble.at)) {
    const { store, containers } = realm.disk(name);
    if (trouble.do === 'doubt') store.failNext('in-doubt', 1, trouble.after);
    else if (trouble.what === 'store') store.failNext(trouble.how, 1, trouble.after);
    else containers.failNext(1, trouble.how, trouble.after);
  }
}

function isStruck(realm: SimulatedRealm, trouble: DiskTrouble): boolean {
  const what = trouble.do === 'doubt' ? 'store' : trouble.what;
  return processesOf(trouble.at).some((name) => !realm.disk(name)[what].isToFail);
}

function restartBroken(realm: SimulatedRealm, trouble: Trouble | undefined): void {
  if (trouble?.do !== 'doubt') return;
  for (const name of processesOf(trouble.at)) if (realm.disk(name).store.isBroken) realm.kill(name, trouble);
}

/** All is well again and everybody is back: what has become of it. */
async function healed(realm: SimulatedRealm): Promise<Pick<Outcome, 'shown' | 'faults'>> {
  for (const name of ['g1', ...servers]) {
    const { store, containers } = realm.disk(name);
    store.mend();
    containers.mend();
  }
  for (const name of servers) if (!realm.isUp(name)) await realm.startServer(name);
  if (!realm.isUp('g1')) await realm.startGateway('g1');
  const venus = realm.gateway('g1');
  const waits = (): boolean =>
    venus.state().volumes.some(({ state, pendingRecords }) => state !== 'hoarding' || pendingRecords > 0);
  for (let waited = 0; waited < settledMs && waits(); waited += 500) await realm.clock.advance(500);
  await realm.clock.advance(5000);
  const other = await realm.startGateway('g2');
  const shown = [await realm.finish(treeOf(venus)), await realm.finish(treeOf(other))] as const;
  return { shown, faults: await faultsOf(realm) };
}

async function faultsOf(realm: SimulatedRealm): Promise<readonly string[]> {
  const faults: string[] = [];
  let difference = await differenceOf(realm);
  // Counts of who took an update come by and by.
  for (let waited = 0; waited < settledMs && difference !== undefined; waited += 5000) {
    await realm.clock.advance(5000);
    difference = await differenceOf(realm);
  }
  if (difference !== undefined) faults.push(`replicas differ: ${difference}`);
  for (const change of realm.gateway('g1').log.changes())
    faults.push(`it waits: ${change.state} ${change.reason ?? ''}`);
  const conflicts = realm.gateway('g2').conflicts.count();
  if (Object.keys(conflicts).length > 0) faults.push(`conflicts: ${JSON.stringify(conflicts)}`);
  for (const name of ['g1', ...servers]) {
    const { openSpools } = realm.disk(name).containers;
    if (openSpools > 0) faults.push(`${name}: ${openSpools} bodies that nobody writes`);
  }
  return faults;
}

async function differenceOf(realm: SimulatedRealm): Promise<string | undefined> {
  const [first = [], ...others] = await Promise.all(
    servers.map(async (name) => withoutOrder(await realm.dump(name))),
  );
  return others.map((other) => firstDifference(first, other)).find((each) => each !== undefined);
}

/** Paths with all that a change can change, one line each. */
async function treeOf(venus: Venus): Promise<string> {
  const lines: string[] = [];
  const visit = async (fid: Fid, path: string): Promise<void> => {
    const entries: Entry[] = [];
    for await (const batch of venus.list(caller, fid)) entries.push(...batch);
    for (const { name, status } of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const { kind, mode, properties, target, length } = status;
      const contents =
        kind === 'file' ? brief(await contentsOf(await venus.open(caller, status.fid))) : target;
      const access =
        kind === 'directory' ? JSON.stringify((await venus.access(caller, status.fid)).lists) : '';
      lines.push(
        [`${path}/${name}`, kind, mode, length, contents, JSON.stringify(properties), access].join(' '),
      );
      if (kind === 'directory') await visit(status.fid, `${path}/${name}`);
    }
  };
  await visit(rootFid(rootVolume), '');
  return lines.join('\n');
}

function brief(contents: string): string {
  return contents.length <= 8 ? contents : `${contents.slice(0, 4)}..${contents.slice(-4)}`;
}

async function fidOf(venus: Venus, path: string): Promise<Fid> {
  const { object } = await venus.lookup(caller, pathOf(path));
  if (object === null) throw new Error(`${path} does not exist`);
  return object.fid;
}
