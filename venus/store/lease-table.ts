/**
 * Leases of gateways, kept over restarts. Rows: `x/<token>`.
 *
 * LE-1  While a process runs, leases lapse by its monotonic clock: a wall clock that is set changes nothing (P14).
 * LE-2  Over a restart the wall clock alone says what has passed since a lease was put. It can shorten a lease, also
 *       wrongly; what was left of it when it was put is the most that it has after a restart.
 */
import { z } from 'zod';
import { Failure, intact, parseFid, seal, type Fid } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Lease, Leases } from '../interface.js';
import type { WriteBuffer } from './write-buffer.js';

const bound = 100_000;
const row = z.strictObject({
  token: z.string().max(200),
  fid: z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined),
  holder: z.string().max(200),
  /** Milliseconds since 1970, as the wall clock was when the row was written. */
  expires: z.number(),
  /** Milliseconds until then. Earlier releases did not write it. */
  left: z.number().optional(),
  note: z.string().max(8192),
});

export class LeaseTable implements Leases {
  readonly #buffer: WriteBuffer;
  readonly #clock: Clock;
  readonly #leases = new Map<string, Lease>();

  constructor(buffer: WriteBuffer, clock: Clock) {
    this.#buffer = buffer;
    this.#clock = clock;
    for (const { key, value } of [...buffer.scan('x/')]) {
      const kept = row.optional().parse(intact(value));
      if (kept !== undefined) this.#leases.set(kept.token, leaseOf(kept, clock));
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
    const { ends, ...rest } = lease;
    const left = ends - this.#clock.monotonic();
    const checked = row.safeParse({ ...rest, expires: this.#clock.wall() + left, left });
    if (!checked.success)
      throw new Failure('too-large', 'venus.leases', 'the lease is malformed or its note too long');
    this.#leases.set(lease.token, lease);
    this.#buffer.put(`x/${lease.token}`, seal(checked.data));
    await this.#buffer.flush();
  }

  async remove(token: string): Promise<void> {
    if (!this.#leases.delete(token)) return;
    this.#buffer.remove(`x/${token}`);
    await this.#buffer.flush();
  }
}

function leaseOf({ expires, left = Infinity, ...rest }: z.infer<typeof row>, clock: Clock): Lease {
  return { ...rest, ends: clock.monotonic() + Math.min(expires - clock.wall(), left) };
}
