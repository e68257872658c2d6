/**
 * One seeded run in which two gateways write the same names while the network comes and goes. What collides is
 * somebody's to decide; here the law is that nothing acknowledged is lost: contents that nobody has replaced or removed
 * after having seen them are at a server at the end, or kept at a gateway.
 */
import { isFailure, type Fid, type StoreId } from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import type { Venus } from '../../venus/interface.js';
import { makeDirectory } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

export interface RivalReport {
  readonly trace: readonly string[];
  readonly written: number;
  readonly kept: number;
  /** Contents that are nowhere; empty is what we want. */
  readonly lost: readonly string[];
  /** Other broken laws. */
  readonly violations: readonly string[];
}

const gateways = ['g1', 'g2'] as const;
const caller = { user: 'ann' };

interface Seen {
  readonly parent: Fid;
  readonly name: string;
  readonly expect: { readonly version: StoreId | null };
}

export async function rivalRun(seed: number, steps: number): Promise<RivalReport> {
  const run = new RivalRun(seed);
  await run.start();
  for (let step = 0; step < steps; step += 1) await run.step();
  await run.heal();
  return run.report();
}

class RivalRun {
  readonly #random;
  readonly #realm: SimulatedRealm;
  readonly #trace: string[] = [];
  /** Acknowledged contents that nobody has replaced knowingly. */
  readonly #standing = new Set<string>();
  /** By version. */
  readonly #contents = new Map<StoreId | null, string>();
  readonly #violations: string[] = [];
  #written = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.#realm = new SimulatedRealm({ seed: seed + 5000 });
  }

  async start(): Promise<void> {
    for (const name of this.#realm.serverNames) await this.#realm.startServer(name);
    for (const gateway of gateways) await this.#realm.startGateway(gateway);
    await this.#realm.finish(makeDirectory(this.#realm.gateway('g1'), 'd'));
    await this.#realm.clock.advance(2000);
  }

  async step(): Promise<void> {
    const dice = this.#random.fraction();
    const gateway = this.#pick(gateways);
    if (dice < 0.1) this.#network(gateway);
    else if (dice < 0.25) await this.#realm.clock.advance(this.#pick([10, 1000, 6000]));
    else await this.#work(gateway);
  }

  #network(gateway: string): void {
    const cut = this.#random.fraction() < 0.5;
    this.#trace.push(`${cut ? 'cut' : 'heal'} ${gateway}`);
    // From all servers: what two gateways do at different servers is for resolution to settle.
    for (const server of this.#realm.serverNames) {
      if (cut) this.#realm.network.cut(gateway, server);
      else this.#realm.network.heal(gateway, server);
    }
  }

  async #work(gateway: string): Promise<void> {
    const venus = this.#realm.gateway(gateway);
    const from = await this.#look(venus, this.#name());
    const dice = this.#random.fraction();
    if (from === undefined) return;
    if (dice < 0.65) {
      this.#written += 1;
      const contents = `${gateway} ${this.#written}`;
      const version = await this.#try(() => store(venus, from, contents));
      if (version === undefined) return;
      this.#replaced(from);
      this.#standing.add(contents);
      this.#contents.set(version, contents);
      this.#trace.push(`${gateway}: ${from.name} ${this.#of(from)} -> ${contents}`);
    } else if (dice < 0.85 && from.expect.version !== null) {
      const done = await this.#try(() => venus.remove(caller, from.parent, from.name, from.expect));
      if (done !== undefined) this.#replaced(from);
      this.#trace.push(`${gateway}: remove ${from.name} ${this.#of(from)}: ${done}`);
    } else if (from.expect.version !== null) {
      const to = await this.#look(venus, this.#name());
      if (to === undefined || to.name === from.name) return;
      const done = await this.#try(() =>
        venus.rename(caller, from, to, { replace: true, expect: to.expect }),
      );
      if (done !== undefined) this.#replaced(to);
      this.#trace.push(
        `${gateway}: rename ${from.name} ${to.name} over ${this.#of(to)}: ${done !== undefined}`,
      );
    }
  }

  #name(): string {
    return `f${Math.floor(this.#random.fraction() * 4)}`;
  }

  /** A name and what bears it, as this gateway knows: the contents may be out of its reach, the version is not. */
  async #look(venus: Venus, name: string): Promise<Seen | undefined> {
    const place = await this.#try(() => venus.lookup(caller, ['d', name]));
    if (place === undefined || place.parent === null) return undefined;
    return { parent: place.parent, name, expect: { version: place.object?.version ?? null } };
  }

  #of({ expect }: Seen): string | undefined {
    return this.#contents.get(expect.version);
  }

  /** Somebody who had seen it has put something else in its place: its contents may go. */
  #replaced(seen: Seen): void {
    const contents = this.#of(seen);
    if (contents !== undefined) this.#standing.delete(contents);
  }

  async heal(): Promise<void> {
    for (const gateway of gateways) {
      for (const server of this.#realm.serverNames) this.#realm.network.heal(gateway, server);
    }
    await this.#realm.clock.advance(130_000);
  }

  async report(): Promise<RivalReport> {
    const found = new Set<string>();
    const trees = new Set<string>();
    for (const server of this.#realm.serverNames) {
      const dump = await this.#realm.dump(server);
      for (const { versions } of dump) for (const contents of versions) found.add(contents);
      trees.add(JSON.stringify(dump.map(({ path, contents }) => [path, contents]).sort()));
    }
    let kept = 0;
    for (const gateway of gateways) {
      const venus = this.#realm.gateway(gateway);
      for (const change of venus.log.changes()) {
        if (change.state === 'kept') kept += 1;
        // A call that was cut may have reached one server alone: while the servers differ it waits for them.
        else if (trees.size === 1)
          this.#violations.push(`${gateway}: change ${change.sequence} has not left the log`);
        for (const { digest } of change.records) found.add(digest ?? '');
      }
    }
    const lost = [...this.#standing].filter((contents) => {
      return !found.has(contents) && !found.has(digestOf(Buffer.from(contents)));
    });
    return { trace: this.#trace, written: this.#written, kept, lost, violations: this.#violations };
  }

  /** Undefined: it failed, as it may. */
  async #try<T>(act: () => Promise<T>): Promise<T extends void ? true | undefined : T | undefined>;
  async #try(act: () => Promise<unknown>): Promise<unknown> {
    try {
      return (await this.#realm.finish(act())) ?? true;
    } catch (error) {
      if (isFailure(error)) this.#trace.push(`${error.operation}: ${error.kind}`);
      else throw error;
      return undefined;
    }
  }

  #pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.#random.fraction() * choices.length)];
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }
}

async function store(venus: Venus, { parent, name, expect }: Seen, contents: string): Promise<StoreId> {
  const writer = await venus.write(caller);
  try {
    await writer.write(Buffer.from(contents));
    const { status } = await writer.close({ parent, name, expect });
    if (status.version === null) throw new Error('a file has a version');
    return status.version;
  } finally {
    await writer.abort();
  }
}
