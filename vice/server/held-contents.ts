/**
 * Contents that a gateway has been told are here (`offer`): kept from the sweep until the mutation that names them has
 * been applied, or for some minutes.
 *
 * HC-1  At most `heldMax` containers are held for one peer. Of more it is told that they are not here: then it sends
 *       them, which is right too.
 */
import type { Clock, Timer } from '../seam/clock.js';

const heldMax = 1000;
/** Milliseconds; an offer of the same contents begins them anew. */
const heldMs = 10 * 60 * 1000;

interface Held {
  readonly release: () => void;
  expiry: Timer;
}

export class HeldContents {
  readonly #clock: Clock;
  /** By peer, by digest. */
  readonly #peers = new Map<string, Map<string, Held>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes over a hold on `digest`; `release` is called in the end. False, and nothing is taken: HC-1. */
  take(peer: string, digest: string, release: () => void): boolean {
    const ofPeer = this.#peers.get(peer) ?? new Map<string, Held>();
    if (ofPeer.size >= heldMax && !ofPeer.has(digest)) return false;
    this.release(peer, digest);
    this.#peers.set(peer, ofPeer);
    const expiry = this.#clock.after(heldMs, () => this.release(peer, digest));
    ofPeer.set(digest, { release, expiry });
    return true;
  }

  /** Idempotent. */
  release(peer: string, digest: string): void {
    const ofPeer = this.#peers.get(peer);
    const held = ofPeer?.get(digest);
    if (ofPeer === undefined || held === undefined) return;
    ofPeer.delete(digest);
    if (ofPeer.size === 0) this.#peers.delete(peer);
    held.expiry.cancel();
    held.release();
  }

  /** Releases everything. */
  close(): void {
    for (const [peer, ofPeer] of this.#peers) {
      for (const digest of [...ofPeer.keys()]) this.release(peer, digest);
    }
  }
}
