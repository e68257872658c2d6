/**
 * Who may go on with what: changes of one gateway that touch the same name or object wait for each other, in the
 * order of their arrival; others do not. Keys are taken in sorted order, so two changes cannot wait in a circle.
 */
import type { Fid } from '../../vice/interface/index.js';
import type { Name } from '../interface.js';

export interface LatchRequest {
  readonly key: string;
  /** Shared: I need this to stay (a directory that I put a name into). Exclusive: I change it. */
  readonly mode: 'shared' | 'exclusive';
}

interface Waiting {
  readonly mode: 'shared' | 'exclusive';
  readonly go: () => void;
}

class Latch {
  shared = 0;
  exclusive = false;
  readonly queue: Waiting[] = [];

  admit(mode: 'shared' | 'exclusive'): boolean {
    if (this.exclusive || (mode === 'exclusive' && this.shared > 0)) return false;
    if (mode === 'shared') this.shared += 1;
    else this.exclusive = true;
    return true;
  }
}

export class Latches {
  readonly #latches = new Map<string, Latch>();

  /** Runs `work` while holding all of `requests`. */
  async with<T>(requests: readonly LatchRequest[], work: () => Promise<T>): Promise<T> {
    const sorted = strongest(requests);
    for (const request of sorted) await this.#acquire(request);
    try {
      return await work();
    } finally {
      for (const request of sorted) this.#release(request);
    }
  }

  async #acquire({ key, mode }: LatchRequest): Promise<void> {
    let latch = this.#latches.get(key);
    if (latch === undefined) {
      latch = new Latch();
      this.#latches.set(key, latch);
    }
    // First come, first served: nobody overtakes the queue, so a writer is not starved by readers.
    if (latch.queue.length === 0 && latch.admit(mode)) return;
    const { queue } = latch;
    await new Promise<void>((go) => queue.push({ mode, go }));
  }

  #release({ key, mode }: LatchRequest): void {
    const latch = this.#latches.get(key);
    if (latch === undefined) throw new Error(`latch ${key} released twice`);
    if (mode === 'shared') latch.shared -= 1;
    else latch.exclusive = false;
    for (let next = latch.queue[0]; next !== undefined && latch.admit(next.mode); next = latch.queue[0]) {
      latch.queue.shift();
      next.go();
    }
    if (latch.shared === 0 && !latch.exclusive && latch.queue.length === 0) this.#latches.delete(key);
  }
}

/** Each key once, in its strongest mode, in order. */
function strongest(requests: readonly LatchRequest[]): readonly LatchRequest[] {
  const modes = new Map<string, 'shared' | 'exclusive'>();
  for (const { key, mode } of requests) if (modes.get(key) !== 'exclusive') modes.set(key, mode);
  return [...modes].map(([key, mode]) => ({ key, mode })).sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** To put a name into a directory that must stay meanwhile. */
export function inside(directory: Fid): LatchRequest {
  return { key: `d/${directory}`, mode: 'shared' };
}

/** To remove or replace a directory. */
export function whole(directory: Fid): LatchRequest {
  return { key: `d/${directory}`, mode: 'exclusive' };
}

/** To change what bears a name, under either Unicode normal form. */
export function named({ parent, name }: Name): LatchRequest {
  return { key: `n/${parent}/${name.normalize('NFC')}`, mode: 'exclusive' };
}
