/**
 * A PUT on its way: its bytes go to a spool on the gateway's disk and, once they are too many to travel inside the
 * closing call, to every AVSG member at the same time. Until `close` nothing in the volume knows of it.
 */
import { Failure, limits } from '../../vice/interface/index.js';
import type { Spool } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import { randomHex, type Random } from '../../vice/seam/random.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { Caller, Writer, WriteOutcome, WriteTarget } from '../interface.js';
import { Transfer } from '../reintegration/staging.js';
import type { LogBounds } from '../reintegration/log-bounds.js';
import type { Volume } from '../volume/volume.js';
import { acknowledgedBy } from '../volume/volume-state.js';
import type { Changes } from './changes.js';

export interface FileWriterWorld {
  readonly containers: ContainerCache;
  readonly changes: Changes;
  readonly random: Random;
  readonly log: Log;
  /** Where new files go: the AVSG that bodies are staged at. */
  readonly volume: Volume;
  readonly bounds: LogBounds;
}

export class FileWriter implements Writer {
  readonly #world: FileWriterWorld;
  readonly #caller: Caller;
  readonly #spool: Spool;
  /** All bytes, while they are few. */
  #small: Uint8Array[] | undefined = [];
  #transfers: readonly Transfer[] = [];
  #state: 'open' | 'closing' | 'done' = 'open';

  private constructor(world: FileWriterWorld, caller: Caller, spool: Spool) {
    this.#world = world;
    this.#caller = caller;
    this.#spool = spool;
  }

  /** @throws Failure no-space: at once, before the client sends its body */
  static async open(
    world: FileWriterWorld,
    caller: Caller,
    announced: number | undefined,
  ): Promise<FileWriter> {
    if (acknowledgedBy(world.volume.state) === 'log')
      world.bounds.checkContents(world.volume.id, announced ?? 0);
    return new FileWriter(world, caller, await world.containers.spool(announced));
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
      await Promise.all(this.#transfers.map((transfer) => transfer.write(chunk)));
    }
    await this.#spool.write(chunk);
  }

  async close(target: WriteTarget): Promise<WriteOutcome> {
    if (this.#state !== 'open') throw new Error('venus: a writer is closed once');
    this.#state = 'closing';
    const { containers, changes, log } = this.#world;
    try {
      for (const transfer of this.#transfers) transfer.end();
      const { digest, length } = await this.#spool.commit();
      const wasHere = containers.has(digest);
      const release = containers.adopt(digest, length);
      let isStored = false;
      try {
        if (this.#small !== undefined && length > 0) containers.remember(digest, Buffer.concat(this.#small));
        const { created, status, committed } = await changes.store(this.#caller, target, {
          digest,
          length,
          transfers: this.#transfers,
        });
        isStored = true;
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
    const reason = new Failure('cancelled', 'venus.write', 'the write was given up');
    for (const transfer of this.#transfers) transfer.abort(reason);
    await this.#spool.abort();
  }

  /** The body is too long for the closing call: from here on it goes to the AVSG as it comes. */
  async #stage(chunks: readonly Uint8Array[]): Promise<void> {
    const { volume, random, log } = this.#world;
    this.#small = undefined;
    if (acknowledgedBy(volume.state) === 'log') return;
    this.#transfers = volume.avsg.map((member) => new Transfer(member, randomHex(random, 16), log));
    for (const chunk of chunks) await Promise.all(this.#transfers.map((transfer) => transfer.write(chunk)));
  }
}
