/**
 * One seeded run of a realm: random work of two gateways, random faults, then healing, then the laws are checked.
 * Each gateway writes below a directory of its own (what two of them do to one file is for the conflict views) and
 * reads everything.
 */
import { isFailure, type FailureKind } from '../../vice/interface/index.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { firstDifference, withoutOrder } from './replica-dump.js';
import { get, list, makeDirectory, put, remove, rename } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

export interface RunReport {
  readonly seed: number;
  readonly trace: readonly string[];
  readonly acknowledged: number;
  readonly failed: number;
  readonly faults: number;
  /** Broken laws; empty is what we want. */
  readonly violations: readonly string[];
}

/** What a name may hold: one value when the last change was acknowledged, several while one is in doubt. */
type Believed = Map<string, Set<string | undefined>>;

/** What a client may be told while servers are lost. */
const excusable: readonly FailureKind[] = ['unreachable', 'timeout', 'stale', 'busy'];

export async function seededRun(seed: number, steps: number): Promise<RunReport> {
  const run = new SeededRun(seed);
  await run.start();
  for (let step = 0; step < steps; step += 1) await run.step();
  await run.heal();
  await run.check();
  return run.report();
}

class SeededRun {
  readonly #seed: number;
  readonly #random;
  readonly #realm: SimulatedRealm;
  readonly #believed: Believed = new Map();
  readonly #trace: string[] = [];
  readonly #violations: string[] = [];
  #acknowledged = 0;
  #failed = 0;
  #faults = 0;
  #writes = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#realm = new SimulatedRealm({ seed: seed + 1000 });
  }

  async start(): Promise<void> {
    for (const name of this.#realm.serverNames) await this.#realm.startServer(name);
    for (const gateway of ['g1', 'g2']) {
      const venus = await this.#realm.startGateway(gateway);
      await this.#realm.finish(makeDirectory(venus, gateway));
      await this.#realm.finish(makeDirectory(venus, `${gateway}/sub`));
    }
  }

  async step(): Promise<void> {
    const dice = this.#random.fraction();
    if (dice < 0.08) await this.#fault();
    else if (dice < 0.2) await this.#realm.clock.advance(this.#pick([10, 500, 4000]));
    else await this.#work();
  }

  /** Several operations at once, on different names. */
  async #work(): Promise<void> {
    const width = 1 + Math.floor(this.#random.fraction() * 4);
    const taken = new Set<string>();
    const operations: Promise<void>[] = [];
    for (let index = 0; index < width; index += 1) {
      const gateway = this.#pick(['g1', 'g2']);
      if (!this.#realm.isUp(gateway)) continue;
      const path = `${gateway}/${this.#pick(['', 'sub/'])}f${Math.floor(this.#random.fraction() * 6)}`;
      if (taken.has(path)) continue;
      taken.add(path);
      operations.push(this.#operation(gateway, path, taken));
    }
    await this.#realm.finish(Promise.all(operations));
  }

  #operation(gateway: string, path: string, taken: Set<string>): Promise<void> {
    const venus = this.#realm.gateway(gateway);
    const dice = this.#random.fraction();
    const target = `${gateway}/${this.#pick(['', 'sub/'])}f${Math.floor(this.#random.fraction() * 6)}`;
    if (dice < 0.5) {
      this.#writes += 1;
      const long = this.#random.fraction() < 0.2;
      const contents = `${gateway} ${this.#writes} `.repeat(long ? 10_000 : 1);
      return this.#attempt(`${gateway}: put ${path}`, [[path, contents]], () => put(venus, path, contents));
    }
    if (dice < 0.65) {
      return this.#attempt(`${gateway}: remove ${path}`, [[path, undefined]], () => remove(venus, path));
    }
    if (dice < 0.75 && !taken.has(target)) {
      taken.add(target);
      const known = this.#believed.get(path);
      // What moves must be certain, else nothing could be said about the target.
      if (known?.size !== 1 || known.has(undefined)) return Promise.resolve();
      const changes: [string, string | undefined][] = [
        [target, [...known][0]],
        [path, undefined],
      ];
      return this.#attempt(`${gateway}: rename ${path} ${target}`, changes, () =>
        rename(venus, path, target),
      );
    }
    return this.#read(gateway, path);
  }

  async #attempt(
    what: string,
    changes: readonly (readonly [string, string | undefined])[],
    act: () => Promise<unknown>,
  ): Promise<void> {
    const before = changes.map(([path]) => new Set(this.#believed.get(path) ?? [undefined]));
    // From the call on, until it is answered, old and new may be seen.
    changes.forEach(([path, value], index) =>
      this.#believed.set(path, new Set([...(before[index] ?? []), value])),
    );
    try {
      await act();
      for (const [path, value] of changes) this.#believed.set(path, new Set([value]));
      this.#acknowledged += 1;
      this.#trace.push(`${what}: ok`);
    } catch (error) {
      if (!isFailure(error)) {
        const absent = error instanceof Error && /does not exist/.test(error.message);
        if (!absent) throw error;
      }
      const kind = isFailure(error) ? error.kind : 'not-found';
      this.#trace.push(`${what}: ${kind}`);
      this.#failed += 1;
      if (kind === 'not-found') {
        const [first] = what.includes('rename') ? [before[1]] : before;
        if (first !== undefined && !first.has(undefined))
          this.#violations.push(`${what}: an acknowledged file is gone`);
        changes.forEach(([path], index) => this.#believed.set(path, before[index] ?? new Set()));
      } else if (!excusable.includes(kind)) {
        this.#violations.push(`${what}: ${kind} ${isFailure(error) ? error.message : ''}`);
      }
    }
  }

  async #read(gateway: string, path: string): Promise<void> {
    const reader = this.#realm.gateway(gateway);
    try {
      const contents = await get(reader, path);
      const allowed = this.#believed.get(path) ?? new Set([undefined]);
      if (!allowed.has(contents)) {
        this.#violations.push(
          `${gateway} reads ${path}: ${brief(contents)} instead of ${[...allowed].map(brief).join(' or ')}`,
        );
      }
      this.#trace.push(`${gateway}: get ${path}: ${brief(contents)}`);
    } catch (error) {
      if (!isFailure(error, ...excusable)) throw error;
      this.#trace.push(`${gateway}: get ${path}: ${error.kind}`);
    }
  }

  async #fault(): Promise<void> {
    this.#faults += 1;
    const name = this.#pick([...this.#realm.serverNames, 'g1', 'g2']);
    const isServer = name.startsWith('s');
    const dice = this.#random.fraction();
    if (!this.#realm.isUp(name)) {
      this.#trace.push(`start ${name}`);
      await (isServer ? this.#realm.startServer(name) : this.#realm.startGateway(name));
    } else if (dice < 0.5) {
      this.#trace.push(`kill ${name}`);
      this.#realm.kill(name);
    } else if (isServer) {
      const other = this.#pick(['g1', 'g2', ...this.#realm.serverNames.filter((server) => server !== name)]);
      if (dice < 0.7) {
        this.#trace.push(`cut ${name} ${other}`);
        this.#realm.network.cut(name, other);
      } else if (dice < 0.9) {
        this.#trace.push(`heal ${name} ${other}`);
        this.#realm.network.heal(name, other);
      } else {
        this.#trace.push(`lose a reply of ${name} to ${other}`);
        this.#realm.network.loseReplies(name, other, 1);
      }
    } else await this.#isolate(name, dice);
  }

  /** A gateway loses all servers, finds them again, or is told to answer from its log. */
  async #isolate(gateway: string, dice: number): Promise<void> {
    const venus = this.#realm.gateway(gateway);
    if (dice < 0.7) {
      this.#trace.push(`cut ${gateway} from all servers`);
      for (const server of this.#realm.serverNames) this.#realm.network.cut(gateway, server);
    } else if (dice < 0.85) {
      this.#trace.push(`heal ${gateway} to all servers`);
      for (const server of this.#realm.serverNames) this.#realm.network.heal(gateway, server);
    } else if (dice < 0.95) {
      this.#trace.push(`${gateway} is write-disconnected`);
      await this.#realm.finish(venus.setVolumeMode(null, 'write-disconnected'));
    } else {
      this.#trace.push(`${gateway} is disconnected on purpose`);
      await this.#realm.finish(venus.disconnect([]));
    }
  }

  /** Everything is whole again and has time to come together. */
  async heal(): Promise<void> {
    this.#trace.push('heal everything');
    const names = [...this.#realm.serverNames, 'g1', 'g2'];
    for (const a of names) for (const b of names) if (a !== b) this.#realm.network.heal(a, b);
    for (const name of this.#realm.serverNames)
      if (!this.#realm.isUp(name)) await this.#realm.startServer(name);
    for (const name of ['g1', 'g2']) if (!this.#realm.isUp(name)) await this.#realm.startGateway(name);
    for (const name of ['g1', 'g2']) {
      await this.#realm.finish(this.#realm.gateway(name).reconnect([]));
      await this.#realm.finish(this.#realm.gateway(name).setVolumeMode(null, 'write-through'));
    }
    await this.#realm.clock.advance(130_000);
  }

  async check(): Promise<void> {
    for (const gateway of ['g1', 'g2']) {
      const venus = this.#realm.gateway(gateway);
      for (const [path, allowed] of this.#believed) {
        const contents = await this.#realm.finish(get(venus, path));
        if (!allowed.has(contents)) {
          this.#violations.push(
            `${gateway} finds ${path}: ${brief(contents)} instead of ${[...allowed].map(brief).join(' or ')}`,
          );
        }
      }
      for (const directory of ['g1', 'g2', 'g1/sub', 'g2/sub'])
        await this.#realm.finish(list(venus, directory));
      const pending = venus.state().volumes[0]?.pendingRecords;
      if (pending !== 0) this.#violations.push(`${gateway}: ${pending} records have not left the log`);
      for (const { state, reason } of venus.log.changes()) {
        if (state === 'kept') this.#violations.push(`${gateway}: a change was refused: ${reason}`);
      }
    }
    const dumps = await Promise.all(this.#realm.serverNames.map((name) => this.#realm.dump(name)));
    const [first, ...others] = dumps.map(withoutOrder);
    others.forEach((dump, index) => {
      const difference = firstDifference(first ?? [], dump);
      if (difference !== undefined) this.#violations.push(`s1 and s${index + 2} differ: ${difference}`);
    });
  }

  report(): RunReport {
    return {
      seed: this.#seed,
      trace: this.#trace,
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      faults: this.#faults,
      violations: this.#violations,
    };
  }

  #pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.#random.fraction() * choices.length)];
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }
}

function brief(contents: string | undefined): string {
  if (contents === undefined) return '(absent)';
  return contents.length <= 24 ? `"${contents}"` : `"${contents.slice(0, 12)}..." of ${contents.length}`;
}
