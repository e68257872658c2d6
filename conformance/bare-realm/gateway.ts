/** The smallest gateway there can be: records made by hand, to the servers that a test lets it reach. */
import {
  fidsOf,
  makeFid,
  makeStoreId,
  volumeOf,
  type Argument,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type VenusId,
  type VolumeId,
} from '../../vice/interface/index.js';
import { BareRealm, digestOf, names, volume, type Client } from './realm.js';

export type Draft<M extends Mutation = Mutation> = M extends Mutation
  ? Omit<M, 'storeId' | 'time' | 'author' | 'host' | 'base'>
  : never;

/** A gateway as small as can be: sends each record to some servers, then COP2 to those that applied it. */
export class BareGateway {
  readonly venus: VenusId;
  readonly host: string;
  /** In its certificate. */
  readonly #called: string;
  readonly #realm: BareRealm;
  readonly #volume: VolumeId;
  readonly #clients = new Map<string, Client>();
  #counter = 0;
  #vnode = 1;
  /** Which servers it can reach. */
  reach: readonly string[] = names;
  sendsCop2 = true;

  constructor(realm: BareRealm, digit: string, of = volume, called = 'gateway') {
    this.#called = called;
    this.#realm = realm;
    this.#volume = of;
    this.host = `g${digit}`;
    this.venus = digit.repeat(16) as VenusId;
  }

  get name(): string {
    return `${this.#called}/${this.venus}`;
  }

  async client(server: string): Promise<Client> {
    const known = this.#clients.get(server);
    if (known !== undefined) return known;
    const client = await this.#realm.dial(server, this.name);
    void client.link.closed.then(() => this.#clients.delete(server));
    this.#clients.set(server, client);
    return client;
  }

  record(draft: Draft, seenAt: string): Mutation {
    this.#counter += 1;
    const storeId = makeStoreId(this.venus, this.#counter);
    const common = { storeId, time: 1_000 * this.#counter, author: 'ann', host: this.host, base: {} };
    const partial = { ...draft, ...common } as Mutation;
    const base: Record<Fid, StoreIdVector> = {};
    for (const fid of fidsOf(partial)) {
      const status = this.#realm.status(seenAt, fid);
      if (status !== undefined) base[fid] = status.known;
    }
    return { ...partial, base };
  }

  /** Applies `drafts` one after the other at all servers in reach. */
  async apply(drafts: readonly Draft[], inline: Readonly<Record<string, Uint8Array>> = {}): Promise<void> {
    for (const draft of drafts) {
      const record = this.record(draft, this.reach[0] ?? 's1');
      const applied: string[] = [];
      for (const server of this.reach) {
        const client = await this.client(server);
        const reply = await client.call('mutate', mutation(record, inline));
        if (reply.outcome === 'applied') applied.push(reply.replica);
        else throw new Error(`${record.op} refused by ${server}: ${reply.failure.message}`);
      }
      if (!this.sendsCop2) continue;
      const second = { volume: this.#volume, cop2: [{ storeId: record.storeId, replicas: applied }] };
      for (const server of this.reach) await (await this.client(server)).call('cop2', second);
    }
  }

  async make(op: 'create' | 'mkdir', parent: Fid, name: string): Promise<Fid> {
    this.#vnode += 1;
    const fid = makeFid(this.#volume, this.#vnode, this.venus);
    await this.apply([{ op, parent, name, fid, mode: 0o644 }]);
    return fid;
  }

  async store(fid: Fid, text: string): Promise<void> {
    const digest = digestOf(text);
    const shown = this.#realm.status(this.reach[0] ?? 's1', fid)?.data;
    const saved = (shown?.saved ?? 0) + 1;
    const draft = { op: 'store', fid, length: text.length, digest, modified: 5, saved } as const;
    await this.apply([draft], { [digest]: Buffer.from(text, 'latin1') });
  }

  async file(parent: Fid, name: string, text: string): Promise<Fid> {
    const fid = await this.make('create', parent, name);
    await this.store(fid, text);
    return fid;
  }

  remove(op: 'remove' | 'rmdir', parent: Fid, name: string, fid: Fid): Promise<void> {
    return this.apply([{ op, parent, name, fid }]);
  }

  rename(fid: Fid, fromParent: Fid, fromName: string, toParent: Fid, toName: string): Promise<void> {
    return this.apply([{ op: 'rename', fid, fromParent, fromName, toParent, toName }]);
  }
}

/** One record and the contents that come with it. */
export function mutation(record: Mutation, inline: Readonly<Record<string, Uint8Array>>): Argument<'mutate'> {
  const volume = volumeOf(record.fid);
  return { volume, records: [record], inline: { ...inline }, transfers: {}, watermark: 0, cop2: [] };
}

/** A realm whose servers `started` run, and a gateway that reaches them. */
export async function realmOf(
  ...started: readonly string[]
): Promise<{ readonly realm: BareRealm; readonly ann: BareGateway }> {
  const realm = new BareRealm();
  await realm.start(...started);
  const ann = new BareGateway(realm, 'a');
  ann.reach = started;
  return { realm, ann };
}
