/**
 * Seeded schedules: two gateways change things while servers die, ways are cut and COP2 messages are lost. Whatever
 * happened, in the end every replica is the same, byte for byte, with everything in it that nobody gave up knowingly.
 * `SEEDS=100-200 STEPS=150` for more.
 */
import t from 'tap';
import { check, heldBy } from '../../conformance/bare-realm/bare-replica.js';
import { Choice } from '../../conformance/bare-realm/choice.js';
import { Ledger } from '../../conformance/bare-realm/ledger.js';
import { BareRealm, digestOf, names, root, volume, type Dumped } from '../../conformance/bare-realm/realm.js';
import { Wanderer } from '../../conformance/bare-realm/wanderer.js';
import type { Fid, VnodeStatus } from '../interface/index.js';
import { seededRandom } from '../seam/twin/seeded-random.js';

class Schedule {
  readonly realm = new BareRealm();
  readonly ledger = new Ledger();
  readonly #choice: Choice;
  readonly #shared: boolean;
  readonly #gateways: readonly Wanderer[];
  readonly #tops = new Map<Wanderer, readonly Fid[]>();
  #unique = 0;

  /** `shared`: both gateways change the same objects, with names that meet. */
  constructor(seed: number, shared: boolean) {
    this.#choice = new Choice(seededRandom(seed));
    this.#shared = shared;
    this.#gateways = ['a', 'b'].map((digit) => new Wanderer(digit, this.realm, this.#choice, this.ledger));
  }

  async run(steps: number): Promise<void> {
    await this.realm.start(...names);
    const tops: Fid[] = [];
    for (const gateway of this.#gateways) {
      gateway.look('s1', root);
      const fid = gateway.newFid();
      const draft = { op: 'mkdir', parent: root, name: `top-${gateway.digit}`, fid, mode: 0o755 } as const;
      await gateway.send(draft, { settled: false });
      tops.push(fid);
      this.#tops.set(gateway, [fid]);
    }
    if (this.#shared) await this.#share(tops);
    for (let step = 0; step < steps; step += 1) {
      if (this.#choice.chance(0.26)) await this.#disturb();
      else await this.#change(this.#choice.of(this.#gateways));
    }
    for (const name of names) for (const other of names) this.realm.network.heal(name, other);
    for (const name of names) if (!this.realm.servers.has(name)) await this.realm.start(name);
    await this.realm.clock.advance(300_000);
  }

  /** What both gateways know of when they begin, and each its own server, most of the time. */
  async #share(tops: readonly Fid[]): Promise<void> {
    const [maker] = this.#gateways;
    for (const [index, parent] of [root, ...tops, root, ...tops].entries()) {
      const fid = maker?.newFid();
      if (fid === undefined) continue;
      const made = { parent, name: `first-${index}`, fid, mode: 0o755 };
      await maker?.send({ op: index < 3 ? 'mkdir' : 'create', ...made }, { settled: false });
    }
    for (const [index, gateway] of this.#gateways.entries()) {
      this.#tops.set(gateway, [root, ...tops]);
      for (const fid of [root, ...tops]) gateway.look('s1', fid);
      gateway.reach = this.#home(index);
    }
  }

  #home(index: number): readonly string[] {
    return names.filter((_, at) => at === index);
  }

  async #disturb(): Promise<void> {
    const [one, other] = [this.#choice.of(names), this.#choice.of(names)];
    switch (this.#choice.below(5)) {
      case 0:
        // Everybody alone.
        for (const a of names) for (const b of names) if (a < b) this.realm.network.cut(a, b);
        return;
      case 1:
        if (!this.realm.servers.has(one)) return this.realm.start(one);
        if (this.realm.servers.size > 1) this.realm.kill(one);
        return;
      case 2:
        if (one !== other) this.realm.network.cut(one, other);
        return;
      case 3:
        this.realm.network.heal(one, other);
        return;
      default:
        return this.realm.clock.advance(this.#choice.below(70_000));
    }
  }

  async #change(gateway: Wanderer): Promise<void> {
    if (this.#choice.chance(0.2)) {
      const isAtHome = this.#shared && this.#choice.chance(0.7);
      const home = this.#home(this.#gateways.indexOf(gateway));
      gateway.reach = isAtHome ? home : names.filter(() => this.#choice.chance(0.5));
    }
    const all = gateway.alive().filter(({ fid }) => this.#isOf(gateway, fid));
    const directory = this.#choice.of(all.filter(({ kind }) => kind === 'directory')).fid;
    if (this.#shared && this.#choice.chance(0.5) && gateway.reach.length > 0) {
      gateway.look(this.#choice.of(gateway.reach), directory);
    }
    this.#unique += 1;
    const wanted = this.#shared && this.#choice.chance(0.4) ? 'same' : `n${this.#unique}`;
    const isTaken = gateway.children(directory).some(({ fid }) => gateway.nameOf(fid) === wanted);
    const name = isTaken ? `n${this.#unique}` : wanted;
    const others = all.filter(({ fid }) => fid !== root && this.#tops.get(gateway)?.[0] !== fid);
    if (others.length === 0 || this.#choice.chance(others.length < 8 ? 0.5 : 0.2))
      await this.#make(gateway, directory, name);
    else await this.#changeOne(gateway, this.#choice.of(others), directory, name);
  }

  #isOf(gateway: Wanderer, fid: Fid): boolean {
    return (this.#tops.get(gateway) ?? []).some((top) => gateway.isIn(fid, top));
  }

  async #make(gateway: Wanderer, parent: Fid, name: string): Promise<void> {
    const fid = gateway.newFid();
    const settled = this.#choice.chance(0.5);
    switch (this.#choice.below(5)) {
      case 0:
      case 1:
        return void (await gateway.send({ op: 'mkdir', parent, name, fid, mode: 0o755 }, { settled }));
      case 2:
        return void (await gateway.send({ op: 'symlink', parent, name, fid, target: name }, { settled }));
      default:
        return void (await gateway.send({ op: 'create', parent, name, fid, mode: 0o644 }, { settled }));
    }
  }

  async #changeOne(gateway: Wanderer, object: VnodeStatus, toParent: Fid, toName: string): Promise<void> {
    const { fid, kind, parent } = object;
    if (parent === null) return;
    if (this.#shared && this.#choice.chance(0.5) && gateway.reach.length > 0) {
      gateway.lookAt(this.#choice.of(gateway.reach), fid);
    }
    const settled = this.#choice.chance(0.5);
    const name = gateway.nameOf(fid);
    switch (this.#choice.below(7)) {
      case 0:
      case 1:
        if (kind === 'file') await this.#store(gateway, object, settled);
        return;
      case 2:
        return void (await gateway.send(
          { op: 'setprops', fid, set: { [`{x}p${this.#choice.below(3)}`]: `${this.#unique}` }, remove: [] },
          { settled },
        ));
      case 3:
        return void (await gateway.send({ op: 'chmod', fid, mode: this.#unique % 8 }, { settled }));
      case 4: {
        if (kind === 'directory' && gateway.children(fid).length > 0) return;
        const op = kind === 'directory' ? 'rmdir' : 'remove';
        return void (await gateway.send({ op, parent, name, fid }, { settled }));
      }
      case 5: {
        const { siblings, data } = gateway.seen(fid) ?? object;
        const dismiss =
          data === null ? [] : siblings.filter(() => this.#choice.chance(0.7)).map(({ mark }) => mark);
        const accept = this.#choice.chance(0.5) ? { name } : null;
        if (dismiss.length === 0 && accept === null) return;
        return void (await gateway.send({ op: 'repair', fid, dismiss, accept }, { settled }));
      }
      default:
        if (gateway.isIn(toParent, fid)) return;
        return void (await gateway.send(
          { op: 'rename', fromParent: parent, fromName: name, toParent, toName, fid },
          { settled },
        ));
    }
  }

  async #store(gateway: Wanderer, object: VnodeStatus, settled: boolean): Promise<void> {
    const { fid, data, siblings } = gateway.seen(object.fid) ?? object;
    const text = `text ${this.#unique}`;
    const saved = Math.max(1000 * this.#choice.below(20), (data?.saved ?? 0) + 1);
    const beside = siblings.length === 0 ? {} : { beside: siblings.map(({ mark }) => mark) };
    const contents = { length: text.length, digest: digestOf(text), modified: this.#unique, saved };
    await gateway.send({ op: 'store', fid, ...contents, ...beside }, { text, settled });
  }
}

const [first = 1, last = first] = (process.env['SEEDS'] ?? '1-2').split('-').map(Number);
const steps = Number(process.env['STEPS'] ?? 60);

for (const shared of [false, true]) {
  t.test(shared ? 'gateways that get in the way of each other' : 'gateways with a tree each', async (t) => {
    for (let seed = first; seed <= last; seed += 1) {
      const { realm, ledger } = await ran(seed, shared);
      const dumps = await Promise.all(names.map((name) => realm.dump(name)));
      t.same(dumps.slice(1), [dumps[0], dumps[0]], `seed ${seed}: the same`);
      const remains = names.map((name) => realm.remains(name));
      t.same(remains.slice(1), [remains[0], remains[0]], `seed ${seed}: the same tombstones`);
      const stamps = names.map((name) => realm.server(name).replica(volume)?.stamp);
      for (const name of names) {
        const replica = realm.server(name).replica(volume);
        if (replica === undefined) throw new Error(`${name} has no replica`);
        await t.resolves(check(replica, realm.disk(name).store), `seed ${seed}: a tree at ${name}`);
        t.same([...ledger.faults(heldBy(replica))], [], `seed ${seed}: nothing is lost at ${name}`);
        const operator = await realm.dial(name, 'op', 'operator');
        const { inconsistent, pulled } = await operator.call('resolve', { volume, fids: null });
        t.same([inconsistent, pulled], [[], 0], `seed ${seed}: nothing is left to do at ${name}`);
      }
      await realm.clock.advance(130_000);
      t.same(
        names.map((name) => realm.server(name).replica(volume)?.stamp),
        stamps,
        `seed ${seed}: and rest`,
      );
      t.comment(summary(seed, ledger, dumps[0] ?? new Map()));
      if (shared) continue;
      const conflicts = [...(dumps[0] ?? [])].filter(([, { conflicts }]) => conflicts.length > 0);
      t.same(conflicts, [], `seed ${seed}: nobody has to decide anything`);
    }
  });
}

async function ran(seed: number, shared: boolean): Promise<Schedule> {
  const schedule = new Schedule(seed, shared);
  await schedule.run(steps);
  return schedule;
}

function summary(seed: number, ledger: Ledger, dump: ReadonlyMap<string, Dumped>): string {
  const kinds = new Map<string, number>();
  for (const { conflicts } of dump.values())
    for (const kind of conflicts) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const broken = [...dump.values()].filter(({ places }) => places.some(({ isBroken }) => isBroken)).length;
  const counts = [...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ');
  return `seed ${seed}: ${ledger.size} updates, ${dump.size} objects; ${counts || 'no conflicts'}; ${broken} circles`;
}
