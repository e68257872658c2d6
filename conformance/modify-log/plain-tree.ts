/** A volume as plain maps: what a server makes of records, certified and applied by the house's own rules. */
import { isDeepStrictEqual } from 'node:util';
import {
  applyRecord,
  fidsOf,
  versionsOf,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type Tree,
  type VenusId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { certify } from '../../vice/volume/certify.js';

export class PlainTree implements Tree {
  readonly statuses = new Map<Fid, VnodeStatus>();
  readonly #names = new Map<Fid, Map<string, DirectoryEntry>>();
  readonly #removed = new Map<Fid, VnodeStatus>();

  status(fid: Fid): VnodeStatus | undefined {
    return this.statuses.get(fid);
  }

  tombstone(fid: Fid): VnodeStatus | undefined {
    return this.#removed.get(fid);
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#names.get(directory)?.get(name);
  }

  isEmpty(directory: Fid): boolean {
    return (this.#names.get(directory)?.size ?? 0) === 0;
  }

  names(directory: Fid): ReadonlyMap<string, DirectoryEntry> {
    return this.#names.get(directory) ?? new Map<string, DirectoryEntry>();
  }

  /** The name that `fid` bears. */
  nameOf(fid: Fid): string {
    const { parent } = this.statuses.get(fid) ?? {};
    if (parent === null || parent === undefined) return '';
    for (const { name, fid: bound } of this.names(parent).values()) if (bound === fid) return name;
    throw new Error(`${fid} has no name in ${parent}`);
  }

  /** As a cache does it, without asking what the author had seen. @throws Failure as applyRecord */
  apply(record: Mutation): void {
    const { unbound, bound, removed, changed } = applyRecord(this, record);
    for (const { directory, name } of unbound) this.#names.get(directory)?.delete(name);
    for (const status of removed) {
      this.statuses.delete(status.fid);
      this.#names.delete(status.fid);
      this.#removed.set(status.fid, status);
    }
    for (const status of changed) this.put(status);
    for (const { directory, entry } of bound) this.#names.get(directory)?.set(entry.name, entry);
  }

  /** As a server does it. @throws Failure stale, conflict, and as applyRecord */
  certifyAndApply(record: Mutation): void {
    const refusal = certify(record, (fid) => {
      const removed = this.#removed.get(fid);
      const status = removed ?? this.statuses.get(fid);
      return status === undefined ? undefined : { status, removed: removed !== undefined };
    });
    if (refusal !== undefined) throw refusal;
    this.apply(record);
  }

  /** An object from nowhere; `apply` binds names, here `entry` does. */
  put(status: VnodeStatus, entry?: DirectoryEntry): void {
    this.#removed.delete(status.fid);
    this.statuses.set(status.fid, status);
    if (status.kind === 'directory' && !this.#names.has(status.fid)) this.#names.set(status.fid, new Map());
    if (entry !== undefined && status.parent !== null) {
      this.#names.get(status.parent)?.set(entry.name, entry);
    }
  }

  clone(): PlainTree {
    const copy = new PlainTree();
    for (const status of this.statuses.values()) copy.statuses.set(status.fid, status);
    for (const [directory, names] of this.#names) copy.#names.set(directory, new Map(names));
    for (const status of this.#removed.values()) copy.#removed.set(status.fid, status);
    return copy;
  }
}

/** What this Venus has done last to an object, as far as `tree` knows; 0: nothing. */
export function ownCounter(tree: Tree, fid: Fid, venus: VenusId): number {
  return tree.status(fid)?.known[venus] ?? 0;
}

/** The first own component in the bases of `record` that is not exactly what `tree` knows, in words. */
export function inexactBase(tree: Tree, record: Mutation, venus: VenusId): string | undefined {
  for (const fid of Object.keys(record.base) as Fid[]) {
    const named = record.base[fid]?.[venus] ?? 0;
    const known = ownCounter(tree, fid, venus);
    if (named === known && fidsOf(record).includes(fid)) continue;
    return `${record.op} ${record.storeId} names ${named} of ${fid}, the tree knows ${known}`;
  }
  return undefined;
}

/**
 * The first difference between two trees that a user could see (directories' times and authors aside), in
 * words.
 */
export function difference(a: PlainTree, b: PlainTree): string | undefined {
  if (a.statuses.size !== b.statuses.size) return `${a.statuses.size} objects, ${b.statuses.size} objects`;
  for (const [fid, one] of a.statuses) {
    const other = b.statuses.get(fid);
    if (other === undefined) return `${fid} is in the first only`;
    const unequal = unequalField(one, other);
    if (unequal !== undefined) return `${unequal} of ${fid}`;
    if (one.kind !== 'directory') continue;
    const [names, others] = [a.names(fid), b.names(fid)];
    if (names.size !== others.size) return `number of names of ${fid}`;
    for (const [name, entry] of names) {
      if (others.get(name)?.fid !== entry.fid) return `the name ${name} of ${fid}`;
    }
  }
  return undefined;
}

const everywhere = ['kind', 'parent', 'target', 'created', 'mode', 'owner', 'names'] as const;
const ofFiles = ['modified', 'author', 'storeId'] as const;

function unequalField(a: VnodeStatus, b: VnodeStatus): string | undefined {
  for (const field of everywhere) if (a[field] !== b[field]) return field;
  if (a.kind !== 'directory') for (const field of ofFiles) if (a[field] !== b[field]) return field;
  if (!isDeepStrictEqual(versionsOf(a), versionsOf(b))) return 'contents';
  if (!isDeepStrictEqual(a.places, b.places)) return 'places';
  const [properties, others] = [Object.entries(a.properties), b.properties];
  const isSame = properties.every(([name, value]) => others[name] === value);
  return isSame && properties.length === Object.keys(others).length ? undefined : 'properties';
}
