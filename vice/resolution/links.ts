/**
 * This server's links to the other servers of the realm: one to each, dialled again and again while it is
 * down. A peer is what the realm document says it is: a listener that calls itself otherwise is hung up on.
 */
import {
  Failure,
  isFailure,
  protocolFault,
  protocolVersion,
  pushSchema,
  revocationFault,
  type RealmDocument,
  type RealmKeys,
  type ServerEntry,
  type ShownCertificate,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';
import type { Link, Network } from '../seam/network.js';
import { dialProved } from '../seam/proved-dial.js';
import type { Random } from '../seam/random.js';

export interface LinkEvents {
  /** A link has come up. Must not throw. */
  up(server: string, link: Link): void;
  /** A peer says that it holds this version of the realm document. Must not throw. */
  realmVersion(link: Link, version: number): void;
}

export interface LinkWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly log: Log;
}

/** Milliseconds between two dials of a server that does not answer, doubled from first to last. */
const redialMs = { first: 250, last: 5_000 } as const;

/** Milliseconds; long enough for clocks that are set badly. */
const credentialMs = 24 * 60 * 60 * 1000;

interface Dialler {
  readonly address: string;
  readonly stop: AbortController;
}

export class ServerLinks {
  readonly #name: string;
  readonly #keys: RealmKeys;
  readonly #world: LinkWorld;
  readonly #events: LinkEvents;
  readonly #open = new Map<string, Link>();
  readonly #diallers = new Map<string, Dialler>();
  readonly #dialling = new Set<Promise<void>>();
  #revoked: RealmDocument['revoked'];

  /** `name` is this server's own. */
  constructor(name: string, keys: RealmKeys, world: LinkWorld, events: LinkEvents) {
    this.#name = name;
    this.#keys = keys;
    this.#world = world;
    this.#events = events;
  }

  /** The open link to `server`, if there is one. */
  linked(server: string): Link | undefined {
    return this.#open.get(server);
  }

  /** All servers that are linked now. */
  all(): ReadonlyMap<string, Link> {
    return this.#open;
  }

  /** Dials the servers of `realm` and lets go of those that it has no more. */
  follow(realm: RealmDocument): void {
    this.#revoked = realm.revoked;
    for (const link of this.#open.values()) {
      if (link.shown !== undefined && this.#refuses(link.shown) !== undefined) link.close();
    }
    for (const [server, { address, stop }] of this.#diallers) {
      const entry = realm.servers.find((candidate) => candidate.name === server);
      if (entry?.address === address) continue;
      stop.abort(new Error('the realm document changed'));
      this.#diallers.delete(server);
    }
    for (const server of realm.servers) {
      if (server.name === this.#name || this.#diallers.has(server.name)) continue;
      const stop = new AbortController();
      this.#diallers.set(server.name, { address: server.address, stop });
      const dialling = this.#keepLinked(realm.realm, server, stop.signal);
      this.#dialling.add(dialling);
      void dialling.then(() => this.#dialling.delete(dialling));
    }
  }

  /** Closes all links and waits for the dialling to end. */
  async close(): Promise<void> {
    for (const { stop } of this.#diallers.values()) stop.abort(new Error('the server closes'));
    this.#diallers.clear();
    await Promise.all(this.#dialling);
  }

  async #keepLinked(realm: string, server: ServerEntry, signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#world;
    let delay: number = redialMs.first;
    let told = '';
    while (!signal.aborted) {
      try {
        const link = await this.#dial(realm, server);
        const { hello } = link;
        if (hello.realm === realm && hello.protocol !== protocolVersion) {
          link.close();
          throw new Failure('incompatible', 'links.dial', protocolFault(protocolVersion, hello.protocol));
        }
        if (hello.server === server.name && hello.realm === realm && !signal.aborted) {
          delay = redialMs.first;
          told = '';
          await this.#serve(server.name, link, signal);
        } else {
          link.close();
        }
      } catch (error) {
        if (!isFailure(error)) throw error;
        // That nobody answers is nothing new; that somebody refuses needs a person, who is told once.
        const isNews = error.kind !== 'unreachable' && told !== error.message;
        const tell = isNews ? log.error : log.debug;
        tell.call(log, 'dial failed', { server: server.name, kind: error.kind, reason: error.message });
        if (isNews) told = error.message;
      }
      // Half fixed, half random: servers that came up together do not dial together for ever.
      await sleep(clock, delay * (0.5 + random.fraction() / 2), signal).catch(() => undefined);
      delay = Math.min(2 * delay, redialMs.last);
    }
  }

  async #dial(realm: string, server: ServerEntry): Promise<Link> {
    let link: Link | undefined;
    const onPush = (message: unknown): void => {
      const push = pushSchema.safeParse(message);
      if (!push.success || push.data.push !== 'realm' || link === undefined) return;
      this.#events.realmVersion(link, push.data.version);
    };
    const refuses = (shown: ShownCertificate): string | undefined => this.#refuses(shown);
    const peer = { role: 'server', name: this.#name } as const;
    const proof = { keys: this.#keys, realm, peer, lifeMs: credentialMs };
    link = await dialProved(server.address, { server: server.name, refuses, onPush }, proof, this.#world);
    return link;
  }

  #refuses(shown: ShownCertificate): string | undefined {
    return revocationFault(this.#revoked, shown);
  }

  /** As long as the link stands. */
  async #serve(server: string, link: Link, signal: AbortSignal): Promise<void> {
    const hangUp = (): void => link.close();
    signal.addEventListener('abort', hangUp, { once: true });
    this.#open.set(server, link);
    this.#world.log.info('linked', { server });
    this.#events.up(server, link);
    const reason = await link.closed;
    if (this.#open.get(server) === link) this.#open.delete(server);
    signal.removeEventListener('abort', hangUp);
    this.#world.log.info('link lost', { server, reason });
  }
}
