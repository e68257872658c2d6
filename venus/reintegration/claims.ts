/**
 * What a record says that its author has seen, where it overtakes changes of other users of this gateway. The cache has
 * shown him those, but no server has them, and one that lacks what a record claims refuses it as `stale`
 * (vice/volume/certify.ts). So it claims only what comes before them. Pure.
 *
 * CL-1  What servers make of a record does not hang on what is left out: it does not build on that (overtaking.ts), so
 *       these are names in directories; and who was later does not count the users of one gateway (setterOf in
 *       vice/interface/attributes.ts). So it does no harm that the same record may be sent again with more.
 */
import {
  fidsOf,
  gatewayOf,
  venusOf,
  type Fid,
  type Mutation,
  type StoreIdVector,
} from '../../vice/interface/index.js';
import { isLocal, type LogEntry, type ModifyLog } from '../log/modify-log.js';

type Log = Pick<ModifyLog, 'touching'>;

export class Claims {
  readonly #log: Log;
  readonly #batch: ReadonlySet<number>;
  /** Of an object: by VenusId the last counter before the first update that no server has. */
  readonly #unsent = new Map<Fid, StoreIdVector>();

  /** Of records that are sent together: none overtakes another one. */
  constructor(log: Log, batch: readonly LogEntry[]) {
    this.#log = log;
    this.#batch = new Set(batch.map(({ sequence }) => sequence));
  }

  /** `record` as it is sent; the same object where it overtakes nothing that it claims. */
  lowered(record: Mutation): Mutation {
    const own = venusOf(record.storeId);
    const gateway = gatewayOf(own);
    const base: Record<Fid, StoreIdVector> = { ...record.base };
    let isLowered = false;
    for (const [fid, seen] of Object.entries(record.base) as [Fid, StoreIdVector][]) {
      const others = Object.keys(seen).filter((venus) => venus !== own && gatewayOf(venus) === gateway);
      if (others.length === 0) continue;
      const { [own]: _own, ...unsent } = this.#unsentOf(fid);
      const lowered = atMost(seen, unsent);
      if (lowered === seen) continue;
      base[fid] = lowered;
      isLowered = true;
    }
    return isLowered ? { ...record, base } : record;
  }

  #unsentOf(fid: Fid): StoreIdVector {
    let unsent = this.#unsent.get(fid);
    if (unsent === undefined) this.#unsent.set(fid, (unsent = this.#look(fid)));
    return unsent;
  }

  #look(fid: Fid): StoreIdVector {
    const unsent: Record<string, number> = {};
    for (const entry of this.#log.touching(fid)) {
      if (!isLocal(entry) || this.#batch.has(entry.sequence)) continue;
      const first = entry.records.find((record) => fidsOf(record).includes(fid));
      if (first === undefined) continue;
      const venus = venusOf(first.storeId);
      unsent[venus] ??= first.base[fid]?.[venus] ?? 0;
    }
    return unsent;
  }
}

/** `seen`, of each VenusId that `most` has no more than that; the same object where it has no more. */
export function atMost(seen: StoreIdVector, most: StoreIdVector): StoreIdVector {
  const lowered: Record<string, number> = { ...seen };
  let isLowered = false;
  for (const [venus, counter] of Object.entries(most)) {
    if ((seen[venus] ?? 0) <= counter) continue;
    isLowered = true;
    if (counter > 0) lowered[venus] = counter;
    else delete lowered[venus];
  }
  return isLowered ? lowered : seen;
}
