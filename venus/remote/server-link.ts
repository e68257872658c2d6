/**
 * The way to one server: dials, keeps one link, dials again when it breaks. Whoever waits on a call learns within
 * `linkTiming.silenceMs` that a silent server is gone (seam NW-2, NW-3); nobody waits for a server known to be gone.
 */
import {
  calls,
  contractFault,
  Failure,
  protocolFault,
  protocolVersion,
  pushSchema,
  type Argument,
  type CallName,
  type Push,
  type RealmKeys,
  type Result,
  type ServerEntry,
  type ShownCertificate,
} from '../../vice/interface/index.js';
import type { z } from 'zod';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { CallOptions, Link, Network } from '../../vice/seam/network.js';
import { dialProved } from '../../vice/seam/proved-dial.js';
import { isFailure } from '../../vice/interface/index.js';
import { LinkMeter } from './link-meter.js';
import { bandwidth, type LinkQuality } from './link-quality.js';

const redialMs = { first: 100, most: 2000 };

const credentialLifeMs = 60 * 60 * 1000;

export interface ServerLinkWorld {
  readonly clock: Clock;
  readonly network: Network;
  readonly log: Log;
}

export interface ServerLinkOptions {
  readonly server: ServerEntry;
  readonly realm: string;
  readonly realmKeys: RealmKeys;
  /** Gateway name and VenusId. */
  readonly name: string;
  /** Not to be dialled until `resume`. */
  readonly suspended: boolean;
  /** Why the server's certificate counts no more; undefined: it does. */
  readonly refuses: (shown: ShownCertificate) => string | undefined;
  readonly onUp: (server: ServerLink) => void;
  readonly onDown: (server: ServerLink) => void;
  readonly onPush: (server: ServerLink, push: Push) => void;
  /** The link was found to be weak, or strong again; or how fast it is has become known. */
  readonly onQuality: (server: ServerLink) => void;
}

export class ServerLink {
  readonly name: string;
  readonly address: string;
  readonly #options: ServerLinkOptions;
  readonly #world: ServerLinkWorld;
  readonly #stop = new AbortController();
  readonly #meter: LinkMeter;
  #link: Link | undefined;
  #suspended: boolean;
  #told = '';
  #malformed = '';
  #wake: (() => void) | undefined;
  #firstAttempt!: () => void;
  /** Resolves when the first dial has succeeded or failed. */
  readonly tried: Promise<void>;

  constructor(options: ServerLinkOptions, world: ServerLinkWorld) {
    this.name = options.server.name;
    this.address = options.server.address;
    this.#options = options;
    this.#world = world;
    this.#meter = new LinkMeter(world.clock, () => this.#qualityTurned());
    this.#suspended = options.suspended;
    this.tried = new Promise((resolve) => {
      this.#firstAttempt = resolve;
    });
    void this.#keep();
  }

  get reachable(): boolean {
    return this.#link !== undefined;
  }

  /** Disconnected on purpose. */
  get suspended(): boolean {
    return this.#suspended;
  }

  /** Planned disconnection: gives the link up, and dials no more until `resume`. */
  suspend(): void {
    this.#suspended = true;
    this.#link?.close();
  }

  resume(): void {
    this.#suspended = false;
    this.#wake?.();
  }

  /** It is heard, but does not do what it is asked: as one that is gone, until it can be dialled and asked again. */
  giveUp(reason: string): void {
    if (this.#link === undefined) return;
    this.#world.log.warn('server given up', { server: this.name, reason });
    this.#link.close();
  }

  /** Certificates may have been revoked: gives the link up if that of the server was. */
  judgeAgain(): void {
    const shown = this.#link?.shown;
    if (shown !== undefined && this.#options.refuses(shown) !== undefined) this.#link?.close();
  }

  /** Milliseconds since the server was last heard; null while there is no link. */
  silence(): number | null {
    return this.#link?.silence() ?? null;
  }

  /** How fast it brings what is fetched; as measured, also over earlier links: a new dial makes no other network. */
  get quality(): LinkQuality {
    return this.#meter.down;
  }

  /** How fast it takes what is sent. */
  get sendingQuality(): LinkQuality {
    return this.#meter.up;
  }

  /** In one of its directions at least. */
  get weak(): boolean {
    return this.quality.weak || this.sendingQuality.weak;
  }

  /** @throws Failure unreachable, timeout, incompatible (a malformed reply), or what the server answered */
  async call<C extends CallName>(name: C, argument: Argument<C>, options?: CallOptions): Promise<Result<C>> {
    const { clock } = this.#world;
    const asked = clock.monotonic();
    let isChecked = false;
    // A directory of a hundred thousand names is checked as it comes, not in one turn of the event loop.
    const takePart = (part: unknown): unknown => {
      isChecked = true;
      return this.#checked(name, part);
    };
    const reply = await this.#required(name).call(name, argument, { ...options, takePart });
    this.#meter.answered(bytesIn(name, argument), clock.monotonic() - asked);
    return isChecked ? (reply as Result<C>) : this.#checked(name, reply);
  }

  #checked<C extends CallName>(name: C, reply: unknown): Result<C> {
    const parsed = (calls[name].result as unknown as z.ZodType<Result<C>>).safeParse(reply);
    if (parsed.success) return parsed.data;
    const fault = contractFault(parsed.error);
    // Some calls are made again and again: a person needs to hear it once.
    if (this.#malformed !== fault)
      this.#world.log.error('malformed reply', { server: this.name, call: name, fault });
    this.#malformed = fault;
    throw new Failure(
      'incompatible',
      `venus.${name}`,
      `server ${this.name} sent a malformed reply: ${fault}`,
    );
  }

  /**
   * With less than `leastMeasured` bytes it says nothing about the link; with Infinity never: the server has more to
   * do than to send.
   * @throws Failure unreachable, not-found, timeout, damaged
   */
  async download(
    path: string,
    start: number,
    signal?: AbortSignal,
    leastMeasured = 0,
  ): Promise<AsyncIterable<Uint8Array>> {
    const source = await this.#required('download').download(path, start, signal);
    return leastMeasured === Infinity ? source : this.#meter.download(source, leastMeasured);
  }

  /**
   * Sends `source` behind the `start` bytes that are there. `isMeasured`: as for a download.
   * @throws Failure unreachable, no-space, invalid (start)
   */
  async upload(
    path: string,
    source: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
    start = 0,
    isMeasured = true,
  ): Promise<void> {
    const link = this.#required('upload');
    if (!isMeasured) return link.upload(path, start, source, signal);
    await this.#meter.upload(source, (watched) => link.upload(path, start, watched, signal));
  }

  close(): void {
    this.#stop.abort(new Failure('cancelled', 'venus.remote', 'closing'));
    this.#link?.close();
    this.#wake?.();
  }

  #qualityTurned(): void {
    const [down, up] = [this.quality, this.sendingQuality].map((way) => Math.round(bandwidth(way) ?? 0));
    // Bytes per second; 0: not known.
    this.#world.log.info('link quality', { server: this.name, weak: this.weak, down, up });
    this.#options.onQuality(this);
  }

  #required(operation: string): Link {
    if (this.#link !== undefined) return this.#link;
    throw new Failure('unreachable', `venus.${operation}`, `server ${this.name} does not answer`);
  }

  async #keep(): Promise<void> {
    let pause: number = redialMs.first;
    while (!this.#stop.signal.aborted) {
      if (this.#suspended) {
        this.#firstAttempt();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        pause = redialMs.first;
        continue;
      }
      const link = await this.#dial();
      this.#firstAttempt();
      if (link !== undefined) {
        pause = redialMs.first;
        await this.#use(link);
      }
      await sleep(this.#world.clock, pause, this.#stop.signal).catch(() => undefined);
      pause = Math.min(pause * 2, redialMs.most);
    }
  }

  async #dial(): Promise<Link | undefined> {
    const { log } = this.#world;
    const { realmKeys: keys, realm: own, name, refuses } = this.#options;
    try {
      const onPush = (push: unknown): void => this.#received(push);
      const options = { server: this.name, refuses, onPush };
      const proof = { keys, realm: own, peer: { role: 'gateway', name }, lifeMs: credentialLifeMs } as const;
      const link = await dialProved(this.address, options, proof, this.#world);
      const { realm, protocol } = link.hello;
      if (realm === own && protocol === protocolVersion) return link;
      link.close();
      const isOther = realm !== own;
      const reason = isOther ? `it is of realm ${realm}` : protocolFault(protocolVersion, protocol);
      if (this.#told !== reason) log.error('not our server', { server: this.name, reason });
      this.#told = reason;
    } catch (error) {
      if (!isFailure(error)) throw error;
      // That nobody answers is nothing new; that somebody refuses needs a person, who is told once.
      const isNews = error.kind !== 'unreachable' && this.#told !== error.message;
      const tell = isNews ? log.error : log.debug;
      tell.call(log, 'dial failed', { server: this.name, kind: error.kind, reason: error.message });
      if (isNews) this.#told = error.message;
    }
    return undefined;
  }

  async #use(link: Link): Promise<void> {
    this.#link = link;
    this.#told = '';
    if (this.#stop.signal.aborted || this.#suspended) link.close();
    this.#world.log.info('server up', { server: this.name });
    this.#options.onUp(this);
    const reason = await link.closed;
    this.#link = undefined;
    this.#world.log.info('server down', { server: this.name, reason });
    this.#options.onDown(this);
  }

  #received(message: unknown): void {
    const push = pushSchema.safeParse(message);
    if (push.success) return this.#options.onPush(this, push.data);
    this.#world.log.error('malformed push', { server: this.name });
    // A break that cannot be read is a broken promise: start over and revalidate.
    this.#link?.close();
  }
}

/** Bytes of contents in a call. One that names transfers may wait for them at the server: its time tells nothing. */
function bytesIn<C extends CallName>(name: C, argument: Argument<C>): number {
  if (name !== 'mutate') return 0;
  const { inline, transfers } = argument as Argument<'mutate'>;
  if (Object.keys(transfers).length > 0) return 0;
  return Object.values(inline).reduce((sum, body) => sum + body.length, 0);
}
