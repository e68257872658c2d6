/**
 * The audit log of a server (vice/interface/audit.ts), in its store.
 *
 *   audit/NUMBER   one entry, the number with twelve digits
 *
 * AU-1  Nothing is done by an administrator of which no entry is on the disk: it is written first, and when there is no
 *       room for it, nothing is done.
 * AU-2  Logins go on when there is no room: the log of the process then says what the audit log lacks.
 * AU-3  The newest entries are kept, `auditLimits.kept` of them; what is left of the chain still holds together.
 * AU-4  An entry that its disk has damaged hinders nobody: it is left out, and the next one begins a chain of its own,
 *       so that whoever reads is told where one is missing.
 */
import {
  auditDigest,
  auditEntrySchema,
  auditLimits,
  firstPrevious,
  identityText,
  intact,
  isFailure,
  seal,
  type AuditEntry,
} from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';
import type { Session } from '../seam/network.js';
import { endOf, type Store, type StoreReader, type StoreTransaction } from '../seam/store.js';

const prefix = 'audit/';
const digits = 12;
const fieldMost = 2000;

export interface AuditWorld {
  readonly clock: Clock;
  readonly store: Store;
  readonly log: Log;
}

type Noted = Pick<AuditEntry, 'event' | 'by' | 'through'> & {
  readonly what?: Readonly<Record<string, unknown>>;
};

export class AuditLog {
  readonly #world: AuditWorld;
  readonly #kept: number;

  constructor(world: AuditWorld, kept: number = auditLimits.kept) {
    this.#world = world;
    this.#kept = kept;
  }

  /** Durable when it resolves. @throws Failure no-space, damaged */
  async note(noted: Noted): Promise<void> {
    const time = this.#world.clock.wall();
    await this.#world.store.transact((transaction) => {
      const number = append(transaction, noted, time);
      transaction.remove(keyOf(number - this.#kept));
    });
  }

  /** As `note`, of something that goes on in any case (AU-2). Not waited for. */
  mention(noted: Noted): void {
    this.note(noted).catch((error: unknown) => {
      if (!isFailure(error)) throw error;
      this.#world.log.error('not in the audit log', { ...noted, reason: error.message });
    });
  }

  /** `work`, of which there is an entry before it begins, and another one when it is refused (AU-1). */
  async act<T>(session: Session, noted: Omit<Noted, 'through'>, work: () => Promise<T>): Promise<T> {
    const through = throughOf(session);
    await this.note({ ...noted, through });
    try {
      return await work();
    } catch (error) {
      if (isFailure(error)) {
        const what = { kind: error.kind, reason: error.message };
        this.mention({ event: 'refused', by: noted.by, through, what });
      }
      throw error;
    }
  }

  /**
   * Entries after number `after`, oldest first; null: the newest. Those that cannot be read are left out; `last` is the
   * number of the newest one in any case, 0 where there is none.
   */
  page(after: number | null, limit: number): { readonly entries: AuditEntry[]; readonly last: number } {
    const { store } = this.#world;
    const last = newest(store).number;
    const from = after ?? Math.max(0, last - limit);
    const range = { start: keyOf(from + 1), end: endOf(prefix), limit };
    return { entries: [...store.range(range)].flatMap(({ value }) => readable(value) ?? []), last };
  }
}

/** The peer of a session as it stands in entries: without the VenusId of a gateway. */
export function throughOf({ peer }: Session): string {
  return identityText({ role: peer.role, name: peer.name.replace(/\/[0-9a-f]{16}$/, '') });
}

function append(
  transaction: StoreTransaction,
  { event, by, through, what = {} }: Noted,
  time: number,
): number {
  const { number: last, entry: before } = newest(transaction);
  const number = last + 1;
  const fields = Object.entries(what).filter(([, value]) => value !== undefined);
  const entry: AuditEntry = {
    number,
    time,
    event,
    by: by.slice(0, 200),
    through: through.slice(0, 200),
    what: Object.fromEntries(
      fields.map(([name, value]) => [name, JSON.stringify(value).slice(0, fieldMost)]),
    ),
    previous: before === undefined ? firstPrevious : auditDigest(before),
  };
  transaction.put(keyOf(number), seal(entry));
  return number;
}

/** The number of the newest entry, and the entry where it can be read. */
function newest(reader: StoreReader): { readonly number: number; readonly entry?: AuditEntry | undefined } {
  const range = { start: prefix, end: endOf(prefix), limit: 1, reverse: true };
  for (const { key, value } of reader.range(range))
    return { number: Number(key.slice(prefix.length)), entry: readable(value) };
  return { number: 0 };
}

function readable(value: Uint8Array): AuditEntry | undefined {
  return auditEntrySchema.safeParse(intact(value)).data;
}

function keyOf(number: number): string {
  return `${prefix}${String(Math.max(0, number)).padStart(digits, '0')}`;
}
