/**
 * What becomes of changes of objects that no server knows any more: others removed them, and so long ago that the
 * removal is forgotten, too (vice/resolution/graves.ts). As where a removal is remembered, the update survives it: what
 * was stored, moved or put somewhere is made anew, as a new object, in the directory where it was or in the nearest one
 * above that is left. Pure.
 *
 *   record                              of a forgotten object        in a forgotten directory
 *   create, mkdir, symlink              -                            the directory is made anew
 *   rename                              made anew where it ended     into it: made anew; out of it: moved all the same
 *   store, repair that accepts          made anew where it ended     -
 *   remove, rmdir                       done                         void: others have moved the object elsewhere
 *   all others                          void: it stays removed       -
 */
import {
  fidsOf,
  isCreation,
  rootFid,
  volumeOf,
  type Fid,
  type Mutation,
  type VnodeStatus,
} from '../../vice/interface/index.js';

/** What of an operation of the log is to be logged instead. */
export interface Salvaged {
  readonly sequence: number;
  /** Their StoreIds are still those of the records in whose place they come. */
  readonly records: readonly Mutation[];
}

export interface SalvageWorld {
  /** Whether a VenusId is of this gateway. */
  readonly isOurs: (venus: string) => boolean;
  /** As it is shown here, with the changes of the log; undefined: removed here, too. */
  readonly status: (fid: Fid) => VnodeStatus | undefined;
  readonly newFid: () => Fid;
  /** Whether contents are here. */
  readonly has: (digest: string) => boolean;
}

interface Operation {
  readonly sequence: number;
  readonly records: readonly Mutation[];
}

/** An object that cannot be made anew: why. */
export class Unsalvageable extends Error {}

/** What `operations`, which need `gone`, come to. @throws Unsalvageable */
export function salvaged(
  operations: readonly Operation[],
  gone: ReadonlySet<Fid>,
  world: SalvageWorld,
): readonly Salvaged[] {
  return new Salvage(operations, gone, world).all();
}

class Salvage {
  readonly #operations: readonly Operation[];
  readonly #gone: ReadonlySet<Fid>;
  readonly #world: SalvageWorld;
  /** Forgotten objects, and those that take their place. */
  readonly #anew = new Map<Fid, Fid>();
  /** Made by the operations, and not yet said to be made. */
  readonly #unmade = new Set<Fid>();
  #records: Mutation[] = [];

  constructor(operations: readonly Operation[], gone: ReadonlySet<Fid>, world: SalvageWorld) {
    this.#operations = operations;
    this.#gone = gone;
    this.#world = world;
    for (const { records } of operations) {
      for (const record of records) if (isCreation(record)) this.#unmade.add(record.fid);
    }
  }

  all(): readonly Salvaged[] {
    const all: Salvaged[] = [];
    for (const { sequence, records } of this.#operations) {
      this.#records = [];
      for (const record of records) this.#take(record);
      if (this.#records.length > 0) all.push({ sequence, records: this.#records });
    }
    return all;
  }

  #take(record: Mutation): void {
    if (this.#gone.has(record.fid)) {
      const { op } = record;
      const isLasting = op === 'store' || op === 'rename' || (op === 'repair' && record.accept !== null);
      if (isLasting && this.#isLastOf(record)) this.#makeAnew(record.fid, record);
      return;
    }
    switch (record.op) {
      case 'create':
      case 'mkdir':
      case 'symlink':
        this.#put(record, { ...record, parent: this.#directory(record.parent, record) });
        this.#unmade.delete(record.fid);
        return;
      case 'remove':
      case 'rmdir':
        if (!this.#gone.has(record.parent)) this.#put(record, record);
        return;
      case 'rename': {
        const toParent = this.#directory(record.toParent, record);
        const fromParent = this.#gone.has(record.fromParent) ? toParent : record.fromParent;
        this.#put(record, { ...record, fromParent, toParent });
        return;
      }
      default:
        this.#put(record, record);
    }
  }

  /** A file is made anew when all of its own changes are known, by the last of them. */
  #isLastOf(record: Mutation): boolean {
    const lasting = this.#operations.flatMap(({ records }) =>
      records.filter(({ fid, op }) => fid === record.fid && ['store', 'rename', 'repair'].includes(op)),
    );
    return lasting.at(-1) === record;
  }

  /** The directory, or what takes its place. */
  #directory(fid: Fid, why: Mutation): Fid {
    if (!this.#gone.has(fid)) return fid;
    const anew = this.#makeAnew(fid, why);
    if (anew === undefined) throw new Unsalvageable('the directory was removed here, too');
    return anew;
  }

  /** Undefined: it was removed here, too. */
  #makeAnew(fid: Fid, why: Mutation): Fid | undefined {
    const before = this.#anew.get(fid);
    const status = this.#world.status(fid);
    const [place] = status?.places ?? [];
    if (before !== undefined || status === undefined || place === undefined) return before;
    if (status.access !== undefined && status.access.length > 0) {
      throw new Unsalvageable('the directory had an access list of its own');
    }
    const anew = this.#world.newFid();
    this.#anew.set(fid, anew);
    const parent = this.#livingAbove(place.parent);
    const { author, time, host, storeId } = why;
    const made = { storeId, author, time, host, base: { [parent]: {} }, parent, name: place.name, fid: anew };
    switch (status.kind) {
      case 'symlink':
        this.#records.push({ op: 'symlink', ...made, target: status.target ?? '' });
        return anew;
      case 'directory':
        this.#records.push({ op: 'mkdir', ...made, mode: status.mode });
        break;
      case 'file':
        this.#records.push(
          { op: 'create', ...made, mode: status.mode },
          ...this.#contents(status, anew, why),
        );
        break;
    }
    const common = { storeId, author, time, host, base: { [anew]: {} }, fid: anew };
    if (Object.keys(status.properties).length > 0) {
      this.#records.push({ op: 'setprops', ...common, set: status.properties, remove: [] });
    }
    return anew;
  }

  #contents(
    { data, modified }: VnodeStatus,
    fid: Fid,
    { author, time, host, storeId }: Mutation,
  ): Mutation[] {
    if (data === null) return [];
    const { digest, length, saved } = data;
    if (length > 0 && !this.#world.has(digest)) throw new Unsalvageable('its contents are not here');
    const common = { storeId, author, time, host, base: { [fid]: {} }, fid };
    return [{ op: 'store', ...common, length, digest, modified, saved }];
  }

  /** The directory itself, or the nearest one above it that is left. */
  #livingAbove(directory: Fid): Fid {
    const passed = new Set<Fid>();
    for (let at: Fid | null = directory; at !== null && !passed.has(at);) {
      passed.add(at);
      const anew = this.#anew.get(at);
      if (anew !== undefined) return anew;
      const status = this.#world.status(at);
      if (status !== undefined && !this.#gone.has(at) && !this.#unmade.has(at)) return at;
      at = status?.parent ?? null;
    }
    return rootFid(volumeOf(directory));
  }

  /** What this Venus itself had done before is threaded anew (batch.ts). */
  #put(before: Mutation, record: Mutation): void {
    const base: Record<Fid, Mutation['base'][Fid]> = {};
    for (const fid of fidsOf(record)) {
      const others = Object.entries(before.base[fid] ?? {}).filter(([venus]) => !this.#world.isOurs(venus));
      if (!isCreation(record) || fid !== record.fid) base[fid] = Object.fromEntries(others);
    }
    this.#records.push({ ...record, base });
  }
}
