/** Leases of gateways, kept over restarts. Rows: `x/<token>`. */
import { z } from 'zod';
import { Failure, parseFid, seal, type Fid } from '../../vice/interface/index.js';
import type { Lease, Leases } from '../interface.js';
import type { WriteBuffer } from './write-buffer.js';
import { intact } from './intact.js';

const bound = 100_000;
const row = z.strictObject({
  token: z.string().max(200),
  fid: z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined),
  holder: z.string().max(200),
  expires: z.number(),
  note: z.string().max(8192),
});

export class LeaseTable implements Leases {
  readonly #buffer: WriteBuffer;
  readonly #leases = new Map<string, Lease>();

  constructor(buffer: WriteBuffer) {
    this.#buffer = buffer;
    for (const { key, value } of [...buffer.scan('x/')]) {
      const lease = row.optional().parse(intact(value));
      if (lease !== undefined) this.#leases.set(lease.token, lease);
      else buffer.remove(key);
    }
  }

  all(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  async put(lease: Lease): Promise<void> {
    if (!this.#leases.has(lease.token) && this.#leases.size >= bound) {
      throw new Failure('busy', 'venus.leases', `there are ${bound} leases already`);
    }
    const checked = row.safeParse(lease);
    if (!checked.success)
      throw new Failure('too-large', 'venus.leases', 'the lease is malformed or its note too long');
    this.#leases.set(lease.token, checked.data);
    this.#buffer.put(`x/${lease.token}`, seal(checked.data));
    await this.#buffer.flush();
  }

  async remove(token: string): Promise<void> {
    if (!this.#leases.delete(token)) return;
    this.#buffer.remove(`x/${token}`);
    await this.#buffer.flush();
  }
}
