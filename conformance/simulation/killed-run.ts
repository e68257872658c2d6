/**
 * One seeded run of the trials of conformance/crash on the twins: servers are killed one after another while people
 * work; then a gateway again and again while no server runs and while its log is replayed. What takes seconds with
 * processes takes milliseconds here, and every run can be repeated.
 */
import { createHash } from 'node:crypto';
import { ifFailed, isFailure, type Fid } from '../../vice/interface/index.js';
import type { Venus } from '../../venus/interface.js';
import { nextStep, put as putStep, type Step } from '../crash/generator.js';
import { Seeded } from '../crash/seeded.js';
import { judge } from '../crash/verdict.js';
import { describe } from '../crash/writer.js';
import { apply, emptyWorld, type Item, type World } from '../crash/world.js';
import {
  caller,
  contentsOf,
  list,
  makeDirectory,
  pathOf,
  put,
  remove,
  rename,
  setProperty,
} from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

const mark = '{urn:x}mark';
const gateway = 'g1';
const writerCount = 3;
const stepsPerFolder = 25;
const drainMs = 600_000;

interface KilledReport {
  readonly seed: number;
  readonly kills: number;
  readonly acknowledged: number;
  readonly trace: readonly string[];
  /** Broken promises; empty is what we want. */
  readonly faults: readonly string[];
}

/** What one folder may hold, and the change that is under way in it. */
interface Folder {
  readonly path: string;
  worlds: readonly (World | undefined)[];
  /** Of the writer: where all its changes were answered. */
  world: World | undefined;
  steps: number;
}

export async function killedRun(seed: number, rounds: number): Promise<KilledReport> {
  const run = new KilledRun(seed);
  await run.start();
  for (let round = 0; round < rounds && run.faults.length === 0; round += 1) await run.round();
  if (run.faults.length === 0) await run.end();
  return run.report();
}

/** Contents so small that a run has many; some are containers of their own. */
function lengths(seeded: Seeded): number {
  return seeded.fraction() < 0.1 ? 0 : 1 + seeded.below(60);
}

class KilledRun {
  readonly faults: string[] = [];
  readonly #seed: number;
  readonly #seeded: Seeded;
  readonly #realm: SimulatedRealm;
  readonly #trace: string[] = [];
  readonly #writers: readonly Writer[];
  #kills = 0;
  #acknowledged = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#seeded = new Seeded(seed);
    this.#realm = new SimulatedRealm({ seed: seed + 1000, flushMs: 3 });
    this.#writers = Array.from({ length: writerCount }, (_, index) => {
      const told = (line: string): void => void this.#trace.push(`${this.#now()} ${line}`);
      return new Writer(`w${index}`, new Seeded(seed * 1000 + index), {
        told,
        fault: (line) => void this.faults.push(line),
        done: () => void (this.#acknowledged += 1),
      });
    });
  }

  async start(): Promise<void> {
    for (const name of this.#realm.serverNames) await this.#realm.startServer(name);
    const venus = await this.#realm.startGateway(gateway);
    await this.#realm.clock.advance(5_000);
    // Without servers it could not say what it has never seen.
    await this.#realm.finish(list(venus, ''));
  }

  async round(): Promise<void> {
    await this.#work(this.#seeded.below(8));
    await this.#oneServerAfterAnother();
    await this.#withoutServers();
    await this.#whileReplaying();
    await this.#drained();
  }

  async end(): Promise<void> {
    await this.#realm.clock.advance(130_000);
    await this.#look(this.#writers.flatMap(({ folders }) => folders));
    const venus = this.#realm.gateway(gateway);
    for (const { state, reason } of venus.log.changes())
      if (state === 'kept') this.faults.push(`a change was refused: ${reason}`);
  }

  report(): KilledReport {
    const { faults } = this;
    const [kills, acknowledged, trace] = [this.#kills, this.#acknowledged, this.#trace];
    return { seed: this.#seed, kills, acknowledged, trace, faults };
  }

  /** One of them misses some changes and catches up, while the others serve. It goes when they have what it has. */
  async #oneServerAfterAnother(): Promise<void> {
    const { serverNames, clock } = this.#realm;
    for (let count = this.#seeded.below(5); count > 0; count -= 1) {
      for (let waited = 0; waited < 60 && this.#reached < serverNames.length; waited += 1)
        await clock.advance(500);
      const victim = this.#seeded.pick(serverNames) ?? '';
      this.#say(`kill ${victim}`);
      this.#realm.kill(victim, { keepsRunning: true });
      await this.#work(this.#seeded.below(40));
      if (this.#seeded.fraction() < 0.3) await this.#killGateway();
      await this.#startServer(victim);
      await this.#work(this.#seeded.below(10));
    }
  }

  async #withoutServers(): Promise<void> {
    const silent = this.#seeded.fraction() < 0.2;
    for (const name of this.#realm.serverNames) this.#realm.kill(name, { silent, keepsRunning: true });
    this.#say('no servers');
    for (let count = 1 + this.#seeded.below(4); count > 0; count -= 1) {
      await this.#work(this.#seeded.below(12));
      await this.#killGateway();
      await this.#lookAtLast();
    }
    await this.#work(this.#seeded.below(25));
  }

  async #whileReplaying(): Promise<void> {
    const { serverNames, clock } = this.#realm;
    const first = this.#seeded.fraction() < 0.4 ? serverNames.slice(0, 1) : serverNames;
    for (const name of first) await this.#startServer(name);
    for (let count = 1 + this.#seeded.below(4); count > 0; count -= 1) {
      for (let waited = 0; waited < 60 && this.#reached === 0; waited += 1) await clock.advance(500);
      await this.#work(this.#seeded.below(6), 10);
      await this.#killGateway();
      const victim = this.#seeded.fraction() < 0.3 ? this.#seeded.pick(first) : undefined;
      if (victim === undefined) continue;
      await this.#work(this.#seeded.below(4), 30);
      this.#say(`kill ${victim}`);
      this.#realm.kill(victim, { keepsRunning: this.#seeded.fraction() < 0.5 });
      await this.#startServer(victim);
    }
    for (const name of serverNames) if (!this.#realm.isUp(name)) await this.#startServer(name);
  }

  async #drained(): Promise<void> {
    this.#say('drain');
    await this.#rest();
    const { clock } = this.#realm;
    const isDrained = (): boolean => {
      const [volume] = this.#realm.gateway(gateway).state().volumes;
      return volume?.pendingRecords === 0 && volume.avsg.length === this.#realm.serverNames.length;
    };
    for (let waited = 0; waited < drainMs && !isDrained(); waited += 1000) await clock.advance(1000);
    if (!isDrained()) this.faults.push('the log does not drain');
    await this.#lookAtLast();
  }

  async #killGateway(): Promise<void> {
    this.#kills += 1;
    this.#say(`kill ${gateway}`);
    // A process, not a machine: what it has given to the disk gets there. Else servers may have what it has forgotten.
    this.#realm.kill(gateway, { keepsRunning: true });
    for (const writer of this.#writers) writer.broken();
    await this.#realm.startGateway(gateway);
    this.#say(`${gateway} is up`);
  }

  async #startServer(name: string): Promise<void> {
    await this.#realm.startServer(name);
    this.#say(`${name} is up`);
  }

  /** Writers work, each on one change at a time, while time passes in small steps. */
  async #work(steps: number, stepMs = 40): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      for (const writer of this.#writers) writer.go(this.#realm.gateway(gateway));
      await this.#realm.clock.advance(this.#seeded.below(stepMs));
    }
  }

  /** Until every change under way has its answer. */
  async #rest(): Promise<void> {
    const { clock } = this.#realm;
    for (let waited = 0; waited < 60 && this.#writers.some(({ isBusy }) => isBusy); waited += 1)
      await clock.advance(1000);
    for (const writer of this.#writers) if (writer.isBusy) this.faults.push(`${writer.now} hangs`);
  }

  #lookAtLast(): Promise<void> {
    return this.#look(this.#writers.flatMap(({ folders }) => folders.slice(-2)));
  }

  async #look(folders: readonly Folder[]): Promise<void> {
    await this.#rest();
    const venus = this.#realm.gateway(gateway);
    for (const folder of folders) {
      const got = await this.#realm.finish(worldOf(venus, folder.path));
      for (const fault of judge({ ...folder, history: [], proven: false }, got))
        this.faults.push(`${this.#now()} ${folder.path}: ${fault}`);
    }
  }

  /** Servers. */
  get #reached(): number {
    return this.#realm.gateway(gateway).state().volumes[0]?.avsg.length ?? 0;
  }

  #now(): string {
    return this.#realm.clock.monotonic().toFixed(0);
  }

  #say(line: string): void {
    this.#trace.push(`${this.#now()} ${line}`);
  }
}

interface Listener {
  told(line: string): void;
  fault(line: string): void;
  done(): void;
}

interface UnderWay {
  readonly what: string;
  readonly folder: Folder;
  readonly step: Step;
}

/** See Writer of conformance/crash/writer.ts. */
class Writer {
  readonly folders: Folder[] = [];
  readonly #name: string;
  readonly #seeded: Seeded;
  readonly #listener: Listener;
  #underWay: UnderWay | undefined;
  #again: string | undefined;

  constructor(name: string, seeded: Seeded, listener: Listener) {
    this.#name = name;
    this.#seeded = seeded;
    this.#listener = listener;
  }

  get isBusy(): boolean {
    return this.#underWay !== undefined;
  }

  get now(): string {
    return this.#underWay?.what ?? '';
  }

  /** Begins the next change, if none is under way. */
  go(venus: Venus): void {
    if (this.isBusy) return;
    let folder = this.folders.at(-1);
    if (folder?.world === undefined || folder.steps >= stepsPerFolder) {
      folder = {
        path: `${this.#name}-${this.folders.length}`,
        worlds: [undefined],
        world: emptyWorld,
        steps: 0,
      };
      this.folders.push(folder);
      const step: Step = { change: { kind: 'mkcol', path: '' }, body: undefined };
      this.#begin(venus, folder, emptyWorld, step);
      return;
    }
    const { world } = folder;
    const step =
      this.#again === undefined
        ? nextStep(world, this.#seeded, lengths)
        : putStep(this.#again, this.#seeded, lengths);
    this.#begin(venus, folder, apply(world, step.change), step);
  }

  /** The gateway is dead: what was under way has no answer. */
  broken(): void {
    if (this.#underWay === undefined) return;
    this.#listener.told(`${this.#underWay.what}: no answer`);
    this.#unknown(this.#underWay);
  }

  #unknown({ folder, step: { change } }: UnderWay): void {
    this.#underWay = undefined;
    this.#again = change.kind === 'put' ? change.path : undefined;
    if (this.#again === undefined) folder.world = undefined;
  }

  #begin(venus: Venus, folder: Folder, after: World, step: Step): void {
    const what = describe(folder, step.change);
    const underWay = { what, folder, step };
    this.#underWay = underWay;
    folder.steps += 1;
    folder.worlds = [...folder.worlds, after];
    this.#listener.told(what);
    perform(venus, folder.path, step).then(
      () => {
        if (this.#underWay !== underWay) return;
        this.#underWay = undefined;
        this.#again = undefined;
        folder.worlds = [after];
        folder.world = after;
        this.#listener.told(`${what}: done`);
        this.#listener.done();
      },
      (error: unknown) => {
        if (this.#underWay !== underWay) return;
        this.#listener.told(`${what}: ${String(error)}`);
        if (!isFailure(error, 'unreachable', 'timeout', 'busy')) {
          this.#listener.fault(`${what} was possible, but answered ${String(error)}`);
        }
        this.#unknown(underWay);
      },
    );
  }
}

function perform(venus: Venus, folder: string, { change, body }: Step): Promise<unknown> {
  const path = change.path === '' ? folder : `${folder}/${change.path}`;
  switch (change.kind) {
    case 'put':
      return put(venus, path, (body ?? Buffer.alloc(0)).toString('latin1'));
    case 'mkcol':
      return makeDirectory(venus, path);
    case 'delete':
      return remove(venus, path);
    case 'move':
      return rename(venus, path, `${folder}/${change.to}`);
    case 'proppatch':
      return setProperty(venus, path, mark, change.mark);
  }
}

/** What the folder holds; undefined: there is none. */
async function worldOf(venus: Venus, folder: string): Promise<World | undefined> {
  const { object } = await venus.lookup(caller, pathOf(folder));
  if (object === null) return undefined;
  const world = new Map<string, Item>();
  const visit = async (directory: Fid, path: string): Promise<void> => {
    for await (const batch of venus.list(caller, directory)) {
      for (const { name, status } of batch) {
        const inside = `${path}${name}`;
        const has = status.properties[mark] ?? '';
        if (status.kind === 'directory') {
          world.set(inside, { kind: 'folder', digest: '', mark: has });
          await visit(status.fid, `${inside}/`);
        } else world.set(inside, { kind: 'file', digest: await digestOf(venus, status.fid), mark: has });
      }
    }
  };
  await visit(object.fid, '');
  return world;
}

async function digestOf(venus: Venus, fid: Fid): Promise<string> {
  const contents = await venus.open(caller, fid).then(contentsOf).catch(ifFailed('unreadable'));
  return createHash('sha256').update(Buffer.from(contents, 'latin1')).digest('hex');
}
