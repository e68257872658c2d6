/** A binary heap whose items know where they are, so that any of them can be taken out. */
export interface HeapItem {
  /** What is least is first; among equals, what has the least `tie`. */
  key: number;
  readonly tie: number;
  /** Its place, for the heap alone. */
  at: number;
}

export class LeastHeap<T extends HeapItem> {
  readonly #items: T[] = [];

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  /** `item` must be here. */
  remove(item: T): void {
    const last = this.#items.pop();
    if (last === undefined || this.#items[item.at] === undefined) {
      if (last !== item) throw new Error('heap: the item is not here');
      return;
    }
    const { at } = item;
    this.#sink(last, at);
    if (this.#items[at] === last) this.#rise(last, at);
  }

  #rise(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const parent = this.#items[(at - 1) >> 1] as T;
      if (!isLess(item, parent)) break;
      this.#put(parent, at);
      at = (at - 1) >> 1;
    }
    this.#put(item, at);
  }

  #sink(item: T, from: number): void {
    let at = from;
    for (;;) {
      const [left, right] = [this.#items[2 * at + 1], this.#items[2 * at + 2]];
      const child = left !== undefined && right !== undefined && isLess(right, left) ? right : left;
      if (child === undefined || !isLess(child, item)) break;
      const below = child.at;
      this.#put(child, at);
      at = below;
    }
    this.#put(item, at);
  }

  #put(item: T, at: number): void {
    this.#items[at] = item;
    item.at = at;
  }
}

function isLess(a: HeapItem, b: HeapItem): boolean {
  return a.key < b.key || (a.key === b.key && a.tie < b.tie);
}
