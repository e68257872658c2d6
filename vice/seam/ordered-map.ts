/**
 * An ordered map in memory whose keys are ordered as a Store's are (ST-5): by their UTF-8 bytes.
 *
 * Kept as leaves of at most `leafKeys` sorted keys each; a change moves at most one leaf, a look-up is one
 * hash.
 */
import type { RangeOptions } from './store.js';

const leafKeys = 512;

export class OrderedMap<V> {
  readonly #values = new Map<string, V>();
  /** Sorted, never empty; every key of a leaf is below every key of the next one. */
  readonly #leaves: string[][] = [];

  get size(): number {
    return this.#values.size;
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: V): void {
    if (!this.#values.has(key)) this.#insert(key);
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (!this.#values.delete(key)) return;
    const at = this.#leafOf(key);
    const leaf = this.#leaves[at];
    if (leaf === undefined) return;
    leaf.splice(lowerBound(leaf, key), 1);
    if (leaf.length === 0) this.#leaves.splice(at, 1);
  }

  /** Every entry in order. The map must not change meanwhile. */
  *entries(): IterableIterator<[string, V]> {
    for (const leaf of this.#leaves) yield* this.#entriesOf(leaf, 0, leaf.length, false);
  }

  /**
   * The entries in the range, in its direction. Its limit is not applied. The map must not change meanwhile.
   */
  *range({ start, end, reverse = false }: RangeOptions): IterableIterator<[string, V]> {
    if (compareKeys(start, end) >= 0 || this.#leaves.length === 0) return;
    const first = this.#leafOf(start);
    const last = this.#leafOf(end);
    for (let step = 0; step <= last - first; step += 1) {
      const at = reverse ? last - step : first + step;
      const leaf = this.#leaves[at] ?? [];
      const from = at === first ? lowerBound(leaf, start) : 0;
      const to = at === last ? lowerBound(leaf, end) : leaf.length;
      yield* this.#entriesOf(leaf, from, to, reverse);
    }
  }

  *#entriesOf(leaf: string[], from: number, to: number, reverse: boolean): IterableIterator<[string, V]> {
    for (let step = 0; step < to - from; step += 1) {
      const key = leaf[reverse ? to - 1 - step : from + step];
      if (key !== undefined) yield [key, this.#values.get(key) as V];
    }
  }

  #insert(key: string): void {
    if (this.#leaves.length === 0) {
      this.#leaves.push([key]);
      return;
    }
    const at = this.#leafOf(key);
    const leaf = this.#leaves[at] ?? [];
    leaf.splice(lowerBound(leaf, key), 0, key);
    if (leaf.length > leafKeys) this.#leaves.splice(at + 1, 0, leaf.splice(leafKeys >> 1));
  }

  /** Index of the last leaf whose first key is not above `key`, else 0. */
  #leafOf(key: string): number {
    let low = 0;
    let high = this.#leaves.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (compareKeys(this.#leaves[middle]?.[0] ?? '', key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first of `keys` that is not below `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(keys[middle] ?? '', key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Negative, 0 or positive as the UTF-8 bytes of `a` are below, equal to or above those of `b`; both
 * well-formed. UTF-16 code units order alike, but for surrogates, which UTF-8 puts behind U+E000 to U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

function rank(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit <= 0xdfff ? codeUnit + 0x10000 : codeUnit;
}
