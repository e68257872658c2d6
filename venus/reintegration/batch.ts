/** Which log entries go into the next call, and how their bases are threaded. Pure. */
import {
  fidsOf,
  gatewayOf,
  limits,
  unionOf,
  withStoreId,
  type Fid,
  type Mutation,
  type StoreIdVector,
} from '../../vice/interface/index.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { bytesOf, type LogEntry, type ModifyLog } from '../log/modify-log.js';
import type { Identity } from '../store/identity.js';
import { atMost, Claims } from './claims.js';

/**
 * Content bytes that travel inside one call, and that are brought before it: nothing of a batch is applied earlier. A
 * link of which nothing is known may be weak, and until a call is answered it says nothing (link-meter.ts).
 */
const inlineBound = 512 * 1024;
const broughtBound = 16 * 1024 * 1024;

/** The first entries of `waiting` that fit into one call; always at least one. */
export function nextBatch(waiting: Iterable<LogEntry>): readonly LogEntry[] {
  const batch: LogEntry[] = [];
  let records = 0;
  let inline = 0;
  let brought = 0;
  for (const entry of waiting) {
    records += entry.records.length;
    const mine = inlineBytesOf(entry);
    inline += mine;
    brought += bytesOf(entry) - mine;
    const isFull = records > limits.batchRecords || inline > inlineBound || brought > broughtBound;
    if (batch.length > 0 && isFull) break;
    batch.push(entry);
  }
  return batch;
}

/** What the cache knows of an object. */
type KnownNow = (fid: Fid) => StoreIdVector | undefined;

interface Sources {
  readonly cache: Pick<ObjectCache, 'status'>;
  readonly identity: Pick<Identity, 'isOurs'>;
}

/** What records are sent from. */
export interface Sender {
  readonly known: KnownNow;
  /** Whether a VenusId is of this gateway, or was (ID-3 in ../store/identity.ts). */
  readonly isOurs: (venus: string) => boolean;
}

/**
 * Records of one operation or of several, in order, as they are sent. What this gateway itself has done to an object
 * before counts as seen, also where the record was written before that was acknowledged: else a replica that missed
 * the earlier update would take the later one for all it has to know (invariant VR-4), and two of our own updates
 * would look like a conflict. Coda calls this the late prelude of reintegration. What the author chose stays: the
 * versions that a store leaves beside itself, those that a repair gives up, the time of saving.
 */
export function threaded(records: readonly Mutation[], knownNow: KnownNow): readonly Mutation[] {
  const own = new Map<Fid, StoreIdVector>();
  return records.map((record) => thread(record, own, knownNow));
}

/**
 * The records of `batch`: those that nobody was told about yet are threaded here; the others were when they entered
 * the log, and the cache has known them since, which says nothing about what came before them. These are settled: the
 * author has been answered and cannot look again, so servers merge where they would refuse (mutation.ts). Once sent so,
 * always sent so: nobody takes an answer back. None says that it has seen what it overtakes (claims.ts).
 */
export function recordsOf(
  batch: readonly LogEntry[],
  log: Pick<ModifyLog, 'touching'>,
  sender: Sender,
): readonly Mutation[] {
  const own = new Map<Fid, StoreIdVector>();
  const claims = new Claims(log, batch);
  return batch.flatMap(({ records, acknowledged }) =>
    records.map((record) => {
      const sent = thread(record, own, sender.known);
      if (!acknowledged) return claims.lowered(sent);
      return { ...claims.lowered({ ...record, base: stillSeen(record, sender) }), settled: true as const };
    }),
  );
}

/**
 * Of directories that a record only names (lists, the way up) what this gateway itself did to them may have been taken
 * out of the log meanwhile: then no server will ever know it.
 */
function stillSeen(record: Mutation, { known, isOurs }: Sender): Mutation['base'] {
  const touched = new Set(fidsOf(record));
  const base: Record<Fid, StoreIdVector> = {};
  for (const [fid, seen] of Object.entries(record.base) as [Fid, StoreIdVector][]) {
    const own = Object.keys(seen).filter(isOurs);
    const now = known(fid);
    if (touched.has(fid) || own.length === 0) base[fid] = seen;
    // What was never made, or is forgotten here, decides nothing.
    else if (now !== undefined)
      base[fid] = atMost(seen, Object.fromEntries(own.map((each) => [each, now[each] ?? 0])));
  }
  return base;
}

function thread(record: Mutation, own: Map<Fid, StoreIdVector>, knownNow: KnownNow): Mutation {
  const gateway = gatewayOf(record.storeId);
  const base: Record<Fid, StoreIdVector> = { ...record.base };
  for (const fid of Object.keys(base) as Fid[]) {
    const ours: Record<string, number> = {};
    for (const [venus, counter] of Object.entries(knownNow(fid) ?? {}))
      if (gatewayOf(venus) === gateway) ours[venus] = counter;
    base[fid] = unionOf(unionOf(ours, own.get(fid) ?? {}), base[fid] ?? {});
  }
  for (const fid of fidsOf(record)) own.set(fid, withStoreId(own.get(fid) ?? {}, record.storeId));
  return { ...record, base };
}

/** With the cache and the identity of a gateway. */
export function sentFrom({ cache, identity }: Sources): Sender {
  return { known: (fid) => cache.status(fid)?.known, isOurs: (venus) => identity.isOurs(venus) };
}

/** The entry of `batch` that a record belongs to. */
export function entryAt(batch: readonly LogEntry[], index: number): LogEntry {
  let first = 0;
  const entry = batch.find(({ records }) => index < (first += records.length));
  if (entry === undefined) throw new Error(`venus: a server refused record ${index} of a shorter batch`);
  return entry;
}

/** Bytes of contents that travel inside the call for this entry. */
function inlineBytesOf(entry: LogEntry): number {
  let bytes = 0;
  for (const record of entry.records) {
    if (record.op === 'store' && record.length <= limits.inlineBytes) bytes += record.length;
  }
  return bytes;
}
