/**
 * Whether this gateway runs resolvers. Switched off it stays so over restarts, until somebody switches it on again: row
 * `gateway/resolvers-off` of the gateway's store.
 */
import type { Store } from '../../vice/seam/store.js';

const row = 'gateway/resolvers-off';

export class ResolverSwitch {
  readonly #store: Store;
  #isOn: boolean;

  constructor(store: Store) {
    this.#store = store;
    this.#isOn = store.get(row) === undefined;
  }

  get isOn(): boolean {
    return this.#isOn;
  }

  /** Resolves when it is on the disk. @throws Failure no-space */
  async set(isOn: boolean): Promise<void> {
    await this.#store.transact((transaction) => {
      if (isOn) transaction.remove(row);
      else transaction.put(row, new Uint8Array([1]));
    });
    this.#isOn = isOn;
  }
}
