/** What a test has ordered of the next operations of a MemoryVenus: to fail, or to wait for something. */
import type { Failure } from '../../vice/interface/index.js';
import type { Venus } from '../interface.js';

/**
 * What can be made to fail or to wait. `read` and the two of the Writer are not operations of Venus itself.
 */
export type Operation =
  | Exclude<keyof Venus, 'leases' | 'log' | 'state' | 'conflicts' | 'hoard'>
  | 'walk'
  | 'read'
  | 'writer.write'
  | 'writer.close'
  | `conflicts.${'list' | 'overwritten' | 'of' | 'repair'}`;

export class TestOrders {
  readonly #failures = new Map<Operation, Failure>();
  readonly #befores = new Map<Operation, () => Promise<void>>();

  failNext(operation: Operation, failure: Failure): void {
    this.#failures.set(operation, failure);
  }

  beforeNext(operation: Operation, action: () => Promise<void>): void {
    this.#befores.set(operation, action);
  }

  /** The failure that is ordered for this `operation`; with that it is done. */
  failing(operation: Operation): Failure | undefined {
    const failing = this.#failures.get(operation);
    this.#failures.delete(operation);
    return failing;
  }

  /** @throws the failure that is ordered */
  async enter(operation: Operation): Promise<void> {
    const action = this.#befores.get(operation);
    this.#befores.delete(operation);
    await action?.();
    const failing = this.failing(operation);
    if (failing !== undefined) throw failing;
  }
}
