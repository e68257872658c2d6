/**
 * An administrator's way to the servers of a realm: the newest realm document, changes of it, and what a server tells
 * of itself. Whoever has the realm key may come in.
 */
import {
  calls,
  contractFault,
  Failure,
  isFailure,
  publisherOf,
  revocationFault,
  type Argument,
  type CallName,
  type Intention,
  type PeopleChange,
  type RealmDocument,
  type RealmKeys,
  type Result,
  type ServerEntry,
  type ShownCertificate,
  type SnapshotId,
  type UserVerifier,
  type VolumeId,
} from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { Link, Network } from '../../vice/seam/network.js';
import { dialProved } from '../../vice/seam/proved-dial.js';

const credentialMs = 24 * 60 * 60 * 1000;
/** A server that has just come to publish hears of it in a moment. */
const attemptsMost = 5;
const againMs = 200;
/** A page of objects is read, or written and flushed; `covers` fetches what is missing. */
const carryingMs = 60_000;

type CarryingCall = 'snapshotObjects' | 'lackingContents' | 'restoreObjects' | 'covers';

export interface AdministrationWorld {
  readonly clock: Clock;
  readonly network: Network;
}

export class Administration {
  readonly #keys: RealmKeys;
  readonly #user: string;
  readonly #world: AdministrationWorld;
  readonly #links = new Map<string, Promise<Link>>();
  #document: RealmDocument;

  /** `document` may be an old one, if one of its servers is still there. `user` is named in the servers' logs. */
  constructor(document: RealmDocument, keys: RealmKeys, user: string, world: AdministrationWorld) {
    this.#document = document;
    this.#keys = keys;
    this.#user = user;
    this.#world = world;
  }

  /** The newest document that is known here. */
  get known(): RealmDocument {
    return this.#document;
  }

  /** The newest: that of the server that publishes; without it, that any has. @throws Failure unreachable */
  async document(): Promise<RealmDocument> {
    const { servers } = this.#document;
    const publisher = publisherOf(this.#document);
    const first = servers.filter(({ name }) => name === publisher);
    if ((await this.#locate(first)) && publisherOf(this.#document) === publisher) return this.#document;
    if (await this.#locate(servers)) return this.#document;
    const names = servers.map(({ name }) => name).join(', ');
    throw new Failure('unreachable', 'administration', `none of the servers ${names} answers`);
  }

  /**
   * Changes the realm; resolves when that is durable at the server that publishes, with whether there was anything to
   * change.
   * @throws Failure unreachable (that server is down), refused, exists, not-found, changed
   */
  async publish(intention: Intention, basedOn: number | null = null): Promise<boolean> {
    const argument = { intention, basedOn, user: this.#user };
    const { changed, document } = await this.#atPublisher('publish', argument);
    this.#learn(document);
    return changed;
  }

  /**
   * Changes the people whom the servers keep; as `publish`.
   * @throws Failure unreachable, refused (the gateways of this realm keep them), exists, not-found, invalid
   */
  async changePeople(change: PeopleChange): Promise<boolean> {
    return (await this.#atPublisher('changePeople', { change })).changed;
  }

  /**
   * The servers keep these from now on, with the passwords that they have at a gateway; whether that is new.
   * @throws Failure unreachable, exists (a group of such a name; others than those whom the servers keep), invalid
   */
  async keepPeople(users: readonly UserVerifier[]): Promise<boolean> {
    return (await this.#atPublisher('keepPeople', { users: [...users] })).changed;
  }

  /** The people whom the servers keep; undefined: the gateways do. @throws Failure unreachable */
  async users(): Promise<Result<'users'> | undefined> {
    const document = await this.document();
    return document.people === undefined ? undefined : this.#atPublisher('users', {});
  }

  async #atPublisher<C extends CallName>(call: C, argument: Argument<C>): Promise<Result<C>> {
    for (let attempt = 1; ; attempt += 1) {
      const publisher = this.#publisher(await this.document());
      try {
        return await this.#call(publisher, call, argument);
      } catch (error) {
        if (isFailure(error, 'unreachable', 'timeout')) throw silent(publisher, error);
        // That it publishes is news to it, or no longer true.
        if (!isFailure(error, 'stale') || attempt >= attemptsMost) throw error;
        await sleep(this.#world.clock, againMs);
      }
    }
  }

  /**
   * `name` publishes from now on; the server that did is lost. Resolves with whether that is new.
   * @throws Failure refused (that one answers after all), not-found, unreachable, changed (`name` lacks the newest
   * document)
   */
  async takeOver(name: string): Promise<boolean> {
    const known = await this.document();
    const taker = known.servers.find((server) => server.name === name);
    if (taker === undefined) throw new Failure('not-found', 'administration', `there is no server ${name}`);
    const publisher = this.#publisher(known);
    if (publisher.name === name) return false;
    if (await this.#locate([publisher])) {
      const message = `${publisher.name}, which publishes, is there: it can hand over itself`;
      throw new Failure('refused', 'administration.publish', message);
    }
    const intention = { change: 'take-over', name } as const;
    const argument = { intention, basedOn: known.version, user: this.#user };
    const { changed, document } = await this.#call(taker, 'publish', argument);
    this.#learn(document);
    return changed;
  }

  /** What a server tells an operator; undefined: it does not answer. */
  report(name: string): Promise<Result<'report'> | undefined> {
    return this.#asked(name, 'report', {});
  }

  /** How far a server's scrub is; `start`: begins one. Undefined: the server does not answer. */
  scrub(name: string, start: boolean): Promise<Result<'scrub'> | undefined> {
    return this.#asked(name, 'scrub', { start });
  }

  /** Entries of a server's audit log after number `after`; null: the newest. @throws Failure unreachable, damaged */
  audit(server: string, after: number | null, limit: number): Promise<Result<'audit'>> {
    return this.#call(this.#server(server), 'audit', { after, limit });
  }

  /** What snapshots of a volume a server has. @throws Failure unreachable, stale, incompatible */
  snapshots(server: string, volume: VolumeId): Promise<Result<'snapshots'>> {
    return this.#call(this.#server(server), 'snapshots', { volume });
  }

  /** @throws Failure unreachable, stale, exists, refused */
  takeSnapshot(server: string, volume: VolumeId, snapshot: SnapshotId): Promise<Result<'takeSnapshot'>> {
    return this.#call(this.#server(server), 'takeSnapshot', { volume, snapshot });
  }

  /** @throws Failure unreachable, stale */
  dropSnapshot(server: string, volume: VolumeId, name: string): Promise<Result<'dropSnapshot'>> {
    return this.#call(this.#server(server), 'dropSnapshot', { volume, name });
  }

  /** What carries volumes out and in (vice/interface/dump-calls.ts). @throws Failure as the call */
  carry<C extends CarryingCall>(server: string, call: C, argument: Argument<C>): Promise<Result<C>> {
    return this.#call(this.#server(server), call, argument, carryingMs);
  }

  /** What an operator may read at a server, from byte `start` on. @throws Failure unreachable, not-found, damaged */
  async download(server: string, path: string, start: number): Promise<AsyncIterable<Uint8Array>> {
    return (await this.#linked(this.#server(server))).download(path, start);
  }

  /** @throws Failure unreachable, no-space, what `source` throws */
  async upload(server: string, path: string, source: AsyncIterable<Uint8Array>): Promise<void> {
    return (await this.#linked(this.#server(server))).upload(path, 0, source);
  }

  #server(name: string): ServerEntry {
    const server = this.#document.servers.find((each) => each.name === name);
    if (server !== undefined) return server;
    throw new Failure('not-found', 'administration', `there is no server ${name}`);
  }

  async #asked<C extends CallName>(
    name: string,
    call: C,
    argument: Argument<C>,
  ): Promise<Result<C> | undefined> {
    const server = this.#document.servers.find((each) => each.name === name);
    if (server === undefined) return undefined;
    try {
      return await this.#call(server, call, argument);
    } catch (error) {
      if (!isFailure(error)) throw error;
      return undefined;
    }
  }

  async close(): Promise<void> {
    for (const link of this.#links.values()) (await link.catch(() => undefined))?.close();
    this.#links.clear();
  }

  /** Asks all of `servers`; whether one has answered. */
  async #locate(servers: readonly ServerEntry[]): Promise<boolean> {
    let isAnswered = false;
    let refusal: Failure | undefined;
    for (const answer of await Promise.allSettled(
      servers.map((server) => this.#call(server, 'locate', {})),
    )) {
      if (answer.status === 'fulfilled') {
        isAnswered = true;
        this.#learn(answer.value);
      } else if (!isFailure(answer.reason)) throw answer.reason;
      else if (answer.reason.kind === 'not-authenticated') refusal = answer.reason;
    }
    // It answers, but not to whoever asks here: that is what they must hear.
    if (!isAnswered && refusal !== undefined) throw refusal;
    return isAnswered;
  }

  #publisher(document: RealmDocument): ServerEntry {
    const name = publisherOf(document);
    const entry = document.servers.find((server) => server.name === name);
    if (entry !== undefined) return entry;
    throw new Failure('refused', 'administration', 'the realm has no server');
  }

  #learn(document: RealmDocument): void {
    if (document.realm === this.#document.realm && document.version > this.#document.version) {
      this.#document = document;
    }
  }

  async #call<C extends CallName>(
    server: ServerEntry,
    name: C,
    argument: Argument<C>,
    timeoutMs?: number,
  ): Promise<Result<C>> {
    const link = await this.#linked(server);
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    const reply = calls[name].result.safeParse(await link.call(name, argument, options));
    if (reply.success) return reply.data as Result<C>;
    const message = `${server.name} answered in another version: ${contractFault(reply.error)}`;
    throw new Failure('incompatible', `administration.${name}`, message);
  }

  #linked({ name, address }: ServerEntry): Promise<Link> {
    const known = this.#links.get(address);
    if (known !== undefined) return known;
    const peer = { role: 'operator', name: this.#user } as const;
    const proof = { keys: this.#keys, realm: this.#document.realm, peer, lifeMs: credentialMs };
    const options = {
      server: name,
      refuses: (shown: ShownCertificate) => revocationFault(this.#document.revoked, shown),
      onPush: () => undefined,
    };
    const dialled = dialProved(address, options, proof, this.#world).then((link) => {
      void link.closed.then(() => this.#links.delete(address));
      if (link.hello.server === name && link.hello.realm === this.#document.realm) return link;
      link.close();
      throw new Failure('unreachable', 'administration', `at ${address} there is ${link.hello.server}`);
    });
    this.#links.set(address, dialled);
    dialled.catch(() => this.#links.delete(address));
    return dialled;
  }
}

function silent({ name, address }: ServerEntry, cause: Failure): Failure {
  const message =
    `${name} (${address}), which publishes the changes of this realm, does not answer. The share goes on; ` +
    'changing the realm waits until it is back';
  return new Failure('unreachable', 'administration.publish', message, { cause });
}
