/**
 * All cached containers in the order in which they would go, by the priorities of replacement.ts. No operation looks at
 * more than a few of them, though every reference moves the ranks of all.
 *
 * Those whose recency still falls all fall alike, so among them `generation + 3 * hoard` (both by 25) never changes.
 * They are in two heaps by that, one for each kind of ageing; what has come to the end of its scale, or was never
 * referenced, is in a third, by its priority. What is in rows of the store has three heaps of its own, so that those
 * whose removal gives the disk something back are found without it.
 *
 * EO-1  What a heap has of an item is at most what it is worth: a reference only raises it, and is put right when the
 *       item comes to the top. So the least of the corrected tops is the least of all.
 * EO-2  Sticky items are in no heap; nor are held ones that were met, until `restore`.
 */
import { LeastHeap, type HeapItem } from './least-heap.js';
import { ageing, generation, isAgain, isSticky, priority, tieOf, type Usage } from './replacement.js';

export interface Kept extends HeapItem, Usage {
  readonly digest: string;
  readonly length: number;
  /** In rows of the store, which keeps their room for other rows. */
  readonly inRows: boolean;
  /** Open files that need it. */
  pins: number;
  hoard: number;
  used: number;
  again: boolean;
  /** Its first reference. */
  since: number;
  /** Where it is; null: in none. */
  heap: LeastHeap<Kept> | null;
}

class Heaps {
  readonly first = new LeastHeap<Kept>();
  readonly again = new LeastHeap<Kept>();
  readonly settled = new LeastHeap<Kept>();
  readonly all = [this.first, this.again, this.settled];
}

interface Spot {
  readonly heap: LeastHeap<Kept>;
  readonly key: number;
}

/** Items that get another place in one turn of the event loop. */
const movedAtOnce = 1_000;
/** What one hoard priority weighs in generations: 75 / 25. */
const hoardGenerations = 3;

export class EvictionOrder {
  readonly #kept = new Map<string, Kept>();
  readonly #files = new Heaps();
  readonly #rows = new Heaps();
  readonly #seed: number;
  #shift: number;
  #references = 0;
  #bytes = 0;

  constructor(shift: number, seed: number) {
    this.#shift = shift;
    this.#seed = seed;
  }

  get size(): number {
    return this.#kept.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(digest: string): Kept | undefined {
    return this.#kept.get(digest);
  }

  all(): Iterable<Kept> {
    return this.#kept.values();
  }

  priority(kept: Kept): number {
    return priority(kept, this.#references, this.#shift);
  }

  /** Adds what is not here yet. */
  add(digest: string, length: number, hoard: number, inRows = false): Kept {
    // One literal: of a million such objects each is as small as it can be.
    const kept: Kept = {
      digest,
      length,
      inRows,
      tie: tieOf(digest, this.#seed),
      pins: 0,
      hoard,
      used: 0,
      again: false,
      since: 0,
      key: 0,
      at: 0,
      heap: null,
    };
    this.#kept.set(digest, kept);
    this.#bytes += length;
    this.restore(kept);
    return kept;
  }

  remove(kept: Kept): void {
    if (!this.#kept.delete(kept.digest)) return;
    this.#bytes -= kept.length;
    this.#leave(kept);
  }

  /** Somebody opens it. */
  reference(kept: Kept): void {
    this.#references += 1;
    if (kept.since === 0) kept.since = this.#references;
    kept.used = this.#references;
    if (kept.again || !isAgain(kept.since, this.#references)) return;
    kept.again = true;
    if (kept.heap === null) return;
    this.#leave(kept);
    this.restore(kept);
  }

  setHoard(kept: Kept, hoard: number): void {
    if (kept.hoard === hoard) return;
    const isPlaced = kept.heap !== null || isSticky(kept.hoard);
    this.#leave(kept);
    kept.hoard = hoard;
    if (isPlaced) this.restore(kept);
  }

  /**
   * The cache has another size, so generations have another length. Others may run at each step; until all are over,
   * those that were not come to yet are where the old length has them, and what is taken may be worth a little more.
   */
  *rescale(shift: number): Generator<void> {
    if (shift === this.#shift) return;
    this.#shift = shift;
    let moved = 0;
    for (const kept of this.#kept.values()) {
      if (kept.heap === null) continue;
      this.#leave(kept);
      this.restore(kept);
      moved += 1;
      if (moved % movedAtOnce === 0) yield;
    }
  }

  /**
   * Takes out of the order what is worth least, if that is less than `below`: the caller removes it, or restores it.
   * What is held on the way stays out, too, until somebody restores it. `onlyFiles`: as if nothing were in rows.
   */
  take(below: number, isHeld: (kept: Kept) => boolean, onlyFiles = false): Kept | undefined {
    for (;;) {
      const least = this.#least(onlyFiles ? this.#files.all : [...this.#files.all, ...this.#rows.all]);
      if (least === undefined) return undefined;
      const isOver = this.priority(least) >= below;
      if (isOver) return undefined;
      this.#leave(least);
      if (!isHeld(least)) return least;
    }
  }

  /** Puts back what was taken out, or was held and is no longer. */
  restore(kept: Kept): void {
    if (kept.heap !== null || isSticky(kept.hoard) || this.#kept.get(kept.digest) !== kept) return;
    const { heap, key } = this.#spotOf(kept);
    kept.key = key;
    kept.heap = heap;
    heap.add(kept);
  }

  #least(heaps: readonly LeastHeap<Kept>[]): Kept | undefined {
    // All of them before any top is read: what is put right in one heap may go to another.
    for (const heap of heaps) this.#correct(heap);
    let least: Kept | undefined;
    for (const { first } of heaps) {
      if (first !== undefined && (least === undefined || this.#isLess(first, least))) least = first;
    }
    return least;
  }

  #isLess(a: Kept, b: Kept): boolean {
    const difference = this.priority(a) - this.priority(b);
    return difference < 0 || (difference === 0 && a.tie < b.tie);
  }

  /** Sees to it that the first of `heap` is what it is worth (EO-1). */
  #correct(heap: LeastHeap<Kept>): void {
    for (let top = heap.first; top !== undefined; top = heap.first) {
      const spot = this.#spotOf(top);
      if (spot.heap === heap && spot.key === top.key) return;
      this.#leave(top);
      this.restore(top);
    }
  }

  #leave(kept: Kept): void {
    kept.heap?.remove(kept);
    kept.heap = null;
  }

  #spotOf(kept: Kept): Spot {
    const { used, again, hoard } = kept;
    const heaps = kept.inRows ? this.#rows : this.#files;
    const { most, shift } = ageing(again, this.#shift);
    const [now, then] = [generation(this.#references, shift), generation(used, shift)];
    if (used === 0 || now - then >= most) return { heap: heaps.settled, key: this.priority(kept) };
    return { heap: again ? heaps.again : heaps.first, key: then + hoardGenerations * hoard };
  }
}
