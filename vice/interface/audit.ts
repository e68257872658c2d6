/**
 * What a server remembers of who came in and who changed the realm: entries in one chain, each with the digest of the
 * one before, so that none can be changed or taken out of the middle without the next ones telling. Kept apart from the
 * log lines of the process: those come and go.
 *
 * - call `audit`: entries after number `after` (null: the newest), oldest first.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { count } from './value-schemas.js';

export const auditEvents = [
  'login', // a user came in by password
  'login-refused',
  'change', // somebody wants the realm document changed: written before it is done
  'change-people', // the same of the people
  'take-snapshot',
  'drop-snapshot',
  'read-snapshot', // a volume is dumped, with all contents
  'refused', // what the entry before by the same one wanted was not done
] as const;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

export const auditEntrySchema = z.strictObject({
  /** From 1 on, without a gap. */
  number: count.min(1),
  /** Milliseconds since 1970 by the server's clock. */
  time: z.number(),
  event: z.enum(auditEvents),
  /** Who did it: a user, or whose certificate it is. */
  by: z.string().max(200),
  /** The peer that brought it, as `gateway g1`. */
  through: z.string().max(200),
  /** Of an intention its fields, each as JSON. No secret is among them. */
  what: z.record(z.string().max(100), z.string().max(2000)),
  /** Of the entry before, by `auditDigest`; of the first one sixty-four zeros. */
  previous: digest,
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;

export const auditLimits = { page: 500, kept: 100_000 } as const;
export const firstPrevious = '0'.repeat(64);

/** SHA-256 over all of the entry, its `previous` included. */
export function auditDigest({ number, time, event, by, through, what, previous }: AuditEntry): string {
  const fields = Object.entries(what).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([number, time, event, by, through, fields, previous]);
  return createHash('sha256').update(text).digest('hex');
}

/** The number of the first entry that does not continue the one before it in `entries`; undefined: all do. */
export function brokenLink(entries: readonly AuditEntry[]): number | undefined {
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1];
    if (before === undefined) continue;
    if (entry.number !== before.number + 1 || entry.previous !== auditDigest(before)) return entry.number;
  }
  return undefined;
}

export const auditCalls = {
  audit: {
    roles: ['operator'],
    argument: z.strictObject({ after: count.nullable(), limit: count.min(1).max(auditLimits.page) }),
    result: z.strictObject({ entries: z.array(auditEntrySchema), last: count }),
  },
} as const;
