/** A spool whose bytes have room made for them, and whose contents stay until it is done with. */
import type { Spool } from '../../vice/seam/containers.js';

export interface SpoolPlace {
  /** Makes room for so many bytes more, as far as that is possible. */
  readonly room: (bytes: number) => Promise<unknown>;
  /** Runs the commit; notes what has come of it, pinned until the result is called. */
  readonly commit: (
    work: () => Promise<Committed>,
  ) => Promise<{ readonly committed: Committed; readonly release: () => void }>;
  readonly closed: () => void;
}

interface Committed {
  readonly digest: string;
  readonly length: number;
}

/** Room is made for so many bytes at once where the length was not announced. */
const stepBytes = 8 * 1024 * 1024;

export class CacheSpool implements Spool {
  readonly #spool: Spool;
  readonly #place: SpoolPlace;
  readonly #announced: number;
  /** Up to here room was made. */
  #roomy: number;
  #release: (() => void) | undefined;

  /** There is room for `announced` bytes already. */
  constructor(spool: Spool, announced: number, place: SpoolPlace) {
    this.#spool = spool;
    this.#place = place;
    this.#announced = announced;
    this.#roomy = Math.max(announced, stepBytes);
  }

  get length(): number {
    return this.#spool.length;
  }

  /** Bytes that it has or is going to have. */
  get claimed(): number {
    return Math.max(this.#announced, this.#spool.length);
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#spool.length + chunk.length > this.#roomy) {
      this.#roomy += Math.max(stepBytes, chunk.length);
      await this.#place.room(stepBytes);
    }
    return this.#spool.write(chunk);
  }

  async commit(): Promise<Committed> {
    const { committed, release } = await this.#place.commit(() => this.#spool.commit());
    this.#release = release;
    return committed;
  }

  async abort(): Promise<void> {
    this.#release?.();
    this.#release = undefined;
    this.#place.closed();
    await this.#spool.abort();
  }
}
