/**
 * One upload on its way into the staging area. The bytes that have come stay when the upload breaks; the next
 * upload of the same id goes on behind them, or, from byte 0, begins anew.
 */
import { Failure } from '../interface/index.js';
import type { Containers, Spool } from '../seam/containers.js';

export interface Arrived {
  readonly digest: string;
  readonly length: number;
}

const operation = 'vice.upload';

export class Transfer {
  readonly #containers: Containers;
  #spool: Spool | undefined;
  #arrived: Arrived | undefined;
  /** The upload that runs. */
  #upload: Upload | undefined;
  #running: Promise<void> = Promise.resolve();
  /** Counts interruptions; an upload of an earlier era that has not begun yet does not begin any more. */
  #era = 0;
  readonly #waiting = new Set<Waiter>();

  constructor(containers: Containers) {
    this.#containers = containers;
  }

  /** Bytes that have come. */
  get length(): number {
    return this.#arrived?.length ?? this.#spool?.length ?? 0;
  }

  /** Whether an upload brings bytes now. */
  get receiving(): boolean {
    return this.#upload !== undefined;
  }

  /** Whether somebody waits for the rest. */
  get awaited(): boolean {
    return this.#waiting.size > 0;
  }

  get arrived(): Arrived | undefined {
    return this.#arrived;
  }

  /** Calls `waiter` once, when all has arrived or never will. The result takes the waiter back. */
  wait(waiter: Waiter): () => void {
    this.#waiting.add(waiter);
    return () => this.#waiting.delete(waiter);
  }

  /**
   * Takes `source` behind the `start` bytes that are here; an upload that still runs gives way to this one
   * (its client has lost the connection and come back, before the server has noticed).
   * @throws Failure invalid (other bytes are here than `start` says), no-space, cancelled, what the source
   * throws
   */
  async receive(start: number, source: AsyncIterable<Uint8Array>): Promise<void> {
    this.#giveWay(new Failure('cancelled', operation, 'another upload of the same transfer has begun'));
    const era = this.#era;
    const turn = this.#running.then(() => this.#append(start, source, era));
    this.#running = turn.catch(() => undefined);
    return turn;
  }

  /** Ends the upload that runs; resolves when nothing writes any more. The bytes that have come stay. */
  async interrupt(reason: Failure): Promise<void> {
    this.#giveWay(reason);
    await this.#running;
  }

  /** Forgets what has come, unless it has become a container; for when no upload runs. Who waits goes on waiting. */
  async discard(): Promise<void> {
    const spool = this.#spool;
    this.#spool = undefined;
    await spool?.abort();
  }

  /** Forgets the bytes, unless they have become a container. Idempotent. */
  async abort(reason: Failure): Promise<void> {
    this.#giveWay(reason);
    this.#settle({ failure: reason });
    await this.#running;
    await this.#spool?.abort();
    this.#spool = undefined;
  }

  async #append(start: number, source: AsyncIterable<Uint8Array>, era: number): Promise<void> {
    this.#mustBeLatest(era);
    if (start === 0) await this.#beginAnew();
    else if (start !== this.length) {
      const here = this.length;
      const message = `${here} bytes of this transfer are here: continue at byte ${here} or at 0`;
      throw new Failure('invalid', operation, message);
    }
    this.#mustBeLatest(era);
    const chunks = source[Symbol.asyncIterator]();
    const upload: Upload = { chunks, ended: undefined, interrupt: undefined };
    this.#upload = upload;
    try {
      if (this.#arrived === undefined) this.#spool ??= await this.#containers.spool();
      const spool = this.#spool;
      for (let next = await nextChunk(upload); next.done !== true; next = await nextChunk(upload)) {
        if (spool === undefined) {
          throw new Failure('invalid', operation, 'all of this transfer had arrived before');
        }
        await this.#spooled(spool, spool.write(next.value));
      }
      if (spool === undefined) return;
      this.#arrived = await this.#spooled(spool, spool.commit());
      this.#spool = undefined;
      this.#settle({ arrived: this.#arrived });
    } catch (error) {
      // Not awaited: a source whose connection is gone may never answer.
      void Promise.resolve(chunks.return?.()).catch(() => undefined);
      throw error;
    } finally {
      this.#upload = undefined;
    }
  }

  /** What the disk could not take is gone, with all that came before it: it is sent from byte 0 again. */
  async #spooled<T>(spool: Spool, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (this.#spool === spool) await this.discard();
      throw error;
    }
  }

  #mustBeLatest(era: number): void {
    if (era === this.#era) return;
    throw new Failure('cancelled', operation, 'a later upload of the same transfer has begun');
  }

  #giveWay(reason: Failure): void {
    this.#era += 1;
    if (this.#upload === undefined) return;
    this.#upload.ended ??= reason;
    this.#upload.interrupt?.(reason);
  }

  async #beginAnew(): Promise<void> {
    await this.#spool?.abort();
    this.#spool = undefined;
    this.#arrived = undefined;
  }

  #settle(outcome: Settled): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const waiter of waiting) waiter(outcome);
  }
}

export type Settled = { readonly arrived: Arrived } | { readonly failure: Failure };
export type Waiter = (outcome: Settled) => void;

interface Upload {
  readonly chunks: AsyncIterator<Uint8Array>;
  /** Why it must give way. */
  ended: Failure | undefined;
  interrupt: ((reason: Failure) => void) | undefined;
}

/** The next chunk, or the reason to give way: a source whose connection is gone may never answer. */
function nextChunk(upload: Upload): Promise<IteratorResult<Uint8Array, unknown>> {
  return new Promise((resolve, reject) => {
    if (upload.ended !== undefined) return reject(upload.ended);
    upload.interrupt = reject;
    upload.chunks.next().then(resolve, reject);
  });
}
