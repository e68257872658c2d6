/** The conflicts of a MemoryVenus, which only its tests bring about. */
import {
  arranged,
  conflictsOf,
  Failure,
  makeStoreId,
  versionsOf,
  withStoreId,
  type ConflictKind as VnodeConflictKind,
  type Fid,
  type FileData,
  type Placement,
  type StoreId,
  type VenusId,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import type {
  Caller,
  ConflictKind,
  ConflictReport,
  Conflicts,
  ConflictVersion,
  Decision,
  Keep,
} from '../interface.js';
import { storedAnew } from './memory-changes.js';
import { isSeen, marksLike, seenByFid, siblingsSeen } from './memory-names.js';
import type { Change, MemoryTree } from './memory-tree.js';

/** A version that somebody makes apart. */
export interface ApartVersion {
  readonly author: string;
  readonly host: string;
  /** When it was saved, and the time of the file, milliseconds since 1970. */
  readonly time: number;
  readonly bytes: Uint8Array;
}

const stranger = '00000000000000bb' as VenusId;

export class MemoryConflicts implements Conflicts {
  readonly #tree: MemoryTree;
  readonly #apply: (caller: Caller, changes: readonly Change[]) => void;
  readonly #enter: (operation: 'list' | 'overwritten' | 'of' | 'repair') => Promise<void>;

  constructor(
    tree: MemoryTree,
    apply: (caller: Caller, changes: readonly Change[]) => void,
    enter: (operation: 'list' | 'overwritten' | 'of' | 'repair') => Promise<void>,
  ) {
    this.#tree = tree;
    this.#apply = apply;
    this.#enter = enter;
  }

  async *list(): AsyncIterable<readonly ConflictReport[]> {
    await this.#enter('list');
    for (const status of this.#tree.statuses()) {
      const reports = this.#reportsOf(status).filter(({ kind }) => isSeen(this.#tree, kind));
      if (reports.length > 0) yield reports;
    }
  }

  async *overwritten(): AsyncIterable<readonly ConflictReport[]> {
    await this.#enter('overwritten');
    for (const status of this.#tree.hidesVersions ? this.#tree.statuses() : []) {
      const reports = this.#reportsOf(status).filter(({ kind }) => kind === 'versions');
      if (reports.length > 0) yield reports;
    }
  }

  async of(_caller: Caller, fid: Fid): Promise<readonly ConflictReport[]> {
    await this.#enter('of');
    return this.#reportsOf(seenByFid(this.#tree, fid, 'conflicts.of').status);
  }

  async repair(caller: Caller, fid: Fid, decision: Decision): Promise<void> {
    await this.#enter('repair');
    const { status } = seenByFid(this.#tree, fid, 'conflicts.repair');
    const name = this.#tree.nameOf(status.fid);
    if (conflictsOf(status, name).length === 0) throw notFound('there is no conflict', fid);
    if ('keepAll' in decision) this.#apply(caller, this.#keepAll(status));
    else if ('giveUp' in decision) this.#apply(caller, this.#giveUp(status, decision.giveUp));
    else this.#apply(caller, this.#keep(status, decision));
  }

  count(): Partial<Record<ConflictKind, number>> {
    const counts: Partial<Record<ConflictKind, number>> = {};
    for (const status of this.#tree.statuses())
      for (const { kind } of this.#reportsOf(status))
        if (isSeen(this.#tree, kind)) counts[kind] = (counts[kind] ?? 0) + 1;
    return counts;
  }

  #keep(status: VnodeStatus, { keep, among }: Keep): readonly Change[] {
    const { fid, parent, places } = status;
    const name = this.#tree.nameOf(fid);
    const access = status.access?.find(({ storeId }) => storeId === keep);
    if (access !== undefined) return [{ op: 'setacl', fid, list: access.list }];
    const versions = status.data === null ? [] : [status.data, ...status.siblings];
    const kept = versions.find(({ storeId }) => storeId === keep);
    if (kept !== undefined) {
      const known = new Set(
        versions.flatMap(({ storeId, digest }) => (among.includes(storeId) ? [digest] : [])),
      );
      const goes = ({ digest }: FileData): boolean => digest !== kept.digest && known.has(digest);
      const dismiss = versions.filter(goes).map(({ mark }) => mark);
      return [{ op: 'repair', fid, dismiss, accept: name === null ? null : { name } }];
    }
    const place = places.find(({ storeId }) => storeId === keep);
    if (place === undefined || parent === null || name === null)
      throw notFound('there is no such version', fid);
    if (place === places[0]) return [{ op: 'repair', fid, dismiss: [], accept: { name } }];
    const to = { toParent: place.parent, toName: place.name };
    return [{ op: 'rename', fromParent: parent, fromName: name, ...to, fid }];
  }

  #giveUp(status: VnodeStatus, giveUp: StoreId): readonly Change[] {
    const { fid, data, siblings } = status;
    const given = [data, ...siblings].find((version) => version?.storeId === giveUp);
    if (given === undefined) throw notFound('there is no such version', fid);
    const dismiss = marksLike(status, given?.digest);
    if (dismiss.length > siblings.length)
      throw new Failure('access-denied', 'memory.conflicts.repair', 'it is the only version', { fid });
    return [{ op: 'repair', fid, dismiss, accept: null }];
  }

  #keepAll(status: VnodeStatus): readonly Change[] {
    const { fid, parent } = status;
    const name = this.#tree.nameOf(fid);
    if (parent === null || name === null) return [{ op: 'repair', fid, dismiss: [], accept: null }];
    const siblings = siblingsSeen(this.#tree, parent, { name, fid, kind: 'file' });
    const own = siblings.flatMap(({ name, sibling }) =>
      sibling === null ? [] : storedAnew(this.#tree.newFid(), parent, name, sibling),
    );
    const dismiss = siblings.flatMap(({ sibling }) => marksLike(status, sibling?.digest));
    return [...own, { op: 'repair', fid, dismiss, accept: { name } }];
  }

  #reportsOf(status: VnodeStatus): readonly ConflictReport[] {
    const name = this.#tree.nameOf(status.fid);
    const { fid } = status;
    const path = this.#tree.namesTo(fid);
    return conflictsOf(status, name).map((kind) => {
      const versions = this.#versionsOf(status, name ?? '', path, kind);
      return { volume: 'root', fid, path, kind, versions };
    });
  }

  #versionsOf(
    status: VnodeStatus,
    name: string,
    path: Path,
    kind: VnodeConflictKind,
  ): readonly ConflictVersion[] {
    const { fid, data, places, parent } = status;
    const [place] = places;
    const beside = (other: string): Path => path && [...path.slice(0, -1), other];
    if (kind === 'versions' && data !== null && parent !== null) {
      const siblings = siblingsSeen(this.#tree, parent, { name, fid, kind: 'file' });
      return [
        versionSeen({ name, path, fid }, data),
        ...siblings.flatMap(({ name, fid, sibling }) =>
          sibling === null
            ? []
            : versionSeen({ name, path: this.#tree.hidesVersions ? null : beside(name), fid }, sibling),
        ),
      ];
    }
    const size = data?.length ?? 0;
    if (kind === 'protection') {
      return (status.access ?? []).map(({ author, host, time, storeId, list }) => {
        return { name, path, author, host, time, size: 0, storeId, fid, list };
      });
    }
    if (kind === 'place')
      return places.map((other, index) => {
        const directory = this.#tree.namesTo(other.parent);
        const there = { name: other.name, path: directory && [...directory, other.name], fid };
        return placeSeen(other, index === 0 ? { name, path, fid } : there, size);
      });
    if (place === undefined) return [];
    const own = placeSeen(place, { name, path, fid }, size);
    const keeper = kind === 'name' && parent !== null && this.#tree.entry(parent, place.name);
    const other = keeper ? this.#tree.status(keeper.fid) : undefined;
    const [otherPlace] = other?.places ?? [];
    if (other === undefined || otherPlace === undefined) return [own];
    const kept = { name: place.name, path: beside(place.name), fid: other.fid };
    return [own, placeSeen(otherPlace, kept, other.data?.length ?? 0)];
  }
}

/** `status` with a version that was made without knowing of the others; the later one is shown. */
export function withVersion(status: VnodeStatus, count: number, version: ApartVersion): VnodeStatus {
  const { author, host, time, bytes } = version;
  const storeId = makeStoreId(stranger, count);
  const digest = digestOf(bytes);
  const data = {
    storeId,
    mark: storeId,
    length: bytes.length,
    digest,
    modified: time,
    author,
    host,
    saved: time,
  };
  const known = withStoreId(status.known, storeId);
  return arranged({ ...status, known }, [...versionsOf(status), data], status.places);
}

type Path = ConflictVersion['path'];

/** Under what it is seen. */
type Where = Pick<ConflictVersion, 'name' | 'path' | 'fid'>;

function versionSeen(where: Where, data: FileData): ConflictVersion {
  const { author, host, saved, length, storeId } = data;
  return { ...where, author, host, time: saved, size: length, storeId };
}

function placeSeen(place: Placement, where: Where, size: number): ConflictVersion {
  const { author, host, time, storeId } = place;
  return { ...where, author, host, time, size, storeId };
}

function notFound(message: string, fid: Fid): Failure {
  return new Failure('not-found', 'memory.conflicts.repair', message, { fid });
}
