/**
 * The ways between the hosts of a memory network and what is wrong with them.
 *
 * A path is one direction of one connection. As over TCP, what is sent arrives in order, late by the latency;
 * while the way is cut it waits (TCP retransmits until the way heals), and its sender notices nothing.
 */
import type { Random } from '../random.js';
import type { Clock, Timer } from '../clock.js';

export interface WaysOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds from host to host: at least, at most. Default 0 to 2. */
  readonly latency?: readonly [minMs: number, maxMs: number];
}

export class Ways {
  readonly clock: Clock;
  readonly random: Random;
  readonly #latency: readonly [number, number];
  /** `from to` of the ways that are cut. */
  readonly #cut = new Set<string>();
  /** `from to` -> milliseconds that everything takes longer. */
  readonly #delays = new Map<string, number>();
  /** Hosts that take nothing in: what is sent to them waits. */
  readonly #paused = new Set<string>();
  /** Paths on which something waits for its way to heal, in the order in which they began to wait. */
  readonly #waiting = new Set<Path>();

  constructor(options: WaysOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.#latency = options.latency ?? [0, 2];
  }

  latency(from: string, to: string): number {
    const [least, most] = this.#latency;
    const delay = this.#delays.get(`${from} ${to}`) ?? 0;
    return least + this.random.fraction() * (most - least) + delay;
  }

  /** Everything from `from` to `to` takes `ms` longer from now on. */
  delay(from: string, to: string, ms: number): void {
    this.#delays.set(`${from} ${to}`, ms);
  }

  pause(host: string): void {
    this.#paused.add(host);
  }

  unpause(host: string): void {
    if (!this.#paused.delete(host)) return;
    this.#resume((path) => path.to === host && !this.isCut(path.from, path.to));
  }

  isCut(from: string, to: string): boolean {
    return this.#paused.has(to) || this.#cut.has(`${from} ${to}`);
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from} ${to}`);
  }

  heal(from: string, to: string): void {
    this.#cut.delete(`${from} ${to}`);
    if (!this.isCut(from, to)) this.#resume((path) => path.from === from && path.to === to);
  }

  wait(path: Path): void {
    this.#waiting.add(path);
  }

  forget(path: Path): void {
    this.#waiting.delete(path);
  }

  #resume(isOpen: (path: Path) => boolean): void {
    for (const path of [...this.#waiting]) {
      if (!isOpen(path)) continue;
      this.#waiting.delete(path);
      path.resume();
    }
  }
}

interface InFlight {
  /** Not before this time, and not before those ahead of it. */
  due: number;
  readonly arrive: () => void;
}

export class Path {
  readonly from: string;
  readonly to: string;
  readonly #ways: Ways;
  #inFlight: InFlight[] = [];
  #isSwallowing = false;
  #timer: Timer | undefined;

  constructor(ways: Ways, from: string, to: string) {
    this.#ways = ways;
    this.from = from;
    this.to = to;
  }

  /** Calls `arrive` at the other host: after everything sent before, or never. */
  send(arrive: () => void): void {
    if (this.#isSwallowing) return;
    this.#inFlight.push({ due: this.#ways.clock.monotonic() + this.#latency(), arrive });
    if (this.#inFlight.length === 1) this.#awaitFirst();
  }

  /** What is sent from now on never arrives, as when a firewall has forgotten the connection; until `drop`. */
  swallow(): void {
    this.#isSwallowing = true;
  }

  /** What is in flight never arrives. */
  drop(): void {
    this.#isSwallowing = false;
    this.#inFlight = [];
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#ways.forget(this);
  }

  /** The way is whole again: what has waited arrives after the latency of a retransmission. */
  resume(): void {
    const earliest = this.#ways.clock.monotonic() + this.#latency();
    for (const message of this.#inFlight) message.due = Math.max(message.due, earliest);
    this.#awaitFirst();
  }

  #latency(): number {
    return this.#ways.latency(this.from, this.to);
  }

  #awaitFirst(): void {
    const [first] = this.#inFlight;
    if (first === undefined) return;
    const delay = first.due - this.#ways.clock.monotonic();
    this.#timer = this.#ways.clock.after(Math.max(0, delay), () => this.#arriveFirst());
  }

  #arriveFirst(): void {
    this.#timer = undefined;
    if (this.#ways.isCut(this.from, this.to)) return this.#ways.wait(this);
    const first = this.#inFlight.shift();
    // The next one is timed first: what arrives may drop this path.
    this.#awaitFirst();
    first?.arrive();
  }
}
