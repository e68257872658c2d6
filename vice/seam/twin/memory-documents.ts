import { Failure } from '../../interface/index.js';
import { changed, type Document, type Documents } from '../documents.js';
import { sleep, type Clock } from '../clock.js';

export interface MemoryDocumentsOptions {
  /** What flushes are timed with; without it they take no time. */
  readonly clock?: Clock;
  readonly flushMs?: number;
}

/** Documents in memory that can lose power. */
export class MemoryDocuments implements Documents {
  readonly #options: MemoryDocumentsOptions;
  #documents: ReadonlyMap<string, Document>;
  #state: 'open' | 'closed' | 'crashed' = 'open';
  #last: Promise<void> = Promise.resolve();
  #faults = 0;

  constructor(options: MemoryDocumentsOptions = {}, documents: Iterable<readonly [string, Document]> = []) {
    this.#options = options;
    this.#documents = new Map(documents);
  }

  all(): ReadonlyMap<string, Document> {
    return this.#documents;
  }

  change(changes: ReadonlyMap<string, Document | null>): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(new Error('the documents are closed'));
    const done = this.#last.then(() => this.#change(changes));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    if (this.#state === 'crashed') return;
    this.#state = 'closed';
    await this.#last;
  }

  /** The power fails: the result holds what had been changed, nothing of a change that was under way. */
  crash(): MemoryDocuments {
    this.#state = 'crashed';
    return this.reopen();
  }

  /** What a restart after `close` finds. */
  reopen(): MemoryDocuments {
    return new MemoryDocuments(this.#options, this.#documents);
  }

  /** The next `count` changes fail with no-space. */
  failNext(count = 1): void {
    this.#faults += count;
  }

  async #change(changes: ReadonlyMap<string, Document | null>): Promise<void> {
    const { clock, flushMs = 0 } = this.#options;
    if (clock !== undefined && flushMs > 0) await sleep(clock, flushMs);
    // Nobody is left who could be answered.
    if (this.#state === 'crashed') return new Promise(() => {});
    if (this.#faults > 0) {
      this.#faults -= 1;
      throw new Failure('no-space', 'documents.change', 'the disk is full: free some space');
    }
    this.#documents = changed(this.#documents, changes);
  }
}
