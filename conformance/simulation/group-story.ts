/** A group that grows and shrinks under writers: who writes, who orders, and what must be so at the end. */
import { Administration } from '../../gateway/administration/administration.js';
import {
  membersOf,
  onlyKey,
  volumeEntry,
  type Intention,
  type VolumeEntry,
} from '../../vice/interface/index.js';
import { sleep } from '../../vice/seam/clock.js';
import { ownerOfRows } from '../../vice/store/dropped-volume.js';
import { firstDifference, withoutOrder } from './replica-dump.js';
import { get, list, makeDirectory, put } from './share.js';
import { realmKey, rootVolume, SimulatedRealm } from './simulated-realm.js';

/** Files that a writer saves again and again. */
const filesEach = 5;
const betweenSavesMs = 150;

export class GroupStory {
  readonly realm: SimulatedRealm;
  /** What writers were told that is saved, by path; where a writer died, both what was and what may be. */
  readonly saved = new Map<string, readonly string[]>();
  /** Errors that a user saw. */
  readonly errors: string[] = [];
  #administration: Administration;
  #lives = 0;
  readonly #writing = new Map<string, { stop: boolean; done: Promise<void> }>();

  private constructor(realm: SimulatedRealm) {
    this.realm = realm;
    this.#administration = this.#newAdministration();
  }

  /** `servers` of which the first `holding` have the volume; two gateways, each with a folder of its own. */
  static async begin(seed: number, servers: number, holding: number): Promise<GroupStory> {
    const realm = new SimulatedRealm({ seed, servers, holding });
    for (const name of realm.serverNames) await realm.startServer(name);
    for (const name of ['g1', 'g2']) await realm.startGateway(name);
    for (const name of ['g1', 'g2']) await realm.finish(makeDirectory(realm.gateway(name), name));
    await realm.finish(put(realm.gateway('g1'), 'old', 'from the beginning '.repeat(5000)));
    return new GroupStory(realm);
  }

  get entry(): VolumeEntry {
    const entry = volumeEntry(this.#administration.known, rootVolume);
    if (entry === undefined) throw new Error('the volume is gone');
    return entry;
  }

  /** Servers of members; with a + behind those that are filled, a - behind those that leave. */
  get group(): string {
    const signs = { filling: '+', leaving: '-' } as const;
    return this.entry.replicas
      .map(({ server, state }) => `${server}${state === undefined ? '' : signs[state]}`)
      .join(' ');
  }

  /** Says what is wanted, again as long as the server that publishes is away. */
  async order(intention: Intention): Promise<boolean> {
    for (;;) {
      try {
        return await this.realm.finish(this.#administration.publish(intention));
      } catch (error) {
        if (!isAway(error)) throw error;
        await this.realm.clock.advance(1000);
      }
    }
  }

  add(server: string, replaces: string | null = null): Promise<boolean> {
    return this.order({ change: 'add-replica', volume: rootVolume, server, replaces });
  }

  remove(server: string, lost = false): Promise<boolean> {
    return this.order({ change: 'remove-replica', volume: rootVolume, server, lost });
  }

  /** Until no replica is on its way any more. */
  async settled(): Promise<string> {
    for (let looks = 0; looks < 600; looks += 1) {
      await this.realm.clock.advance(500);
      await this.look();
      if (this.entry.replicas.every(({ state, replaces }) => (state ?? replaces) === undefined))
        return this.group;
    }
    throw new Error(`still on their way: ${this.group}`);
  }

  /** The newest document. */
  async look(): Promise<void> {
    try {
      await this.realm.finish(this.#administration.document());
    } catch (error) {
      if (!isAway(error)) throw error;
    }
  }

  /** `gateway` begins to save files, one after the other. */
  startWriting(gateway: string): void {
    const writer = { stop: false, done: Promise.resolve() };
    writer.done = this.#write(gateway, (this.#lives += 1), writer);
    this.#writing.set(gateway, writer);
  }

  /** The gateways save one file in turn; each must see what the other has saved before it. */
  startRelay(): void {
    const writer = { stop: false, done: Promise.resolve() };
    writer.done = this.#relay(writer);
    this.#writing.set('relay', writer);
  }

  async stopWriting(): Promise<void> {
    for (const writer of this.#writing.values()) writer.stop = true;
    for (const { done } of this.#writing.values()) await this.realm.finish(done);
    this.#writing.clear();
  }

  /** Kills a gateway and starts it again; its writer goes on. */
  async restartGateway(gateway: string): Promise<void> {
    const isWriting = this.#writing.delete(gateway);
    this.realm.kill(gateway);
    await this.realm.startGateway(gateway);
    if (isWriting) this.startWriting(gateway);
  }

  async restartServer(name: string): Promise<void> {
    this.realm.kill(name);
    await this.realm.clock.advance(1500);
    await this.realm.startServer(name);
  }

  /** Whoever gives orders is killed, and begins again with the document that he had first. */
  restartAdministrator(): void {
    this.realm.network.kill('administrator', false);
    this.#administration = this.#newAdministration();
  }

  /** What is wrong when servers have had time to come together, in words. */
  async verdict(): Promise<readonly string[]> {
    await this.stopWriting();
    let faults: readonly string[] = [];
    for (let looks = 0; looks < 10; looks += 1) {
      await this.realm.clock.advance(20_000);
      await this.look();
      faults = await this.#faults();
      if (faults.length === 0) break;
    }
    return faults;
  }

  /** All is sent, all members are the same, all that was saved is there. */
  async #faults(): Promise<readonly string[]> {
    const faults = [...this.errors];
    const members = membersOf(this.entry).map(({ server }) => server);
    const states = await Promise.all(members.map((name) => this.#state(name)));
    for (const [index, state] of states.entries()) {
      const difference = firstDifference(states[0] ?? [], state);
      if (difference !== undefined) faults.push(`${members[0]} and ${members[index]} differ: ${difference}`);
    }
    for (const name of this.realm.serverNames) {
      const owner = ownerOfRows(this.realm.disk(name).store, rootVolume);
      if (!members.includes(name) && owner !== undefined) faults.push(`${name} still has replica ${owner}`);
    }
    for (const gateway of ['g1', 'g2']) {
      const venus = this.realm.gateway(gateway);
      const [volume] = venus.state().volumes;
      if (volume?.pendingRecords !== 0) faults.push(`${gateway}: ${volume?.pendingRecords} changes wait`);
      if (volume?.keptRecords !== 0) faults.push(`${gateway}: changes were refused: ${volume?.lastError}`);
      if (volume?.avsg.length !== members.length) faults.push(`${gateway} reaches ${volume?.avsg.join()}`);
      for (const [path, allowed] of this.saved) {
        const found = await this.realm.finish(get(venus, path).catch((error: unknown) => String(error)));
        if (!allowed.includes(found ?? 'nothing')) {
          faults.push(`${gateway} reads ${path} as ${found}, not as ${allowed.join(' or ')}`);
        }
      }
    }
    return faults;
  }

  #newAdministration(): Administration {
    const world = { clock: this.realm.clock, network: this.realm.network.host('administrator') };
    return new Administration(this.realm.document, onlyKey(realmKey), 'administrator', world);
  }

  /** Counts may be lower where a COP2 was lost: all else is the same. */
  async #state(server: string): Promise<readonly string[]> {
    const dump = await this.realm.dump(server);
    return withoutOrder(dump.map((object) => ({ ...object, vv: {} })));
  }

  async #relay(writer: { readonly stop: boolean }): Promise<void> {
    let last: string | undefined;
    for (let count = 1; !writer.stop; count += 1) {
      const name = count % 2 === 0 ? 'g2' : 'g1';
      const venus = this.realm.gateway(name);
      try {
        const seen = await get(venus, 'relay');
        if (seen !== last) this.errors.push(`${name} sees ${seen} where ${last} was saved`);
        last = `${count} by ${name}`;
        this.saved.set('relay', [last]);
        await put(venus, 'relay', last);
        const names = await list(venus, '');
        if (names.length !== 4) this.errors.push(`${name} lists ${names.join(', ')}`);
      } catch (error) {
        this.errors.push(`${name}, in the relay: ${String(error)}`);
      }
      await sleep(this.realm.clock, betweenSavesMs);
    }
  }

  async #write(gateway: string, life: number, writer: { readonly stop: boolean }): Promise<void> {
    const venus = this.realm.gateway(gateway);
    for (let count = 1; !writer.stop; count += 1) {
      const path = `${gateway}/f${count % filesEach}`;
      // Some travel in the call, some before it.
      const text = `${gateway} ${life} ${count} `.repeat(count % 4 === 0 ? 9000 : 3);
      this.saved.set(path, [...(this.saved.get(path) ?? ['nothing']), text]);
      try {
        await put(venus, path, text);
        this.saved.set(path, [text]);
      } catch (error) {
        this.errors.push(`${gateway}, saving ${path}: ${String(error)}`);
      }
      await sleep(this.realm.clock, betweenSavesMs);
    }
  }
}

function isAway(error: unknown): boolean {
  return (
    error instanceof Error &&
    /does not answer|none of the servers|timeout|no reply|closed/.test(error.message)
  );
}
