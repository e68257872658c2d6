/**
 * Seeded schedules: two gateways change things while servers die, ways are cut and COP2 messages are lost.
 * Whatever happened, in the end every replica is the same, byte for byte; where both sides changed the same,
 * it is reported and every tree is still a tree. `SEEDS=100-200 STEPS=150` for more.
 */
import t from 'tap';
import { mutation } from '../../conformance/bare-realm/gateway.js';
import { BareRealm, digestOf, names, root, volume, type Client } from '../../conformance/bare-realm/realm.js';
import {
  fidsOf,
  isFailure,
  makeFid,
  makeStoreId,
  unionOf,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VnodeStatus,
} from '../interface/index.js';
import type { Random } from '../seam/random.js';
import { seededRandom } from '../seam/twin/seeded-random.js';

interface Placed {
  readonly fid: Fid;
  readonly kind: 'file' | 'directory';
  parent: Fid;
  name: string;
}

type Draft<M extends Mutation = Mutation> = M extends Mutation
  ? Omit<M, 'storeId' | 'time' | 'author' | 'base'>
  : never;

class Choice {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  chance(probability: number): boolean {
    return this.#random.fraction() < probability;
  }

  below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  of<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  }
}

/** A gateway that remembers what it has seen, as a Venus does, and goes on after every refusal. */
class Wanderer {
  readonly directories: Fid[] = [];
  objects: Placed[] = [];
  reach: readonly string[] = names;
  readonly #venus: VenusId;
  readonly #seen = new Map<Fid, StoreIdVector>();
  readonly #clients = new Map<string, Client>();
  #counter = 0;
  #made = 1;

  constructor(
    readonly realm: BareRealm,
    digit: string,
    readonly choice: Choice,
  ) {
    this.#venus = digit.repeat(16) as VenusId;
  }

  newFid(): Fid {
    this.#made += 1;
    return makeFid(volume, this.#made, this.#venus);
  }

  /** Whether any server has applied it. */
  async send(draft: Draft, text?: string): Promise<boolean> {
    this.#counter += 1;
    const storeId = makeStoreId(this.#venus, this.#counter);
    const bare = { ...draft, storeId, time: this.#counter, author: 'ann', base: {} } as Mutation;
    const seen = fidsOf(bare).flatMap((fid) => {
      const known = this.#seen.get(fid);
      return known === undefined ? [] : [[fid, known] as const];
    });
    const record = { ...bare, base: Object.fromEntries(seen) } as Mutation;
    const inline = text === undefined ? {} : { [digestOf(text)]: Buffer.from(text) };
    const applied: string[] = [];
    for (const server of this.reach.filter((name) => this.realm.servers.has(name))) {
      if (await this.#sendTo(server, record, inline)) applied.push(server);
    }
    if (applied.length === 0) return false;
    const replicas = applied.map((server) => `r-${server}`);
    const cop2 = { volume, cop2: [{ storeId, replicas }] };
    for (const server of applied) {
      if (this.choice.chance(0.7)) await this.#try(server, (client) => client.call('cop2', cop2));
    }
    return true;
  }

  async #sendTo(server: string, record: Mutation, inline: Record<string, Uint8Array>): Promise<boolean> {
    const reply = await this.#try(server, (client) => client.call('mutate', mutation(record, inline)));
    if (reply?.outcome !== 'applied') return false;
    for (const fid of fidsOf(record)) {
      const known = this.realm.status(server, fid)?.known;
      if (known !== undefined) this.#seen.set(fid, unionOf(this.#seen.get(fid) ?? {}, known));
    }
    return true;
  }

  async #try<T>(server: string, work: (client: Client) => Promise<T>): Promise<T | undefined> {
    try {
      let client = this.#clients.get(server);
      if (client === undefined) {
        client = await this.realm.dial(server, `gateway/${this.#venus}`);
        void client.link.closed.then(() => this.#clients.delete(server));
        this.#clients.set(server, client);
      }
      return await work(client);
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }
}

function contentsOf(text: string): { readonly length: number; readonly digest: string } {
  return { length: text.length, digest: digestOf(text) };
}

class Schedule {
  readonly realm = new BareRealm();
  readonly #choice: Choice;
  readonly #shared: boolean;
  readonly #gateways: readonly Wanderer[];
  #unique = 0;

  /** `shared`: both gateways change the same objects, with names that meet. */
  constructor(seed: number, shared: boolean) {
    this.#choice = new Choice(seededRandom(seed));
    this.#shared = shared;
    this.#gateways = ['a', 'b'].map((digit) => new Wanderer(this.realm, digit, this.#choice));
  }

  async run(steps: number): Promise<void> {
    await this.realm.start(...names);
    for (const [index, gateway] of this.#gateways.entries()) {
      const fid = gateway.newFid();
      await gateway.send({ op: 'mkdir', parent: root, name: `top-${index}`, fid, mode: 0o755 });
      for (const other of this.#shared ? this.#gateways : [gateway]) other.directories.push(fid);
    }
    for (let step = 0; step < steps; step += 1) {
      if (this.#choice.chance(0.26)) await this.#disturb();
      else await this.#change(this.#choice.of(this.#gateways));
    }
    for (const name of names) for (const other of names) this.realm.network.heal(name, other);
    for (const name of names) if (!this.realm.servers.has(name)) await this.realm.start(name);
    await this.realm.clock.advance(300_000);
  }

  async #disturb(): Promise<void> {
    const [one, other] = [this.#choice.of(names), this.#choice.of(names)];
    switch (this.#choice.below(4)) {
      case 0:
        if (!this.realm.servers.has(one)) return this.realm.start(one);
        if (this.realm.servers.size > 1) this.realm.kill(one);
        return;
      case 1:
        if (one !== other) this.realm.network.cut(one, other);
        return;
      case 2:
        this.realm.network.heal(one, other);
        return;
      default:
        return this.realm.clock.advance(this.#choice.below(70_000));
    }
  }

  async #change(gateway: Wanderer): Promise<void> {
    if (this.#choice.chance(0.2)) gateway.reach = names.filter(() => this.#choice.chance(0.7));
    const parent = this.#choice.of(gateway.directories);
    this.#unique += 1;
    const name = this.#shared && this.#choice.chance(0.3) ? 'same' : `n${this.#unique}`;
    if (this.#choice.chance(0.45) || gateway.objects.length === 0) {
      const kind = this.#choice.chance(0.4) ? 'directory' : 'file';
      const fid = gateway.newFid();
      const op = kind === 'file' ? 'create' : 'mkdir';
      if (!(await gateway.send({ op, parent, name, fid, mode: 0o755 }))) return;
      if (kind === 'directory') gateway.directories.push(fid);
      gateway.objects.push({ fid, kind, parent, name });
      return;
    }
    await this.#changeOne(gateway, this.#choice.of(gateway.objects), parent, name);
  }

  async #changeOne(gateway: Wanderer, object: Placed, toParent: Fid, toName: string): Promise<void> {
    const { fid, kind, parent, name } = object;
    const removal = { op: kind === 'file' ? 'remove' : 'rmdir', parent, name, fid } as const;
    const text = `text ${this.#unique}`;
    switch (this.#choice.below(6)) {
      case 0:
      case 1:
        if (kind === 'directory') return;
        await gateway.send({ ...contentsOf(text), op: 'store', fid, modified: 1 }, text);
        return;
      case 2:
        await gateway.send({ op: 'setprops', fid, set: { [`{x}p${this.#unique}`]: 'v' }, remove: [] });
        return;
      case 3:
        await gateway.send({ op: 'chmod', fid, mode: this.#unique % 8 });
        return;
      case 4:
        if (!(await gateway.send(removal))) return;
        gateway.objects = gateway.objects.filter((other) => other !== object);
        if (kind === 'directory') gateway.directories.splice(gateway.directories.indexOf(fid), 1);
        return;
      default:
        if (await gateway.send({ op: 'rename', fromParent: parent, fromName: name, toParent, toName, fid })) {
          object.parent = toParent;
          object.name = toName;
        }
    }
  }
}

type Dump = ReadonlyMap<string, VnodeStatus>;

function isTree(dump: Dump): boolean {
  return [...dump].every(([path, { parent }]) => {
    const above = path === '' ? null : dump.get(path.slice(0, path.lastIndexOf('/')))?.fid;
    return above === parent;
  });
}

const [first = 1, last = first] = (process.env['SEEDS'] ?? '1-2').split('-').map(Number);
const steps = Number(process.env['STEPS'] ?? 60);

for (const shared of [false, true]) {
  t.test(shared ? 'gateways that get in the way of each other' : 'gateways with a tree each', async (t) => {
    for (let seed = first; seed <= last; seed += 1) {
      const schedule = new Schedule(seed, shared);
      await schedule.run(steps);
      const dumps = await Promise.all(names.map((name) => schedule.realm.dump(name)));
      const inconsistent: Fid[] = [];
      for (const name of names) {
        const operator = await schedule.realm.dial(name, 'op', 'operator');
        inconsistent.push(...(await operator.call('resolve', { volume, fids: null })).inconsistent);
      }
      if (!shared) t.same(inconsistent, [], `seed ${seed}: nothing to merge`);
      if (inconsistent.length === 0) t.same(dumps.slice(1), [dumps[0], dumps[0]], `seed ${seed}: the same`);
      t.ok(dumps.every(isTree), `seed ${seed}: a tree`);
    }
  });
}
