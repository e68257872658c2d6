/**
 * Which containers of a server are still needed: those that a file of any of its volumes names (rows in the
 * store, changed in the transaction that changes the file), and those held because they will be named soon.
 *
 * CR-1  A container that a committed row names is never removed; nor one that a row may name after a restart (ST-6).
 * CR-2  A holder that has taken its hold and then been told `has` keeps the container until the release.
 * CR-3  A container that nothing needs is removed once that is durable; one left by a crash by the next
 *       sweep.
 */
import { emptyDigest, intact, isFailure, seal, type VolumeId } from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Log } from '../seam/log.js';
import { endOf, type Store, type StoreReader, type StoreTransaction } from '../seam/store.js';

/** The sweep after start: what it looks at per round, and its rate. */
const sweeping = {
  /** Longer than any commit of a spool takes to be held. */
  graceMs: 10_000,
  candidates: 10_000,
  perPause: 50,
  pauseMs: 100,
} as const;

/** One per store: all volumes of a server share the folder of containers. */
const shared = new WeakMap<Store, ContainerReferences>();

export interface ContainerReferencesOptions {
  readonly store: Store;
  readonly containers: Containers;
  readonly clock: Clock;
  readonly log: Log;
}

export class ContainerReferences {
  readonly #store: Store;
  readonly #containers: Containers;
  readonly #log: Log;
  readonly #holds = new Map<string, number>();
  readonly #removals = new Map<string, Promise<void>>();
  readonly #clock: Clock;
  /** Whose removal failed, as the disk was full, say; tried again after a while. More are left to the next start. */
  readonly #left = new Set<string>();
  #isWaiting = false;

  private constructor(options: ContainerReferencesOptions) {
    this.#store = options.store;
    this.#containers = options.containers;
    this.#log = options.log;
    this.#clock = options.clock;
  }

  /** The references of this store; made, and its sweep started, at the first call. */
  static of(options: ContainerReferencesOptions): ContainerReferences {
    const existing = shared.get(options.store);
    if (existing !== undefined) return existing;
    const references = new ContainerReferences(options);
    shared.set(options.store, references);
    void references.sweep(options.clock).catch((error: unknown) => {
      options.log.warn('container sweep ended early', { error: String(error) });
    });
    return references;
  }

  /** Whether a file of `volume` names `digest`. */
  isNamedBy(volume: VolumeId, digest: string): boolean {
    return isCounted(this.#store, volume, digest);
  }

  /** Keeps `digest` until the returned function is called (idempotent). */
  hold(digest: string): () => void {
    this.#holds.set(digest, (this.#holds.get(digest) ?? 0) + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#holds.get(digest) ?? 1) - 1;
      if (left > 0) this.#holds.set(digest, left);
      else this.#holds.delete(digest);
      this.collect([digest]);
    };
  }

  /** Bytes of the contents, or undefined when they are not here. Reliable for a held digest (CR-2). */
  async lengthOf(digest: string): Promise<number | undefined> {
    if (digest === emptyDigest) return 0;
    await this.#removals.get(digest);
    try {
      return (await this.#containers.has(digest)) ? await this.#containers.length(digest) : undefined;
    } catch (error) {
      if (isFailure(error, 'not-found', 'damaged')) return undefined;
      throw error;
    }
  }

  /** The same of many; those that are not here are left out. `packed` are in the caller's hands. */
  async lengthsOf(
    digests: readonly string[],
    packed?: ReadonlyMap<string, Uint8Array>,
  ): Promise<ReadonlyMap<string, number>> {
    const lengths = new Map<string, number>();
    for (const digest of digests) {
      const length = packed?.get(digest)?.length ?? (await this.lengthOf(digest));
      if (length !== undefined) lengths.set(digest, length);
    }
    return lengths;
  }

  /** Removes, soon, those of `digests` that nothing needs. To be called after the flush. */
  collect(digests: Iterable<string>): void {
    for (const digest of digests) {
      if (this.#isNeeded(digest) || this.#removals.has(digest)) continue;
      const removal = this.#containers
        .remove(digest)
        .catch((error: unknown) => {
          this.#log.warn('container not removed', { digest, error: String(error) });
          if (this.#left.size < sweeping.candidates) this.#left.add(digest);
          void this.#tryAgain();
        })
        .finally(() => this.#removals.delete(digest));
      this.#removals.set(digest, removal);
    }
  }

  async #tryAgain(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    await sleep(this.#clock, sweeping.graceMs);
    this.#isWaiting = false;
    const left = [...this.#left];
    this.#left.clear();
    try {
      this.collect(left);
    } catch (error) {
      this.#log.warn('containers not removed', { count: left.length, error: String(error) });
    }
  }

  /** Resolves when the removals under way are done. */
  async settled(): Promise<void> {
    await Promise.all(this.#removals.values());
  }

  #isNeeded(digest: string): boolean {
    if (digest === emptyDigest || this.#holds.has(digest)) return true;
    return isNamed(this.#store, digest) || this.#store.isBroken;
  }

  /**
   * Removes what a crash has left: unneeded when first seen and still after a while. The while is for a spool
   * whose name is on the disk already but whose writer has not been told, so that it could not hold it yet.
   */
  async sweep(clock: Clock, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const candidates: string[] = [];
      for await (const { digest } of this.#containers.list()) {
        if (!this.#isNeeded(digest)) candidates.push(digest);
        if (candidates.length >= sweeping.candidates) break;
      }
      if (candidates.length === 0) return;
      await sleep(clock, sweeping.graceMs, signal);
      for (let first = 0; first < candidates.length; first += sweeping.perPause) {
        this.collect(candidates.slice(first, first + sweeping.perPause));
        await this.settled();
        await sleep(clock, sweeping.pauseMs, signal);
      }
      this.#log.info('swept containers', { candidates: candidates.length });
      if (candidates.length < sweeping.candidates) return;
    }
  }
}

/**
 * Counts `change` more (or fewer) files of `volume` with these contents. True when none is left of this
 * volume.
 */
export function countReferences(
  transaction: StoreTransaction,
  volume: VolumeId,
  digest: string,
  change: number,
): boolean {
  const row = key(digest, volume);
  const stored = transaction.get(row);
  const count = (stored === undefined ? 0 : countOf(stored)) + change;
  if (count > 0) transaction.put(row, seal(count));
  else transaction.remove(row);
  return count <= 0;
}

/**
 * A damaged count stands for more than can ever be taken away: better a container too many than one too few.
 */
function countOf(stored: Uint8Array): number {
  return intact<number>(stored) ?? 2 ** 40;
}

/** Whether a file of `volume` names `digest`. */
export function isCounted(reader: StoreReader, volume: VolumeId, digest: string): boolean {
  return reader.get(key(digest, volume)) !== undefined;
}

/** Which volumes name which contents, in the order of the digests: those behind `after`, of so many rows at most. */
export function namedContents(reader: StoreReader, after: string, rows: number): readonly NamedContents[] {
  const start = after === '' ? 'container/' : endOf(`container/${after}/`);
  const named: { digest: string; volumes: VolumeId[] }[] = [];
  let count = 0;
  for (const { key: row } of reader.range({ start, end: endOf('container/'), limit: rows })) {
    const [, digest = '', volume = ''] = row.split('/');
    count += 1;
    const last = named.at(-1);
    if (last?.digest === digest) last.volumes.push(volume as VolumeId);
    else named.push({ digest, volumes: [volume as VolumeId] });
  }
  // The rows of the last one may go on behind these.
  if (count === rows && named.length > 1) named.pop();
  return named;
}

export interface NamedContents {
  readonly digest: string;
  readonly volumes: readonly VolumeId[];
}

/** Whether a file of any volume names `digest`. */
export function isNamed(reader: StoreReader, digest: string): boolean {
  const prefix = `container/${digest}/`;
  for (const _ of reader.range({ start: prefix, end: endOf(prefix), limit: 1 })) return true;
  return false;
}

function key(digest: string, volume: VolumeId): string {
  return `container/${digest}/${volume}`;
}
