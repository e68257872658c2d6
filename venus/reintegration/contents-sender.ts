/**
 * Brings the contents of replayed changes to a server before the `mutate` that names them: only what it does not have
 * (`offer`), and from the byte on where an earlier upload broke, also one of this gateway's life before.
 *
 * CS-1  The id of a transfer follows from the digest, so that whoever tries again finds what is there. One gateway
 *       sends contents to one server once at a time, whichever volumes and batches want them.
 * CS-2  What the server keeps for this batch (held containers, finished transfers) is offered again while the rest
 *       is on its way: a server forgets after ten minutes, a weak link may need hours.
 * CS-3  On a weak link a user's fetch goes first (trickle-gate.ts).
 * CS-4  Where the server has an older version, what is new goes as steps on that (venus/difference). What is there is
 *       counted in bytes of the contents either way, so the rest of a broken upload may go the other way.
 */
import {
  Failure,
  isFailure,
  limits,
  type Argument,
  type Fid,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { Plan, UploadDifferences } from '../difference/upload-differences.js';
import { pieceBytes } from '../remote/direction-meter.js';
import type { ServerLink } from '../remote/server-link.js';
import type { TrickleGate } from './trickle-gate.js';

/** Transfers side by side; on a weak link one after the other, so that the first one is whole soon. */
const parallel = { strong: 4, weak: 1 } as const;
const renewMs = 3 * 60 * 1000;
const attemptsMost = 3;
/** Why steps are not taken that plain bytes may still be. */
const misfits = ['invalid', 'not-found', 'damaged', 'incompatible', 'stale', 'access-denied'] as const;

/** What is used of the way to a server. */
export type Destination = Pick<ServerLink, 'name' | 'weak' | 'sendingQuality' | 'call' | 'upload'>;

type Offered = Argument<'offer'>['contents'][number];

export interface ContentsSenderWorld {
  readonly containers: ContainerCache;
  readonly clock: Clock;
  readonly log: Log;
  /** Where uploads wait for their turn on a weak link. */
  readonly gate?: TrickleGate | undefined;
  /** Without it everything is sent as it is. */
  readonly differences?: Pick<UploadDifferences, 'plan'> | undefined;
}

/** By digest: the file that these contents are a new version of. */
export type Owners = ReadonlyMap<string, Fid>;

export class ContentsSender {
  readonly #world: ContentsSenderWorld;
  /** Server and digest -> settles when nobody brings these contents there any more. */
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(world: ContentsSenderWorld) {
    this.#world = world;
  }

  /**
   * Sees to it that `server` can find contents (digest -> length) of `volume`. Resolves with the transfers that the
   * mutation must name, by digest; what is not among them the server has.
   * @throws Failure unreachable, timeout, no-space, busy, damaged (here: then the contents are lost)
   */
  bring(
    volume: VolumeId,
    server: Destination,
    contents: ReadonlyMap<string, number>,
    owners: Owners = new Map(),
  ): Promise<Readonly<Record<string, string>>> {
    const wanted = [...contents].map(([digest, length]) => ({
      digest,
      length,
      transfer: transferOf(digest),
    }));
    return this.#alone(
      wanted.map(({ digest }) => `${server.name} ${digest}`),
      () => new Delivery(this.#world, volume, server, owners).of(wanted),
    );
  }

  /** Runs `work` while nobody else here works on one of `keys` (CS-1). All keys are taken at once: no deadlock. */
  async #alone<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    for (;;) {
      const busy = keys.map((key) => this.#underWay.get(key)).find((other) => other !== undefined);
      if (busy === undefined) break;
      await busy;
    }
    let done: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (done = resolve));
    for (const key of keys) this.#underWay.set(key, ended);
    try {
      return await work();
    } finally {
      for (const key of keys) this.#underWay.delete(key);
      done();
    }
  }
}

/** The contents of one batch on their way to one server. */
class Delivery {
  readonly #world: ContentsSenderWorld;
  readonly #volume: VolumeId;
  readonly #server: Destination;
  readonly #owners: Owners;
  /** What the server keeps for us (CS-2). */
  readonly #kept: Offered[] = [];
  readonly #stop = new AbortController();

  constructor(world: ContentsSenderWorld, volume: VolumeId, server: Destination, owners: Owners) {
    this.#world = world;
    this.#volume = volume;
    this.#server = server;
    this.#owners = owners;
  }

  async of(wanted: readonly Offered[]): Promise<Readonly<Record<string, string>>> {
    const transfers: Record<string, string> = {};
    const renewal = this.#renew();
    try {
      const missing: { readonly offered: Offered; readonly start: number }[] = [];
      for (const { offered, held, received } of await this.#offer(wanted)) {
        if (held) {
          this.#kept.push(offered);
          continue;
        }
        transfers[offered.digest] = offered.transfer;
        missing.push({ offered, start: received });
      }
      const workers = Array.from(
        { length: this.#server.weak ? parallel.weak : parallel.strong },
        async () => {
          for (let next = missing.shift(); next !== undefined; next = missing.shift()) {
            await this.#send(next.offered, next.start);
          }
        },
      );
      await this.#all(workers);
      return transfers;
    } finally {
      renewal.stop();
    }
  }

  /** Waits for all, also when one fails: nothing is under way any more when this settles. */
  async #all(workers: readonly Promise<void>[]): Promise<void> {
    for (const worker of workers) worker.catch((reason: unknown) => this.#stop.abort(reason));
    await Promise.allSettled(workers);
    this.#stop.signal.throwIfAborted();
  }

  async #send(offered: Offered, received: number): Promise<void> {
    let start = received;
    let plan = start < offered.length ? await this.#plan(offered) : undefined;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const path = plan?.path ?? `staging/${offered.transfer}`;
        const source = plan?.body(start) ?? this.#whole(offered, start);
        await this.#server.upload(path, this.#paced(source), this.#stop.signal, start, plan === undefined);
        this.#kept.push(offered);
        return;
      } catch (error) {
        if (plan !== undefined && !this.#stop.signal.aborted && isFailure(error, ...misfits)) {
          this.#world.log.debug('difference not taken', {
            server: this.#server.name,
            message: error.message,
          });
          plan = undefined;
          [{ received: start } = { received: 0 }] = await this.#offer([offered]);
          continue;
        }
        // Something else has written there, a part that is late for instance: where does it stand now?
        if (this.#stop.signal.aborted || !isFailure(error, 'invalid', 'cancelled')) throw error;
        if (attempt >= attemptsMost)
          throw new Failure('busy', 'venus.upload', error.message, { cause: error });
        const { server, transfer } = { server: this.#server.name, transfer: offered.transfer };
        this.#world.log.debug('upload out of step', { server, transfer, start, message: error.message });
        const [now] = await this.#offer([offered]);
        start = now?.received ?? 0;
      }
    }
  }

  /** How the contents can go as steps on what the server has. */
  async #plan(offered: Offered): Promise<Plan | undefined> {
    const fid = this.#owners.get(offered.digest);
    if (fid === undefined) return undefined;
    return this.#world.differences?.plan(this.#server, { ...offered, volume: this.#volume, fid });
  }

  #whole({ digest, length }: Offered, start: number): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#world.containers.read(digest, start, length);
  }

  async *#paced(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const { gate } = this.#world;
    for await (const chunk of source) {
      // What a weak link carries in about a second. That it is weak is often found out in the middle of a file.
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        const piece = chunk.subarray(at, at + pieceBytes);
        if (this.#server.weak) await gate?.turn(piece.length);
        yield piece;
      }
    }
  }

  async #offer(
    contents: readonly Offered[],
  ): Promise<readonly { readonly offered: Offered; readonly held: boolean; readonly received: number }[]> {
    const answers: { offered: Offered; held: boolean; received: number }[] = [];
    for (let first = 0; first < contents.length; first += limits.batchRecords) {
      const some = contents.slice(first, first + limits.batchRecords);
      const reply = await this.#server.call('offer', { volume: this.#volume, contents: some });
      for (const [index, offered] of some.entries()) {
        const { held, received } = reply.contents[index] ?? { held: false, received: 0 };
        // More than there is cannot be skipped: a server that says so is not believed.
        answers.push({ offered, held, received: received <= offered.length ? received : 0 });
      }
    }
    return answers;
  }

  #renew(): { stop(): void } {
    const { clock, log } = this.#world;
    let timer: Timer;
    const again = (): void => {
      timer = clock.after(renewMs, () => {
        again();
        if (this.#kept.length === 0) return;
        this.#offer([...this.#kept]).catch((error: unknown) => {
          // What is forgotten meanwhile is missed by the mutation, and sent again.
          if (!isFailure(error)) throw error;
          log.debug('offer not renewed', { server: this.#server.name, kind: error.kind });
        });
      });
    };
    again();
    return { stop: () => timer.cancel() };
  }
}

/** The same for all who bring these contents, and after a restart (CS-1). */
function transferOf(digest: string): string {
  return `c-${digest.slice(0, 32)}`;
}
