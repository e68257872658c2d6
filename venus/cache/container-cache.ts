/**
 * Cached contents by digest: what is on the disk, what must stay, what goes when space is needed; and small hot
 * bodies in memory, so that a warm GET touches no disk.
 */
import { Failure, isFailure } from '../../vice/interface/index.js';
import type { Containers, Spool } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import { RecentMap } from './recent-map.js';

/** Bodies up to this length are kept in memory, all of them together up to `memoryBytes`. */
const smallBytes = 64 * 1024;
const memoryBytes = 64 * 1024 * 1024;

interface Kept {
  readonly length: number;
  /** Open files that need it: it stays. */
  pins: number;
  /** Larger is more recent. */
  used: number;
}

export interface ContainerCacheOptions {
  readonly containers: Containers;
  /** Contents beyond this are evicted, least recently used first. */
  readonly limitBytes: number;
  /** Whether the modify log needs a container: then it stays. */
  readonly isNeeded: (digest: string) => boolean;
  readonly log: Log;
}

export class ContainerCache {
  readonly #containers: Containers;
  readonly #log: Log;
  readonly #limitBytes: number;
  readonly #isNeeded: (digest: string) => boolean;
  readonly #kept = new Map<string, Kept>();
  readonly #bodies = new RecentMap<string, Uint8Array>(memoryBytes, (body) => body.length + 100);
  #bytes = 0;
  #clock = 0;
  #evicting = false;

  private constructor(options: ContainerCacheOptions) {
    this.#containers = options.containers;
    this.#limitBytes = options.limitBytes;
    this.#isNeeded = options.isNeeded;
    this.#log = options.log;
  }

  static async open(options: ContainerCacheOptions): Promise<ContainerCache> {
    const cache = new ContainerCache(options);
    for await (const { digest, length } of options.containers.list()) cache.#note(digest, length);
    return cache;
  }

  get count(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(digest: string): boolean {
    return this.#kept.has(digest);
  }

  /** Keeps `digest` until the returned function is called. */
  pin(digest: string): () => void {
    const kept = this.#kept.get(digest);
    if (kept === undefined) return () => undefined;
    kept.pins += 1;
    let pinned = true;
    return () => {
      if (pinned) kept.pins -= 1;
      pinned = false;
    };
  }

  /** A spool for new contents. @throws Failure no-space: also when `announced` bytes will not fit */
  async spool(announced = 0): Promise<Spool> {
    // Small ones ask for themselves, more seldom (PC-2).
    if (announced > smallBytes) {
      const space = await this.#containers.space();
      if (announced > space) {
        const message = `the gateway's disk has ${space} bytes left, ${announced} are needed`;
        throw new Failure('no-space', 'venus.write', message);
      }
    }
    return this.#containers.spool();
  }

  /** Notes contents that a spool has committed, pinned; call the result when they need not stay. */
  adopt(digest: string, length: number): () => void {
    this.#note(digest, length);
    const release = this.pin(digest);
    void this.#evict();
    return release;
  }

  /** Forgets contents that nobody has come to need after all. */
  async discard(digest: string): Promise<void> {
    const kept = this.#kept.get(digest);
    if (kept === undefined || kept.pins > 0 || this.#isNeeded(digest)) return;
    this.#kept.delete(digest);
    this.#bytes -= kept.length;
    this.#bodies.delete(digest);
    await this.#containers.remove(digest);
  }

  /** The whole body if it is small, from memory when it is hot. @throws Failure not-found, damaged */
  async small(digest: string, length: number): Promise<Uint8Array | undefined> {
    if (length > smallBytes) return undefined;
    const hot = this.#bodies.get(digest);
    if (hot !== undefined) return hot;
    const chunks: Uint8Array[] = [];
    for await (const chunk of await this.#read(digest, 0, length)) chunks.push(chunk);
    const [only] = chunks;
    const body = chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
    this.#bodies.set(digest, body);
    return body;
  }

  /** Remembers a small body that has just been written. */
  remember(digest: string, body: Uint8Array): void {
    if (body.length <= smallBytes) this.#bodies.set(digest, body);
  }

  /** @throws Failure not-found, damaged (then it is gone from the cache) */
  async *read(digest: string, start: number, end: number): AsyncGenerator<Uint8Array> {
    try {
      yield* await this.#read(digest, start, end);
    } catch (error) {
      if (isFailure(error, 'damaged', 'not-found')) this.#lost(digest, error);
      throw error;
    }
  }

  async #read(digest: string, start: number, end: number): Promise<AsyncIterable<Uint8Array>> {
    const kept = this.#kept.get(digest);
    if (kept !== undefined) kept.used = this.#clock += 1;
    try {
      return await this.#containers.read(digest, start, end);
    } catch (error) {
      if (isFailure(error, 'damaged', 'not-found')) this.#lost(digest, error);
      throw error;
    }
  }

  #note(digest: string, length: number): void {
    const kept = this.#kept.get(digest);
    this.#clock += 1;
    if (kept !== undefined) kept.used = this.#clock;
    else {
      this.#kept.set(digest, { length, pins: 0, used: this.#clock });
      this.#bytes += length;
    }
  }

  /** A damaged container is forgotten: the next open fetches it again from a replica. */
  #lost(digest: string, failure: Failure): void {
    this.#log.error('container lost', { digest, kind: failure.kind });
    this.#bytes -= this.#kept.get(digest)?.length ?? 0;
    this.#kept.delete(digest);
    this.#bodies.delete(digest);
  }

  /** Removes what was used least recently until the limit holds; pinned contents stay. */
  async #evict(): Promise<void> {
    if (this.#evicting || this.#bytes <= this.#limitBytes) return;
    this.#evicting = true;
    try {
      const idle = [...this.#kept].filter(([, kept]) => kept.pins === 0);
      idle.sort(([, a], [, b]) => a.used - b.used);
      for (const [digest, kept] of idle) {
        if (this.#bytes <= this.#limitBytes) break;
        if (kept.pins > 0 || this.#isNeeded(digest)) continue;
        this.#kept.delete(digest);
        this.#bytes -= kept.length;
        await this.#containers.remove(digest);
      }
    } finally {
      this.#evicting = false;
    }
  }
}
