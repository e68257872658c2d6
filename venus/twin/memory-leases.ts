/** Leases that last as long as the process. */
import { Failure } from '../../vice/interface/index.js';
import type { Lease, Leases } from '../interface.js';

const maxLeases = 10_000;

export class MemoryLeases implements Leases {
  readonly #leases = new Map<string, Lease>();

  all(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  async put(lease: Lease): Promise<void> {
    if (this.#leases.size >= maxLeases && !this.#leases.has(lease.token)) {
      throw new Failure('busy', 'memory.leases.put', 'there are too many leases');
    }
    this.#leases.set(lease.token, lease);
  }

  async remove(token: string): Promise<void> {
    this.#leases.delete(token);
  }
}
