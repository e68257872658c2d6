/**
 * A PUT on its way: its bytes go to a spool on the gateway's disk and, once they are too many to travel inside the
 * closing call, to every AVSG member at the same time. Until `close` nothing in the volume knows of it.
 */
import { Failure, limits, volumeOf } from '../../vice/interface/index.js';
import type { Spool } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import { randomHex, type Random } from '../../vice/seam/random.js';
import type { ContainerCache } from '../cache/container-cache.js';
import { differencePath } from '../difference/bases.js';
import type { DifferenceStream } from '../difference/difference-stream.js';
import type { Held } from '../difference/known-recipes.js';
import type { LatelyUsed } from '../difference/lately-used.js';
import type { Replaced, UploadDifferences } from '../difference/upload-differences.js';
import type { Caller, Writer, WriteOutcome, WriteTarget } from '../interface.js';
import { Transfer } from '../reintegration/staging.js';
import type { LogBounds } from '../reintegration/log-bounds.js';
import type { Member, Volume } from '../volume/volume.js';
import { acknowledgedBy } from '../volume/volume-state.js';
import type { Changes } from './changes.js';

export interface FileWriterWorld {
  readonly containers: ContainerCache;
  readonly changes: Changes;
  readonly random: Random;
  readonly log: Log;
  /** Where it will probably be: the AVSG that bodies are staged at. */
  readonly volume: Volume;
  readonly bounds: LogBounds;
  readonly differences: UploadDifferences;
  readonly lately: LatelyUsed;
}

/** What is known of a body before it comes. */
export interface Announced {
  readonly length?: number | undefined;
  /** The file that it will probably take the place of, if its writer may read that. */
  readonly replaced?: Replaced | undefined;
}

interface Difference {
  readonly held: Held;
  readonly members: ReadonlySet<Member>;
  readonly path: (transfer: string) => string;
}

export class FileWriter implements Writer {
  readonly #world: FileWriterWorld;
  readonly #caller: Caller;
  readonly #spool: Spool;
  /** All bytes, while they are few. */
  #small: Uint8Array[] | undefined = [];
  readonly #announced: Announced;
  #transfers: readonly Transfer[] = [];
  /** Those of the transfers that are sent the body as it is. */
  #plain: readonly Transfer[] = [];
  /** To the others. */
  #stream: DifferenceStream | undefined;
  #state: 'open' | 'closing' | 'done' = 'open';

  private constructor(world: FileWriterWorld, caller: Caller, announced: Announced, spool: Spool) {
    this.#world = world;
    this.#caller = caller;
    this.#announced = announced;
    this.#spool = spool;
  }

  /** @throws Failure no-space: at once, before the client sends its body */
  static async open(world: FileWriterWorld, caller: Caller, announced: Announced): Promise<FileWriter> {
    const { length } = announced;
    if (acknowledgedBy(world.volume.state) === 'log')
      world.bounds.checkContents(world.volume.id, length ?? 0);
    return new FileWriter(world, caller, announced, await world.containers.spool(length));
  }

  get length(): number {
    return this.#spool.length;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#state !== 'open') throw new Error('venus: write after close');
    if (this.#small !== undefined) {
      this.#small.push(chunk);
      if (this.#spool.length + chunk.length > limits.inlineBytes) await this.#stage(this.#small);
    } else {
      await this.#send(chunk);
    }
    await this.#spool.write(chunk);
  }

  async close(target: WriteTarget): Promise<WriteOutcome> {
    if (this.#state !== 'open') throw new Error('venus: a writer is closed once');
    this.#state = 'closing';
    const { containers, changes, log } = this.#world;
    try {
      if (volumeOf(target.parent) !== this.#world.volume.id) await this.#recall();
      await this.#stream?.end();
      for (const transfer of this.#transfers) transfer.end();
      const { digest, length } = await this.#spool.commit();
      const wasHere = containers.has(digest);
      const release = containers.adopt(digest, length);
      if (this.#stream !== undefined) this.#world.differences.sent(this.#stream, { digest, length });
      let isStored = false;
      try {
        if (this.#small !== undefined && length > 0) containers.remember(digest, Buffer.concat(this.#small));
        const { created, status, committed } = await changes.store(this.#caller, target, {
          digest,
          length,
          transfers: this.#transfers,
        });
        isStored = true;
        this.#world.lately.used(this.#caller.user, { fid: status.fid, parent: target.parent, length });
        const { servers } = committed;
        log.info('close', {
          fid: status.fid,
          version: status.version,
          user: this.#caller.user,
          bytes: length,
          servers,
        });
        return { created, status };
      } finally {
        release();
        // A refused write, repeated again and again, must not fill the disk that refuses it.
        if (!isStored && !wasHere) await containers.discard(digest);
      }
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (this.#state === 'done') return;
    this.#state = 'done';
    await this.#recall();
    await this.#spool.abort();
  }

  /** What is under way to servers is not wanted there. */
  async #recall(): Promise<void> {
    const reason = new Failure('cancelled', 'venus.write', 'the write was given up');
    for (const transfer of this.#transfers) transfer.abort(reason);
    this.#transfers = [];
    await this.#stream?.close();
    this.#stream = undefined;
  }

  /** The body is too long for the closing call: from here on it goes to the AVSG as it comes. */
  async #stage(chunks: readonly Uint8Array[]): Promise<void> {
    const { volume, random, log, differences } = this.#world;
    this.#small = undefined;
    if (acknowledgedBy(volume.state) === 'log') return;
    const difference = await this.#difference();
    const differing: Transfer[] = [];
    const plain: Transfer[] = [];
    for (const member of volume.avsg) {
      const id = randomHex(random, 16);
      const path = difference?.members.has(member) === true ? difference.path(id) : undefined;
      (path === undefined ? plain : differing).push(new Transfer(member, id, log, path));
    }
    this.#plain = plain;
    this.#transfers = [...differing, ...plain];
    if (difference !== undefined) this.#stream = differences.stream(difference.held, differing);
    for (const chunk of chunks) await this.#send(chunk);
  }

  /** The members to which the body goes as what is new in it, and what it is compared with. */
  async #difference(): Promise<Difference | undefined> {
    const { volume, differences } = this.#world;
    const { replaced } = this.#announced;
    if (replaced === undefined) return undefined;
    const { fid } = replaced;
    const length = this.#announced.length ?? replaced.length;
    const shared = await differences.shared(volume.avsg, { volume: volume.id, fid, length });
    return shared === undefined
      ? undefined
      : { ...shared, path: (transfer) => differencePath(transfer, fid, shared.held) };
  }

  async #send(chunk: Uint8Array): Promise<void> {
    const plain = this.#plain.map((transfer) => transfer.write(chunk));
    await Promise.all([...plain, this.#stream?.write(chunk)]);
  }
}
