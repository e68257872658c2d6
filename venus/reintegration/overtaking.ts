/**
 * Which entries of the log may be sent before earlier ones that wait. Pure.
 *
 * HL-1  No record overtakes an earlier one of the same user in any object it touches, as long as no server has that:
 *       a vector of known StoreIds has one counter for each user of a gateway, so whoever has the later one counts as
 *       having both. (What is refused for good is different: it is taken out of the log, and nothing waits for it.)
 * HL-2  It overtakes another user's unless it depends on it (../log/dependence.ts), or may depend on an access list
 *       that waits: its author may have his rights from that.
 * HL-3  Nor what was made under a former VenusId (ID-3 in ../store/identity.ts) and touches an object that it names: to
 *       servers that is another gateway, and of what others did a record claims what its author has seen, all of it
 *       (CL-1 in claims.ts).
 */
import { fidsOf, gatewayOf, venusOf, type Fid, type VenusId } from '../../vice/interface/index.js';
import { Precedents } from '../log/dependence.js';
import type { Logged } from '../log/optimize.js';

/** Entries that wait, in order. */
export class WaitingEntries {
  /** What they touch, and by whom. */
  readonly #touched = new Map<Fid, Set<VenusId>>();
  /** What their VenusIds have in common. */
  readonly #gateways = new Set<string>();
  /** Directories whose lists they set. */
  readonly #lists = new Set<Fid>();
  readonly #precedents = new Precedents();
  /** Those that are not among the precedents yet: most are never asked for. */
  #fresh: Logged[] = [];

  add(entry: Logged): void {
    this.#fresh.push(entry);
    for (const record of entry.records) {
      const venus = venusOf(record.storeId);
      this.#gateways.add(gatewayOf(venus));
      if (record.op === 'setacl') this.#lists.add(record.fid);
      for (const fid of fidsOf(record)) {
        const by = this.#touched.get(fid);
        if (by === undefined) this.#touched.set(fid, new Set([venus]));
        else by.add(venus);
      }
    }
  }

  /** Whether `later` may not be sent before all of them are. */
  holdsUp(later: Logged): boolean {
    if (this.#touched.size === 0) return false;
    let isNear = false;
    for (const record of later.records) {
      const venus = venusOf(record.storeId);
      for (const fid of fidsOf(record)) {
        const by = this.#touched.get(fid);
        if (by?.has(venus) === true) return true;
        isNear ||= by !== undefined;
      }
      if (this.#areForeign(Object.keys(record.base) as Fid[], gatewayOf(venus))) return true;
      if (this.#lists.size > 0 && Object.keys(record.base).some((fid) => this.#lists.has(fid as Fid)))
        return true;
    }
    // Whatever depends on something touches an object that it touches.
    return isNear && this.#isDependent(later);
  }

  /** HL-3. */
  #areForeign(named: readonly Fid[], gateway: string): boolean {
    if (this.#gateways.size === (this.#gateways.has(gateway) ? 1 : 0)) return false;
    return named.some((fid) => [...(this.#touched.get(fid) ?? [])].some((by) => gatewayOf(by) !== gateway));
  }

  #isDependent(later: Logged): boolean {
    for (const entry of this.#fresh) this.#precedents.add(entry);
    this.#fresh = [];
    return this.#precedents.isNeededBy(later);
  }
}
