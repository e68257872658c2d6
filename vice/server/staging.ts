/**
 * Contents that gateways bring before the close that will name them (`staging/<transfer id>`), so that a
 * connected close costs one round trip. Outside every volume; forgotten when no mutation claims them in
 * time.
 *
 * SG-1  At most `transfersMax` transfers of one peer are here; a peer reaches only its own.
 * SG-2  What has arrived whole is a container (flushed) and held from every sweep until claimed or expired.
 * SG-3  What was announced (`offer`) is kept when its upload breaks or its batch is refused: it will be gone on with.
 *       What was not is the body of somebody who writes now. Where he was told to look again his contents wait for
 *       him for a moment; else nobody can ever come back to them, and they go at once.
 */
import { Failure, isFailure, outdatedKinds, type FailureKind } from '../interface/index.js';
import type { Clock, Timer } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import { Transfer, type Arrived } from './transfer.js';

export interface StagingWorld {
  readonly clock: Clock;
  readonly containers: Containers;
  /** Keeps a container from the sweep of every replica until the result is called. */
  hold(digest: string): () => void;
}

const transfersMax = 256;
/** Milliseconds that a broken or unclaimed transfer is kept. */
const keptMs = 10 * 60 * 1000;
/** Milliseconds that one is kept whose author looks again: a few calls and listings on a slow line. */
const lookingMs = 30_000;
/** Milliseconds that a mutation waits for the tail of a transfer that it names, and while no upload brings it. */
const arrivalMs = { most: 60_000, silent: 2000 } as const;

interface Staged {
  readonly transfer: Transfer;
  expiry: Timer;
  release: (() => void) | undefined;
  /** A batch that names it was announced: should it be refused, it will come again without its culprit. */
  isOffered: boolean;
}

export class Staging {
  readonly #world: StagingWorld;
  /** By peer, by transfer id. */
  readonly #peers = new Map<string, Map<string, Staged>>();

  constructor(world: StagingWorld) {
    this.#world = world;
  }

  /** Bytes that are staged now. */
  get bytes(): number {
    let bytes = 0;
    for (const ofPeer of this.#peers.values()) {
      for (const { transfer } of ofPeer.values()) bytes += transfer.length;
    }
    return bytes;
  }

  /**
   * Takes an upload of `peer`; resolves when all of it is a flushed container.
   * @throws Failure invalid (transfer id, or other bytes are here than `start` says), busy, no-space
   */
  async receive(peer: string, id: string, start: number, source: AsyncIterable<Uint8Array>): Promise<void> {
    const staged = this.#staged(peer, id);
    try {
      if ((await this.#world.containers.space()) <= 0) {
        throw new Failure('no-space', 'vice.upload', 'the disk of this server is full');
      }
      await staged.transfer.receive(start, source);
      const { arrived } = staged.transfer;
      const kept = arrived !== undefined && this.#peers.get(peer)?.get(id) === staged;
      // The new hold before the old one goes: it may be the same container.
      const hold = kept ? this.#world.hold(arrived.digest) : undefined;
      staged.release?.();
      staged.release = hold;
    } catch (error) {
      // Waiting helps nobody, and the bytes take the room that others need.
      if (isFailure(error, 'no-space')) this.#forget(peer, id, error);
      else if (isGivenUp(staged)) await this.#giveUp(peer, id, staged);
      throw error;
    } finally {
      this.#keep(peer, id, staged);
    }
  }

  /**
   * The container that transfer `id` has become; waits for its tail.
   * @throws Failure busy (it did not come in time: send it again), no-space
   */
  arrived(peer: string, id: string): Promise<Arrived> {
    const { transfer } = this.#staged(peer, id);
    if (transfer.arrived !== undefined) return Promise.resolve(transfer.arrived);
    const { clock } = this.#world;
    const deadline = clock.monotonic() + arrivalMs.most;
    return new Promise((resolve, reject) => {
      // A transfer that nobody sends (this server was restarted, say) must not hold up the whole batch.
      const look = (): Timer => {
        return clock.after(arrivalMs.silent, () => {
          if (transfer.receiving && clock.monotonic() < deadline) {
            late = look();
            return;
          }
          takeBack();
          const message = `transfer ${id} has not arrived in time: send its contents again`;
          reject(new Failure('busy', 'vice.mutate', message));
        });
      };
      let late = look();
      const takeBack = transfer.wait((outcome) => {
        late.cancel();
        if ('arrived' in outcome) resolve(outcome.arrived);
        else reject(outcome.failure);
      });
    });
  }

  /**
   * Bytes of an announced transfer that are here; from now on no more come but by a new upload. What cannot become
   * the contents that were announced is thrown away.
   * @throws Failure invalid (transfer id)
   */
  async offered(peer: string, id: string, { digest, length }: Arrived): Promise<number> {
    if (this.#peers.get(peer)?.has(id) !== true && !this.#hasRoom(peer)) return 0;
    const staged = this.#staged(peer, id);
    staged.isOffered = true;
    const { transfer } = staged;
    // Its client has lost the connection, or it would not ask; the server may not have noticed.
    await transfer.interrupt(new Failure('cancelled', 'vice.upload', 'the transfer has been offered again'));
    if (this.#peers.get(peer)?.get(id) !== staged) return 0;
    const { arrived } = transfer;
    if (arrived === undefined ? transfer.length > length : arrived.digest !== digest) {
      this.#forget(peer, id, new Failure('invalid', 'vice.upload', `these are not the contents ${digest}`));
      return 0;
    }
    this.#keep(peer, id, staged);
    return transfer.length;
  }

  /** The mutation that named the contents was refused, for this reason. */
  refused(peer: string, id: string, kind: FailureKind): void {
    const staged = this.#peers.get(peer)?.get(id);
    if (staged === undefined || staged.isOffered) return;
    if (outdatedKinds.some((each) => each === kind)) this.#keep(peer, id, staged, lookingMs);
    else this.claimed(peer, id);
  }

  /** A mutation has claimed the contents. */
  claimed(peer: string, id: string): void {
    this.#forget(peer, id, new Failure('cancelled', 'vice.upload', 'the transfer was claimed'));
  }

  /** Forgets everything. */
  close(): void {
    for (const [peer, staged] of this.#peers) {
      for (const id of [...staged.keys()]) {
        this.#forget(peer, id, new Failure('unreachable', 'vice.upload', 'the server closes'));
      }
    }
  }

  #staged(peer: string, id: string): Staged {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(id)) throw new Failure('invalid', 'vice.upload', 'no transfer id');
    let ofPeer = this.#peers.get(peer);
    if (ofPeer === undefined) this.#peers.set(peer, (ofPeer = new Map<string, Staged>()));
    const known = ofPeer.get(id);
    if (known !== undefined) return known;
    if (!this.#hasRoom(peer)) {
      const message = `${peer} has ${transfersMax} transfers here: finish some first`;
      throw new Failure('busy', 'vice.upload', message);
    }
    const transfer = new Transfer(this.#world.containers);
    const staged: Staged = { transfer, expiry: this.#expiry(peer, id), release: undefined, isOffered: false };
    ofPeer.set(id, staged);
    return staged;
  }

  /** A mutation that waits for the rest is not answered: its gateway learns from the upload that it broke (SG-3). */
  async #giveUp(peer: string, id: string, staged: Staged): Promise<void> {
    if (staged.transfer.awaited) return staged.transfer.discard();
    if (this.#peers.get(peer)?.get(id) !== staged) return;
    this.#forget(peer, id, new Failure('cancelled', 'vice.upload', 'the upload broke'));
  }

  #hasRoom(peer: string): boolean {
    return (this.#peers.get(peer)?.size ?? 0) < transfersMax;
  }

  #keep(peer: string, id: string, staged: Staged, ms = keptMs): void {
    staged.expiry.cancel();
    if (this.#peers.get(peer)?.get(id) === staged) staged.expiry = this.#expiry(peer, id, ms);
  }

  #expiry(peer: string, id: string, ms = keptMs): Timer {
    return this.#world.clock.after(ms, () => {
      this.#forget(peer, id, new Failure('timeout', 'vice.upload', 'the transfer was not finished in time'));
    });
  }

  #forget(peer: string, id: string, reason: Failure): void {
    const ofPeer = this.#peers.get(peer);
    const staged = ofPeer?.get(id);
    if (ofPeer === undefined || staged === undefined) return;
    ofPeer.delete(id);
    if (ofPeer.size === 0) this.#peers.delete(peer);
    staged.expiry.cancel();
    staged.release?.();
    void staged.transfer.abort(reason).catch((error: unknown) => {
      // A spool that the disk does not let go of is swept at the next start.
      if (!isFailure(error)) throw error;
    });
  }
}

/** Whether an upload that nobody goes on with has left only a part. */
function isGivenUp({ transfer, isOffered }: Staged): boolean {
  return !isOffered && transfer.arrived === undefined && !transfer.receiving;
}
