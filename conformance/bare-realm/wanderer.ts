/**
 * A gateway that remembers what it has seen, as a Venus does, goes on after every refusal, and sees as much of the
 * servers as it happens to.
 */
import {
  fidsOf,
  isFailure,
  isRemoved,
  makeFid,
  makeStoreId,
  mergeStatus,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { Choice } from './choice.js';
import { mutation, type Draft } from './gateway.js';
import { digestOf, names, root, volume, type BareRealm, type Client } from './realm.js';
import type { Ledger } from './ledger.js';

export class Wanderer {
  reach: readonly string[] = names;
  readonly digit: string;
  readonly #realm: BareRealm;
  readonly #choice: Choice;
  readonly #ledger: Ledger;
  readonly #venus: VenusId;
  /** Objects as it has last seen them, removed ones too. */
  readonly #view = new Map<Fid, VnodeStatus>();
  readonly #names = new Map<Fid, string>();
  readonly #clients = new Map<string, Client>();
  #counter = 0;
  #made = 1;

  constructor(digit: string, realm: BareRealm, choice: Choice, ledger: Ledger) {
    this.digit = digit;
    this.#realm = realm;
    this.#choice = choice;
    this.#ledger = ledger;
    this.#venus = digit.repeat(16) as VenusId;
  }

  newFid(): Fid {
    this.#made += 1;
    return makeFid(volume, this.#made, this.#venus);
  }

  /** Objects that are alive as far as it knows. */
  alive(): readonly VnodeStatus[] {
    return [...this.#view.values()].filter((status) => !isRemoved(status));
  }

  seen(fid: Fid): VnodeStatus | undefined {
    return this.#view.get(fid);
  }

  /** The name by which it knows the object; where it has only heard of it, the one that it was given. */
  nameOf(fid: Fid): string {
    return this.#names.get(fid) ?? this.#view.get(fid)?.places[0]?.name ?? '';
  }

  children(directory: Fid): readonly VnodeStatus[] {
    return this.alive().filter(({ parent }) => parent === directory);
  }

  /** Whether `fid` is `ancestor` or in it, as far as it knows. */
  isIn(fid: Fid | null, ancestor: Fid): boolean {
    for (let next = fid; next !== null; next = this.#view.get(next)?.parent ?? null) {
      if (next === ancestor) return true;
    }
    return false;
  }

  /** Looks at all that a server has in `directory`, and at the directory. */
  look(server: string, directory: Fid): void {
    const replica = this.#realm.servers.get(server)?.replica(volume);
    const listing = replica?.list(directory);
    if (listing === undefined) return;
    this.#meet(listing.status);
    for (const { name, status } of listing.entries) {
      this.#meet(status);
      this.#names.set(status.fid, name);
    }
  }

  /** Looks at one object, and above it. */
  lookAt(server: string, fid: Fid): void {
    const replica = this.#realm.servers.get(server)?.replica(volume);
    const status = replica?.held(fid);
    if (status === undefined) return;
    this.#meet(status);
    if (status.parent !== null && !isRemoved(status)) this.look(server, status.parent);
  }

  /** Whether any server has applied it. */
  async send(draft: Draft, options: { readonly text?: string; readonly settled: boolean }): Promise<boolean> {
    const { text, settled } = options;
    this.#counter += 1;
    const storeId = makeStoreId(this.#venus, this.#counter);
    const common = {
      storeId,
      time: 1000 * this.#choice.below(20),
      author: this.digit,
      host: `g${this.digit}`,
    };
    const bare = { ...draft, ...common, base: {}, ...(settled && { settled }) } as Mutation;
    const base: Record<Fid, StoreIdVector> = {};
    for (const fid of fidsOf(bare)) {
      const known = this.#view.get(fid)?.known;
      if (known !== undefined) base[fid] = known;
    }
    const record = { ...bare, base };
    const inline = text === undefined ? {} : { [digestOf(text)]: Buffer.from(text) };
    const applied: string[] = [];
    for (const server of this.reach.filter((name) => this.#realm.servers.has(name))) {
      if (await this.#sendTo(server, record, inline)) applied.push(server);
    }
    if (applied.length === 0) return false;
    this.#ledger.enter(record);
    const replicas = applied.map((server) => `r-${server}`);
    const cop2 = { volume, cop2: [{ storeId, replicas }] };
    for (const server of applied) {
      if (this.#choice.chance(0.7)) await this.#try(server, (client) => client.call('cop2', cop2));
    }
    return true;
  }

  async #sendTo(server: string, record: Mutation, inline: Record<string, Uint8Array>): Promise<boolean> {
    const reply = await this.#try(server, (client) => client.call('mutate', mutation(record, inline)));
    if (reply?.outcome !== 'applied') return false;
    const replica = this.#realm.server(server).replica(volume);
    for (const fid of fidsOf(record)) {
      const status = replica?.held(fid);
      if (status === undefined) continue;
      this.#meet(status);
      const name = this.#nameAt(server, status);
      if (name !== undefined) this.#names.set(fid, name);
    }
    return true;
  }

  #nameAt(server: string, { fid, parent }: VnodeStatus): string | undefined {
    if (parent === null) return undefined;
    const listing = this.#realm.server(server).replica(volume)?.list(parent);
    for (const { name, status } of listing?.entries ?? []) if (status.fid === fid) return name;
    return undefined;
  }

  #meet(status: VnodeStatus): void {
    const known = this.#view.get(status.fid);
    this.#view.set(status.fid, known === undefined ? status : mergeStatus(known, status));
    if (status.fid === root) this.#names.set(root, '');
  }

  async #try<T>(server: string, work: (client: Client) => Promise<T>): Promise<T | undefined> {
    try {
      let client = this.#clients.get(server);
      if (client === undefined) {
        client = await this.#realm.dial(server, `gateway/${this.#venus}`);
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
