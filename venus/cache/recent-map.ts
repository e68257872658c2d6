/** A map that forgets what was used least recently once its weight exceeds a bound. */
export class RecentMap<K, V> {
  readonly #bound: number;
  readonly #weigh: (value: V) => number;
  readonly #forgotten: ((value: V) => void) | undefined;
  readonly #map = new Map<K, { value: V; weight: number }>();
  #weight = 0;

  /** `forgotten` is told of each value that is in it no more. */
  constructor(bound: number, weigh: (value: V) => number, forgotten?: (value: V) => void) {
    this.#bound = bound;
    this.#weigh = weigh;
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#map.size;
  }

  get weight(): number {
    return this.#weight;
  }

  get(key: K): V | undefined {
    const item = this.#map.get(key);
    if (item === undefined) return undefined;
    // A Map keeps insertion order: the first key is the least recently used one.
    if (this.#weight > this.#bound / 2) {
      this.#map.delete(key);
      this.#map.set(key, item);
    }
    return item.value;
  }

  set(key: K, value: V): void {
    this.delete(key);
    const weight = this.#weigh(value);
    this.#map.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#map.keys()) {
      if (this.#weight <= this.#bound || oldest === key) break;
      this.delete(oldest);
    }
  }

  clear(): void {
    for (const { value } of this.#map.values()) this.#forgotten?.(value);
    this.#map.clear();
    this.#weight = 0;
  }

  delete(key: K): void {
    const item = this.#map.get(key);
    if (item === undefined) return;
    this.#map.delete(key);
    this.#weight -= item.weight;
    this.#forgotten?.(item.value);
  }
}
