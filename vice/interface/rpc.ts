/**
 * The calls that a server answers, their arguments and results. Every argument is checked against its schema at
 * the server's gate and every result at the client's: neither trusts the other.
 *
 * Names follow Coda's vice.rpc2 where it has one: Fetch is a container download (vice/seam/network.ts),
 * GetAttr is `status`, ValidateVols is `watch`, Reintegrate (and every connected update) is `mutate`.
 */
import { z } from 'zod';
import { auditCalls } from './audit.js';
import { dumpCalls } from './dump-calls.js';
import { failureKinds } from './failure.js';
import { epochsMost, type History, type Mark } from './history.js';
import type { UpdateSet } from './mutation.js';
import { intentionSchema } from './intention.js';
import { peopleCalls } from './people-calls.js';
import { peopleEntrySchema } from './people.js';
import { conflictPolicies, replicaStates, restoringMost } from './realm.js';
import { revocationsMost } from './revocation.js';
import { scrubReportSchema } from './scrub-report.js';
import { snapshotCalls } from './snapshot-calls.js';
import {
  bytes,
  count,
  counts,
  digest,
  fid,
  fids,
  meant,
  mutationSchema,
  replicaId,
  statusSchema,
  storeId,
  user,
  volume,
} from './value-schemas.js';
import { limits } from './vnode.js';

/**
 * Raised when a peer of the old version would misread the new one, or when what it does not know would make it unsafe:
 * a program goes on with an old realm document when it refuses the new one whole (contract-fault.ts). So 10: of those
 * before, revoked certificates (`revoked`) and volumes that are not whole (`restoring`) would be as any other. And 11:
 * servers say with their stamps of which epoch those are (history.ts).
 */
export const protocolVersion = 11;

const updateSet: z.ZodType<UpdateSet> = z.strictObject({
  storeId,
  replicas: z.array(replicaId).max(64),
});
/** COP2 messages that ride on another call, so that a connected update costs one round. */
const cop2 = z.array(updateSet).max(1000);

const failure = z.strictObject({
  kind: z.enum(failureKinds),
  message: z.string(),
  fid: fid.nullable(),
});

/** Digest of a directory's names (names-digest.ts). */
const names = z.string().regex(/^[0-9a-f]{16}$/);

const epochs: z.ZodType<History> = z
  .array(z.strictObject({ id: z.string().max(64), after: count }))
  .max(epochsMost);
const mark: z.ZodType<Mark> = z.strictObject({ stamp: count, epochs });

/** Where one object stands at the answering replica after an update. */
const version = z.strictObject({ fid, vv: counts, storeId: storeId.nullable() });

const realmDocument = z.strictObject({
  format: z.literal(1),
  version: count,
  realm: z.string().max(64),
  name: z.string().max(128),
  publisher: z.string().max(64).optional(),
  servers: z.array(z.strictObject({ name: z.string().max(64), address: z.string().max(256) })),
  volumes: z.array(
    z.strictObject({
      id: volume,
      name: z.string().max(128),
      replicas: z.array(
        z.strictObject({
          id: replicaId,
          server: z.string().max(64),
          state: z.enum(replicaStates).optional(),
          replaces: replicaId.optional(),
        }),
      ),
      retired: z.array(replicaId).max(10_000).optional(),
      conflicts: z.enum(conflictPolicies).optional(),
      mount: fid.optional(),
      quotaBytes: count.optional(),
      locked: z.literal(true).optional(),
      restoring: z.string().max(restoringMost).optional(),
      restored: z.string().max(restoringMost).optional(),
    }),
  ),
  rootVolume: volume,
  retiredVolumes: z.array(volume).max(10_000).optional(),
  groups: z.record(user, z.array(user).max(10_000)).optional(),
  people: peopleEntrySchema.optional(),
  revoked: z
    .array(
      z.strictObject({
        role: z.enum(['gateway', 'server', 'operator']),
        name: z.string().max(64),
        before: count,
      }),
    )
    .max(revocationsMost)
    .optional(),
});
export const realmDocumentSchema = realmDocument;

/**
 * Each call: who may make it, its argument and its result.
 *
 * - `locate` the realm document that this server holds.
 * - `prove` proves the session again, with another realm key than before. An older server does not know the call.
 * - `watch` asks for a callback promise on a whole volume: from this reply on, until the connection closes, every
 *   change to the volume by anybody else is pushed as a `break` that names the objects. `since` is the stamp up
 *   to which the caller has heard of all changes at this replica (of this `incarnation`); `changed` is what changed
 *   after it, null when the replica cannot tell (then everything is suspect). `seen` has, for each user of the
 *   gateway `venus`, the highest counter that this replica has met: one that it has not made yet shows that the gateway
 *   was restored from an old backup.
 * - `status` of some objects; null for one that this replica does not have. Servers are also told of removed ones.
 * - `list` a directory: its status, a digest over its children's Fids and StoreIds (equal digests: equal children),
 *   and, if `full`, names with the children's statuses. The reply may come in parts: `entries` are concatenated.
 *   `since`: the digest of the names that the caller has; if the server still knows what changed since, the reply has
 *   these entries alone, and in `gone` the names that are no more. Without `gone` it has all.
 * - `mutate` certifies and applies a batch in one transaction, all or nothing (COP1). `inline` holds contents
 *   (digest -> bytes) up to limits.inlineBytes each; other contents must have arrived by upload, under the transfer
 *   id that `transfers` names for their digest, or already be at the server. `watermark`: the caller will never
 *   send a counter below it again under one of the VenusIds of `records`. Already applied records are skipped and count
 *   as applied. One that is not here and below an earlier watermark is no duplicate: two Venuses work on copies of one
 *   data folder (`damaged`).
 * - `offer` says which contents a `mutate` is going to name, before they are sent. `held`: the volume has them here
 *   already, and keeps them for some minutes: they need neither travel nor be named. `received`: bytes of this
 *   transfer that are here; an upload goes on behind them. An upload of it that still runs is ended by this.
 * - `bases` contents of each of these objects that are here: an upload of one of them may say how it differs from these
 *   (vice/server/differences.ts), if the caller has them, too. An older server does not know the call: then everything
 *   is sent.
 * - `cop2` tells which replicas have applied updates.
 * - `resolve` asks the server to bring these objects (or the whole volume) up to date from its peers, and waits.
 * - `changes` (servers only) objects changed after what `since` covers, oldest first, for a peer that brings itself up
 *   to date; removed ones, too (merge.ts, `isRemoved`). `from` is the stamp behind which they begin, `last` that of the
 *   last change that there is; `epochs` say what they mean (history.ts).
 * - `stamps` (servers only) of the last change of each of these objects; null: not here.
 * - `contents` (servers only) of small files, by digest; what is not here, or does not fit into one reply, is left out.
 * - `digests` (servers only) of what lies under a prefix of bucket numbers, or of the objects of one bucket: how two
 *   replicas find the objects in which they differ.
 * - `conflicts` of the volume at this replica: the objects that a person has to decide about, with the names that
 *   they bear, after `after` in the order of their Fids.
 * - `space` of the volume at this server, in bytes: what its files take, how much more can come (the disk and the
 *   quota say), and the quota, null for none.
 * - `publish` changes the realm document, at the server that publishes it; a gateway says for whom. `basedOn`: only if
 *   that is still the version. Answered when it is durable there, with the version that holds now.
 * - `covers` brings the replica here up to date with `replica` of another server, and says what it lacks then.
 * - `fenced` whether the replica here takes no changes any more; those that it took before are flushed then.
 * - `scrub` how far the scrub of this server is, and what it could not heal; `start`: begins a pass, unless one runs.
 * - `report` what an operator wants to see of this server.
 * - of people: people-calls.ts; of snapshots: snapshot-calls.ts; of volumes on their way out and in: dump-calls.ts; of
 *   who changed what: audit.ts.
 */
export const calls = {
  locate: { roles: ['gateway', 'server', 'operator'], argument: z.strictObject({}), result: realmDocument },
  prove: {
    roles: ['gateway', 'server', 'operator'],
    argument: z.strictObject({ credential: z.string().max(2000) }),
    result: z.strictObject({}),
  },
  watch: {
    roles: ['gateway'],
    argument: z.strictObject({
      volume,
      replica: meant,
      since: count.nullable(),
      incarnation: z.string().nullable(),
      venus: z.string().regex(/^(?:[0-9a-f]{16})?$/),
    }),
    result: z.strictObject({
      replica: z.string(),
      incarnation: z.string(),
      stamp: count,
      changed: z.array(fid).nullable(),
      seen: z.array(count),
    }),
  },
  status: {
    roles: ['gateway', 'server'],
    argument: z.strictObject({ volume, replica: meant, fids, cop2 }),
    result: z.strictObject({ statuses: z.array(statusSchema.nullable()) }),
  },
  list: {
    roles: ['gateway', 'server'],
    argument: z.strictObject({
      volume,
      replica: meant,
      fid,
      full: z.boolean(),
      since: names.optional(),
      cop2,
    }),
    result: z.strictObject({
      status: statusSchema.nullable(),
      digest: z.string(),
      entries: z.array(z.strictObject({ name: z.string(), status: statusSchema })),
      gone: z.array(z.string()).max(1000).optional(),
    }),
  },
  mutate: {
    roles: ['gateway'],
    argument: z.strictObject({
      volume,
      replica: meant,
      records: z.array(mutationSchema).min(1).max(limits.batchRecords),
      inline: z.record(digest, bytes),
      transfers: z.record(digest, z.string().max(64)),
      watermark: count,
      cop2,
    }),
    result: z.discriminatedUnion('outcome', [
      z.strictObject({
        outcome: z.literal('applied'),
        replica: z.string(),
        stamp: count,
        versions: z.array(version),
        /** Directories that already held changes the caller had not seen: it must fetch them again. */
        ahead: z.array(fid),
      }),
      z.strictObject({ outcome: z.literal('refused'), index: count, failure }),
    ]),
  },
  offer: {
    roles: ['gateway'],
    argument: z.strictObject({
      volume,
      contents: z
        .array(z.strictObject({ digest, length: count, transfer: z.string().max(64) }))
        .max(limits.batchRecords),
    }),
    result: z.strictObject({ contents: z.array(z.strictObject({ held: z.boolean(), received: count })) }),
  },
  cop2: {
    roles: ['gateway'],
    argument: z.strictObject({ volume, replica: meant, cop2 }),
    result: z.strictObject({}),
  },
  bases: {
    roles: ['gateway'],
    argument: z.strictObject({ volume, fids: z.array(fid).max(limits.batchRecords) }),
    result: z.strictObject({ bases: z.array(z.array(z.strictObject({ digest, length: count })).max(100)) }),
  },
  resolve: {
    roles: ['gateway', 'server', 'operator'],
    argument: z.strictObject({ volume, fids: fids.nullable() }),
    result: z.strictObject({ pulled: count, inconsistent: z.array(fid) }),
  },
  changes: {
    roles: ['server'],
    argument: z.strictObject({
      volume,
      /** The replica that asks, and up to where it has all for good, whatever becomes of it now. */
      reader: replicaId.optional(),
      settled: mark.optional(),
      since: mark,
      limit: count,
    }),
    result: z.strictObject({
      replica: z.string(),
      epochs,
      from: count,
      changes: z.array(z.strictObject({ stamp: count, status: statusSchema })),
      /** Those of them that are damaged there, so left out (PL-1). */
      damaged: fids.optional(),
      /** Of removals with a stamp up to this one some are forgotten there, so not told. */
      forgotten: count.optional(),
      /** The stamp up to which these changes are complete. */
      upTo: count,
      more: z.boolean(),
      last: count,
    }),
  },
  stamps: {
    roles: ['server'],
    argument: z.strictObject({ volume, fids }),
    result: z.strictObject({ epochs, stamps: z.array(count.nullable()) }),
  },
  contents: {
    roles: ['server'],
    argument: z.strictObject({ digests: z.array(digest).max(limits.contentsAtOnce) }),
    result: z.strictObject({ contents: z.record(digest, bytes) }),
  },
  digests: {
    roles: ['server'],
    argument: z.strictObject({ volume, prefix: z.string().regex(/^[0-9a-f]{0,3}$/) }),
    result: z.strictObject({ digests: z.record(z.string().max(64), z.string().max(16)) }),
  },
  conflicts: {
    roles: ['gateway', 'server', 'operator'],
    argument: z.strictObject({ volume, after: fid.nullable(), limit: count }),
    result: z.strictObject({
      conflicts: z.array(z.strictObject({ status: statusSchema, name: z.string().nullable() })),
      more: z.boolean(),
    }),
  },
  space: {
    roles: ['gateway', 'operator'],
    argument: z.strictObject({ volume }),
    result: z.strictObject({ used: count, available: count, quota: count.nullable() }),
  },
  publish: {
    roles: ['operator', 'gateway'],
    argument: z.strictObject({
      intention: intentionSchema,
      basedOn: count.nullable(),
      user: user.nullable(),
    }),
    result: z.strictObject({ changed: z.boolean(), document: realmDocument }),
  },
  covers: {
    roles: ['server', 'operator'],
    argument: z.strictObject({ volume, replica: replicaId }),
    result: z.strictObject({
      /** False: the other server cannot be reached from here. */
      reached: z.boolean(),
      /** Objects and contents that are not all here. */
      lacking: count,
      /** Of a replica that leaves: its snapshots that are not here. */
      snapshots: count.optional(),
    }),
  },
  fenced: {
    roles: ['server', 'operator'],
    argument: z.strictObject({ volume, replica: replicaId }),
    result: z.strictObject({ fenced: z.boolean() }),
  },
  scrub: {
    roles: ['operator'],
    argument: z.strictObject({ start: z.boolean() }),
    result: scrubReportSchema,
  },
  ...auditCalls,
  ...peopleCalls,
  ...snapshotCalls,
  ...dumpCalls,
  report: { roles: ['operator'], argument: z.strictObject({}), result: z.record(z.string(), z.unknown()) },
} as const satisfies Record<
  string,
  { roles: readonly ('gateway' | 'server' | 'operator')[]; argument: z.ZodType; result: z.ZodType }
>;

export type CallName = keyof typeof calls;
export type Argument<C extends CallName> = z.infer<(typeof calls)[C]['argument']>;
export type Result<C extends CallName> = z.infer<(typeof calls)[C]['result']>;

/** What a server pushes without being asked. */
export const pushSchema = z.discriminatedUnion('push', [
  /** Callback break: these objects have changed; the caller's stamp moves on. */
  z.strictObject({ push: z.literal('break'), volume, stamp: count, fids: z.array(fid) }),
  /** The realm document has a newer version: fetch it with `locate`. */
  z.strictObject({ push: z.literal('realm'), version: count }),
]);
export type Push = z.infer<typeof pushSchema>;
