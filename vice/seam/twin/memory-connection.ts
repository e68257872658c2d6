/** A connection between two hosts of a memory network: two paths, and at each end a wire. */
import type { Wire, WireEnd } from '../link-wire.js';
import { Path, type Ways } from './memory-path.js';

/** Of a message: `reset`: lost, and the connection with it; `swallowed`: lost, and all that follows it this way. */
export type Fate = 'arrives' | 'swallowed' | 'reset';

/** Of what `from` sends. */
export type FateOf = (from: MemoryWire, message: Uint8Array) => Fate;

const arrives: FateOf = () => 'arrives';

export class MemoryConnection {
  readonly client: MemoryWire;
  readonly server: MemoryWire;

  constructor(ways: Ways, clientHost: string, serverHost: string, fateOf = arrives) {
    const there = new Path(ways, clientHost, serverHost);
    const back = new Path(ways, serverHost, clientHost);
    this.client = new MemoryWire(there, () => this.server, fateOf);
    this.server = new MemoryWire(back, () => this.client, fateOf);
  }

  touches(host: string): boolean {
    return this.client.host === host || this.server.host === host;
  }

  get over(): boolean {
    return this.client.closed && this.server.closed;
  }

  /** A reset reaches both ends, each on its own way; what was in flight is lost. */
  reset(): void {
    this.client.reset();
    this.server.reset();
  }

  /** The process on `host` is gone: its end hears and says nothing more, the other one is told (unless `silent`). */
  kill(host: string, losesInFlight: boolean, silent: boolean): void {
    for (const wire of [this.client, this.server]) if (wire.host === host) wire.die(losesInFlight, silent);
  }
}

export class MemoryWire implements Wire {
  readonly #path: Path;
  readonly #peer: () => MemoryWire;
  readonly #fateOf: FateOf;
  #end: WireEnd | undefined;
  closed = false;

  constructor(path: Path, peer: () => MemoryWire, fateOf: FateOf) {
    this.#path = path;
    this.#peer = peer;
    this.#fateOf = fateOf;
  }

  get host(): string {
    return this.#path.from;
  }

  attach(end: WireEnd): void {
    this.#end = end;
  }

  /** Calls `arrive` at the peer's host in order with the messages, if the peer still listens. */
  signal(arrive: () => void): void {
    if (this.closed) return;
    this.#path.send(() => {
      if (!this.#peer().closed) arrive();
    });
  }

  send(message: Uint8Array, sent?: () => void): void {
    if (this.closed) return;
    const fate = this.#fateOf(this, message);
    if (fate === 'reset') {
      this.#peer().reset();
      return this.reset();
    }
    if (fate === 'swallowed') return this.#path.swallow();
    this.#path.send(() => {
      // Taken by the peer, or by a socket that nobody reads any more: gone from here in both cases.
      if (!this.closed) sent?.();
      this.#peer().#receive(message);
    });
  }

  /** Once more, behind all that was sent since. */
  sendAgain(message: Uint8Array): void {
    if (!this.closed) this.#path.send(() => this.#peer().#receive(message));
  }

  close(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#end = undefined;
    this.#path.send(() => this.#peer().#broken(reason));
  }

  /** Closes the wire and tells both ends, as when the host's listener closes it. */
  abort(reason: string): void {
    const end = this.#end;
    this.close(reason);
    end?.broken(reason);
  }

  /** This direction loses what is in flight, and the peer learns of a reset. */
  reset(): void {
    this.#path.drop();
    this.#path.send(() => this.#peer().#broken('connection reset'));
  }

  die(losesInFlight: boolean, silent: boolean): void {
    this.closed = true;
    this.#end = undefined;
    if (losesInFlight) this.#path.drop();
    if (!silent) this.#path.send(() => this.#peer().#broken('connection reset'));
  }

  #receive(message: Uint8Array): void {
    if (this.closed) return;
    this.#end?.heard();
    this.#end?.received(message);
  }

  #broken(reason: string): void {
    if (this.closed) return;
    const end = this.#end;
    this.closed = true;
    this.#end = undefined;
    end?.broken(reason);
  }
}
