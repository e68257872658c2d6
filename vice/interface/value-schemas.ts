/** How values travel: the schemas of records and of objects, and of what both are made of. */
import { z } from 'zod';
import { allRights } from './access.js';
import { parseFid, volumeId, type Fid, type VolumeId } from './fid.js';
import type { Mutation } from './mutation.js';
import { alternativesMost, isStatus } from './status-check.js';
import { parseStoreId, type StoreId } from './store-id.js';
import { limits, type VnodeStatus } from './vnode.js';

export const fid = z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined);
export const volume = z.custom<VolumeId>(
  (value) => typeof value === 'string' && volumeId(value) !== undefined,
);
export const storeId = z.custom<StoreId>(
  (value) => typeof value === 'string' && parseStoreId(value) !== undefined,
);
export const count = z.number().int().nonnegative();
export const counts = z.record(z.string().max(64), count);
const name = z.string().min(1).max(limits.nameBytes);
export const user = z.string().min(1).max(128);
export const digest = z.string().regex(/^[0-9a-f]{64}$/);
export const fids = z.array(fid).max(1000);
export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const text = z.string().max(limits.propertyBytes);

const host = z.string().max(64);
const storeIds = z.array(storeId).max(alternativesMost);

const accessEntries = z.record(user, count.max(allRights));
const accessList = z.strictObject({ positive: accessEntries, negative: accessEntries });

const common = {
  storeId,
  time: z.number(),
  author: user,
  host,
  settled: z.literal(true).optional(),
  base: z.record(fid, counts),
};

/** @see Mutation */
export const mutationSchema: z.ZodType<Mutation> = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('create'), ...common, parent: fid, name, fid, mode: count }),
  z.strictObject({ op: z.literal('mkdir'), ...common, parent: fid, name, fid, mode: count }),
  z.strictObject({ op: z.literal('symlink'), ...common, parent: fid, name, fid, target: text }),
  z.strictObject({
    op: z.literal('store'),
    ...common,
    fid,
    length: count,
    digest,
    modified: z.number(),
    saved: z.number(),
    beside: storeIds.optional(),
  }),
  z.strictObject({ op: z.literal('remove'), ...common, parent: fid, name, fid }),
  z.strictObject({ op: z.literal('rmdir'), ...common, parent: fid, name, fid }),
  z.strictObject({
    op: z.literal('rename'),
    ...common,
    fromParent: fid,
    fromName: name,
    toParent: fid,
    toName: name,
    fid,
  }),
  z.strictObject({ op: z.literal('utimes'), ...common, fid, modified: z.number() }),
  z.strictObject({ op: z.literal('chmod'), ...common, fid, mode: count }),
  z.strictObject({ op: z.literal('chown'), ...common, fid, owner: user }),
  z.strictObject({
    op: z.literal('setprops'),
    ...common,
    fid,
    set: z.record(text, text),
    remove: z.array(text).max(1000),
  }),
  z.strictObject({ op: z.literal('setacl'), ...common, fid, list: accessList.nullable() }),
  z.strictObject({
    op: z.literal('repair'),
    ...common,
    fid,
    dismiss: storeIds,
    leave: storeIds.optional(),
    accept: z.strictObject({ name, parent: fid.optional(), since: z.number().optional() }).nullable(),
  }),
]);

const fileData = z.strictObject({
  storeId,
  mark: storeId,
  length: count,
  digest,
  modified: z.number(),
  author: user,
  host,
  saved: z.number(),
  vouched: counts.optional(),
  givenUp: counts.optional(),
});

const accessVersion = z.strictObject({
  storeId,
  list: accessList.nullable(),
  time: z.number(),
  author: user,
  host,
});

const setter = z.strictObject({ storeId, rank: count });

const place = z.strictObject({
  parent: fid,
  name,
  storeId,
  time: z.number(),
  author: user,
  host,
  isBroken: z.boolean(),
});

/** What a VnodeStatus is; `statusSchema` says the same faster. */
export const statusForm: z.ZodType<VnodeStatus> = z.strictObject({
  fid,
  kind: z.enum(['file', 'directory', 'symlink']),
  parent: fid.nullable(),
  vv: counts,
  storeId: storeId.nullable(),
  rank: count.optional(),
  known: counts,
  data: fileData.nullable(),
  siblings: z.array(fileData).max(alternativesMost),
  setAside: z.array(fileData).max(alternativesMost).optional(),
  places: z.array(place).max(alternativesMost),
  gone: counts,
  revived: counts,
  access: z.array(accessVersion).max(alternativesMost).optional(),
  names: z.string().max(16),
  target: z.string().nullable(),
  created: z.number(),
  modified: z.number(),
  mode: count,
  owner: z.string(),
  author: z.string(),
  properties: z.record(z.string(), z.string()),
  setters: z.record(z.string(), setter),
});

/** @see VnodeStatus */
export const statusSchema = z.custom<VnodeStatus>(isStatus, 'not the status of an object');

export const replicaId = z.string().max(64);
/** The replica that the caller means; another one at that server, and one that is none any more, refuses. */
export const meant = replicaId.optional();
