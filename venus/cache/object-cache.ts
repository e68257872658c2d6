/**
 * Cached objects and directory names: in memory what is hot, in the store all of it. A `Tree`, so that records are
 * checked and applied here exactly as the servers do.
 *
 * Rows: `v/<fid>` an object; those of names are in `directory-names.ts`.
 * OC-1  A directory is `complete` only while every one of its names has its row; `status.names` is then their digest.
 * OC-2  What is cached of an object in conflict is in `conflicts`, whether it or the names of its directory came first.
 * OC-3  A row that is damaged is as if it had never been. Where it was a name, the others of its directory serve only
 *       those who cannot ask, with those that our own log tells of.
 */
import {
  conflictsOf,
  intact,
  isSameVector,
  namesBeside,
  seal,
  type DirectoryEntry,
  type Fid,
  type Tree,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { ObjectStatus } from '../interface.js';
import {
  isSameConflict,
  objectFromRow,
  objectRow,
  viewOf,
  type CachedObject,
  type Validation,
} from './cached-object.js';
import { ConflictIndex, type ConflictListener } from './conflict-index.js';
import { dropVolume, hasSome } from './dropped-volume.js';
import { DirectoryNames, type NameChange, type Replacement } from './directory-names.js';
import { RecentMap } from './recent-map.js';
import type { WriteBuffer } from '../store/write-buffer.js';

/** Each takes about 3 KB; a folder of a hundred thousand names still fits. */
const hotObjects = 105_000;

/** Told of what servers say, for whoever can use what newer contents take the place of. */
export interface OlderContents {
  /** Another status of a cached object is known. */
  replaced(before: VnodeStatus, status: VnodeStatus): void;
  /** A cached file does not bear the name any more. */
  lostName(directory: Fid, name: string, before: VnodeStatus): void;
  /** Another object bears it. */
  tookName(directory: Fid, name: string, fid: Fid): void;
}

export class ObjectCache implements Tree {
  /** Told of what is known anew of an object, and whether it is in doubt. */
  onStatus: (status: VnodeStatus, suspect: boolean) => void = () => undefined;
  /** Told of a row that was damaged. */
  onDamaged: (key: string) => void = () => undefined;
  /** Told of what may bear no name: it has lost one, or is new here (volume/nameless-objects.ts). */
  onNameless: (fid: Fid) => void = () => undefined;
  /** The name, where it is one that a change of ours has made which servers do not have yet. */
  ownName: (directory: Fid, name: string) => DirectoryEntry | undefined = () => undefined;
  readonly conflicts: ConflictIndex;
  readonly #buffer: WriteBuffer;
  readonly #hidesVersions: (fid: Fid) => boolean;
  readonly #older: OlderContents | undefined;
  readonly #objects = new RecentMap<Fid, CachedObject>(hotObjects, () => 1);
  readonly #names: DirectoryNames;
  /** Objects whose rows were damaged, until they are known again. */
  readonly #forgotten = new Set<Fid>();

  /** `hidesVersions`: whether the volume of an object shows one version of a file alone. */
  constructor(
    buffer: WriteBuffer,
    onConflict?: ConflictListener,
    hidesVersions: (fid: Fid) => boolean = () => false,
    older?: OlderContents,
  ) {
    this.#buffer = buffer;
    this.#older = older;
    this.#hidesVersions = hidesVersions;
    this.conflicts = new ConflictIndex(buffer, onConflict);
    this.#names = new DirectoryNames(buffer, {
      lost: (directory, name, key) => {
        this.onDamaged(key);
        this.unlist(directory);
        const own = this.ownName(directory, name);
        if (own !== undefined) this.bind(directory, own);
      },
      come: (directory, entry, before) => {
        if (before !== undefined && before.fid !== entry.fid) this.#hasLost(directory, before);
        this.#older?.tookName(directory, entry.name, entry.fid);
        this.#takeName(directory, entry);
      },
      gone: (directory, entry) => {
        this.#hasLost(directory, entry);
        this.#loseName(directory, entry);
      },
    });
  }

  /** What was damaged of the list of conflicts is put together again. Before anybody asks for anything. */
  recover(): void {
    for (const fid of this.conflicts.damaged) {
      this.onDamaged(`c/${fid}`);
      this.#forgotten.add(fid);
      const object = this.get(fid);
      const view = object && viewOf(object.status, this.#nameOf(object.status), this.#hidesVersions(fid));
      if (object !== undefined && view !== undefined) this.put({ ...object, view });
    }
  }

  get(fid: Fid): CachedObject | undefined {
    const hot = this.#objects.get(fid);
    if (hot !== undefined) return hot;
    const stored = this.#buffer.get(`v/${fid}`);
    if (stored === undefined) return undefined;
    const name = this.conflicts.get(fid)?.name;
    const object = objectFromRow(this.#intact(`v/${fid}`, stored), name, this.#hidesVersions(fid));
    if (object !== undefined) this.#objects.set(fid, object);
    return object;
  }

  /** OC-3: servers have what a damaged row said, or the log has. */
  #intact(key: string, stored: Uint8Array): unknown {
    const value = intact(stored);
    if (value !== undefined) return value;
    this.onDamaged(key);
    this.#buffer.remove(key);
    return void this.#forgotten.add(key.slice(2) as Fid);
  }

  /** `hidesVersions` answers otherwise than before. */
  forgetViews(): void {
    this.#objects.clear();
  }

  put(object: CachedObject): void {
    const { fid } = object.status;
    const name = this.#nameOf(object.status);
    this.#objects.set(fid, object);
    this.#buffer.put(`v/${fid}`, seal(objectRow(object)));
    this.#noteConflicts(object.status, name);
    this.#forgotten.delete(fid);
    this.onStatus(object.status, object.suspect);
  }

  /** Of all that is cached, in no order; others may run and write between two of them. */
  *statuses(): Generator<VnodeStatus> {
    for (const { key, value } of this.#buffer.walk('v/')) {
      const object = objectFromRow(this.#intact(key, value));
      if (object !== undefined) yield object.status;
    }
  }

  /**
   * Forgets all objects of a volume that is no more, some at a time. `forgets` is told of each first. What is left when
   * this is interrupted is found when it is begun again.
   */
  dropVolume(
    volume: VolumeId,
    forgets: (status: VnodeStatus) => void,
    pause: () => Promise<void>,
  ): Promise<void> {
    return dropVolume(this, this.#buffer, volume, { forgets, pause });
  }

  /** Whether something of the volume is here. */
  hasSome(volume: VolumeId): boolean {
    return hasSome(this.#buffer, volume);
  }

  /**
   * Caches `status` as validated so, of a directory with what its names are worth. The view stays the same value when
   * nothing in it changed.
   */
  putStatus(
    status: VnodeStatus,
    { epoch, unheard }: Validation,
    complete: boolean,
    stale = false,
  ): CachedObject {
    const before = this.get(status.fid);
    // An update that its gateway has forgotten may change what is known by its later ones already (MG-5).
    const same =
      before !== undefined &&
      isSameVector(before.status.known, status.known) &&
      before.status.data?.storeId === status.data?.storeId;
    const view = this.#viewOf(same ? before : undefined, status);
    const object: CachedObject = { status, view, epoch, unheard, suspect: false, complete, stale };
    if (before !== undefined && !same) this.#older?.replaced(before.status, status);
    if (before === undefined) this.onNameless(status.fid);
    const unchanged =
      same &&
      before.epoch === epoch &&
      isSameList(before.unheard, unheard) &&
      !before.suspect &&
      before.complete === complete &&
      before.stale === stale &&
      before.status.names === status.names &&
      before.status.parent === status.parent &&
      isSameVector(before.status.vv, status.vv);
    if (!unchanged) this.put(object);
    return object;
  }

  /** Marks an object that a callback break named. */
  suspect(fid: Fid): void {
    const object = this.get(fid);
    if (object !== undefined && !object.suspect) this.put({ ...object, suspect: true });
  }

  /** What was done to an object here under `venus` is known up to `counter` (0: nothing), not what was taken back. */
  setOwnKnown(fid: Fid, venus: VenusId, counter: number): void {
    const object = this.get(fid);
    if (object === undefined) return;
    const { [venus]: _own, ...others } = object.status.known;
    const known = counter === 0 ? others : { ...others, [venus]: counter };
    // Its last update and its times are still those that were taken back.
    this.put({ ...object, suspect: true, status: { ...object.status, known } });
  }

  /**
   * The names of a directory are not what it has known: changes of ours in it were taken back. It must be listed
   * before it is valid again; until then what is here stays for those who cannot ask.
   */
  unlist(directory: Fid): void {
    const object = this.get(directory);
    if (object !== undefined) this.put({ ...object, suspect: true, stale: true });
  }

  /** Forgets an object and, of a directory, its names. */
  drop(fid: Fid): void {
    const object = this.get(fid);
    if (object === undefined) return;
    if (object.status.kind === 'directory') for (const child of this.#names.drop(fid)) this.onNameless(child);
    this.#objects.delete(fid);
    this.#buffer.remove(`v/${fid}`);
    this.conflicts.remove(fid);
  }

  /** The names of a complete directory, all in memory. Do not keep over an await: later changes show in it. */
  names(directory: Fid): ReadonlyMap<string, DirectoryEntry> | undefined {
    return this.get(directory)?.complete === true ? this.#names.all(directory) : undefined;
  }

  /** Whether `names` need not read them all from the disk. */
  hasNames(directory: Fid): boolean {
    return this.#names.isLoaded(directory);
  }

  /** Brings the names into memory, some at a time. */
  loadNames(directory: Fid, pause: () => Promise<void>): Promise<void> {
    return this.#names.load(directory, pause);
  }

  /**
   * Makes `entries` the names of `directory`, some at a time. The caller marks the object complete in `onDone`.
   * @see DirectoryNames.replace
   */
  setNames(
    directory: Fid,
    entries: ReadonlyMap<string, DirectoryEntry>,
    replacement: Omit<Replacement, 'onMany'>,
  ): Promise<boolean> {
    // Between two transactions the names are neither those before nor those after.
    const onMany = (): void => this.unlist(directory);
    return this.#names.replace(directory, entries, { ...replacement, onMany });
  }

  /** What the names in memory come to. @see DirectoryNames.digest */
  namesDigest(directory: Fid, pause: () => Promise<void>): Promise<string | undefined> {
    return this.#names.digest(directory, pause);
  }

  /** The same, if it is worked out already. */
  knownNamesDigest(directory: Fid): string | undefined {
    return this.#names.knownDigest(directory);
  }

  /** Carries out a few changes of names (at most `fewNames`), which servers told of. */
  changeNames(directory: Fid, changes: readonly NameChange[]): void {
    this.#names.change(directory, changes);
  }

  bind(directory: Fid, entry: DirectoryEntry): void {
    this.#names.bind(directory, entry);
    // A change of ours gives an object the name that it asks for.
    if (this.conflicts.get(entry.fid) !== undefined) this.#takeName(directory, entry);
  }

  /** The same of a name that is not what the object asks for, as others have that. It is in the cache already. */
  bindBeside(directory: Fid, entry: DirectoryEntry): void {
    this.#names.bind(directory, entry);
    this.#takeName(directory, entry);
  }

  unbind(directory: Fid, name: string): void {
    const entry = this.#names.entry(directory, name);
    if (entry !== undefined) this.#loseName(directory, entry);
    this.#names.unbind(directory, name);
  }

  /** Resolves when the disk has what is cached, or could not take it. */
  written(): Promise<void> {
    return this.#buffer.flush().catch(() => undefined);
  }

  /** Whether it is in memory: looking at many that are not takes its time. */
  isHot(fid: Fid): boolean {
    return this.#objects.get(fid) !== undefined;
  }

  /** Objects cached in memory; for the status only. */
  get hotCount(): number {
    return this.#objects.size;
  }

  // Tree

  status(fid: Fid): VnodeStatus | undefined {
    return this.get(fid)?.status;
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#names.entry(directory, name);
  }

  isEmpty(directory: Fid): boolean {
    return this.#names.isEmpty(directory);
  }

  /** The view of `status`, which knows the same updates as `before`: the same value unless its conflict has changed. */
  #viewOf(before: CachedObject | undefined, status: VnodeStatus): ObjectStatus {
    const name = this.#nameOf(status);
    const isQuiet = name === null && before?.view.conflict === null;
    if (before !== undefined && isQuiet && conflictsOf(status, null).length === 0) return before.view;
    const view = viewOf(status, name, this.#hidesVersions(status.fid));
    return before !== undefined && isSameConflict(before.view, view) ? before.view : view;
  }

  /**
   * What an object bears, where that is known not to be what it was given. A name belongs to its directory: of what is
   * moved to another one, or new here, or whose row was damaged, the names there tell, if they came before it.
   */
  #nameOf({ fid, parent, places }: VnodeStatus): string | null {
    const known = this.conflicts.get(fid);
    const before = this.#objects.get(fid)?.status;
    const isHere = (seen?: { readonly parent: Fid | null }): boolean =>
      seen === undefined || seen.parent === parent;
    const isElse = !isHere(known) || !isHere(before) || this.#forgotten.has(fid);
    if (!isElse && (known ?? before) !== undefined) return known?.name ?? null;
    const [place] = places;
    if (place === undefined || parent === null) return null;
    const bearer = this.#names.entry(parent, place.name)?.fid;
    if (bearer === fid || (bearer === undefined && !isElse)) return null;
    return namesBeside(fid, place).find((name) => this.#names.entry(parent, name)?.fid === fid) ?? null;
  }

  /** `name`: what it bears, where that is known not to be what it was given. */
  #noteConflicts(status: VnodeStatus, name: string | null): void {
    const kinds = conflictsOf(status, name);
    if (kinds.length === 0) return this.conflicts.remove(status.fid);
    const bears = kinds.includes('name') ? name : null;
    this.conflicts.set(status.fid, { kinds, parent: status.parent, name: bears });
  }

  /** An object has come to bear a name: perhaps not the one that it was given. */
  #takeName(directory: Fid, { fid, name }: DirectoryEntry): void {
    const object = this.get(fid);
    if (object?.status.parent !== directory) return;
    const isOther = object.status.places[0]?.name !== name;
    if (isOther || this.conflicts.get(fid) !== undefined) this.#rename(object, name);
  }

  /** What bears no name here any more is not known to bear another one than it was given. */
  #loseName(directory: Fid, { fid, name }: DirectoryEntry): void {
    const known = this.conflicts.get(fid);
    if (known?.name !== name || known.parent !== directory) return;
    const object = this.get(fid);
    if (object !== undefined) this.#rename(object, null);
  }

  #hasLost(directory: Fid, { fid, name, kind }: DirectoryEntry): void {
    this.onNameless(fid);
    const object = kind === 'file' && this.#older !== undefined ? this.get(fid) : undefined;
    if (object !== undefined) this.#older?.lostName(directory, name, object.status);
  }

  #rename(object: CachedObject, name: string | null): void {
    const { status } = object;
    this.#noteConflicts(status, name);
    const view = viewOf(status, name, this.#hidesVersions(status.fid));
    if (!isSameConflict(object.view, view)) this.#objects.set(status.fid, { ...object, view });
  }
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((item, index) => item === b[index]));
}
