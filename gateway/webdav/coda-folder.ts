/**
 * A Venus that has `/.coda/` in its root beside what it really has. So the conflicts of the realm, and its snapshots,
 * are folders like any other to the methods of the share; what may be done in it says coda-path.ts.
 */
import type {
  Access,
  AccessList,
  Caller,
  Conflicts,
  Entry,
  Expectation,
  ExpectedTarget,
  Fid,
  Hoarding,
  Leases,
  Name,
  ObjectStatus,
  OpenFile,
  PendingLog,
  People,
  Place,
  PropertyChanges,
  ReplaceOptions,
  Snapshots,
  Space,
  Venus,
  VenusState,
  VolumeMode,
  WriteOutcome,
  Writer,
} from '../../venus/interface.js';
import type { Clock } from '../../vice/seam/clock.js';
import { isCodaPath, isPeoplePath, isSnapshotPath } from './coda-path.js';
import { ConflictFolder } from './conflict-folder.js';
import { PeopleFolder } from './people-folder.js';
import { SnapshotFolder } from './snapshot-folder.js';
import { isVirtual, pathOf } from './virtual-object.js';

export class CodaFolder implements Venus {
  readonly leases: Leases;
  readonly log: PendingLog;
  readonly conflicts: Conflicts;
  readonly hoard: Hoarding;
  readonly people: People;
  readonly snapshots: Snapshots;
  readonly #venus: Venus;
  readonly #conflicts: ConflictFolder;
  readonly #snapshots: SnapshotFolder;
  readonly #people: PeopleFolder;

  constructor(venus: Venus, clock: Clock) {
    this.leases = venus.leases;
    this.log = venus.log;
    this.conflicts = venus.conflicts;
    this.hoard = venus.hoard;
    this.people = venus.people;
    this.snapshots = venus.snapshots;
    this.#venus = venus;
    this.#conflicts = new ConflictFolder(venus, clock);
    this.#snapshots = new SnapshotFolder(venus);
    this.#people = new PeopleFolder(venus);
  }

  lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    const folder = this.#folder(path);
    return isCodaPath(path) ? folder.lookup(caller, path) : this.#venus.lookup(caller, path);
  }

  status(caller: Caller, fid: Fid): Promise<ObjectStatus> {
    return isVirtual(fid) ? this.#holder(fid).status(caller, fid) : this.#venus.status(caller, fid);
  }

  list(caller: Caller, directory: Fid): AsyncIterable<readonly Entry[]> {
    return isVirtual(directory)
      ? this.#holder(directory).list(caller, directory)
      : this.#venus.list(caller, directory);
  }

  open(caller: Caller, fid: Fid): Promise<OpenFile> {
    return isVirtual(fid) ? this.#holder(fid).open(caller, fid) : this.#venus.open(caller, fid);
  }

  remove(caller: Caller, parent: Fid, name: string, expect?: Expectation): Promise<void> {
    if (isSnapshot(parent)) return this.#snapshots.refuse();
    if (isVirtual(parent)) return this.#conflicts.remove(caller, { parent, name }, expect);
    return this.#venus.remove(caller, parent, name, expect);
  }

  rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    if (isSnapshot(from.parent)) return this.#snapshots.refuse();
    if (isVirtual(from.parent)) return this.#conflicts.rename(caller, from, to, options);
    return this.#venus.rename(caller, from, to, options);
  }

  copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    if (isVirtual(source)) return this.#holder(source).copy(caller, source, to, options);
    return this.#venus.copy(caller, source, to, options);
  }

  write(caller: Caller, announced?: number, expected?: ExpectedTarget): Promise<Writer> {
    return this.#venus.write(caller, announced, expected);
  }

  makeDirectory(caller: Caller, parent: Fid, name: string): Promise<ObjectStatus> {
    return this.#venus.makeDirectory(caller, parent, name);
  }

  makeSymlink(caller: Caller, parent: Fid, name: string, target: string): Promise<ObjectStatus> {
    return this.#venus.makeSymlink(caller, parent, name, target);
  }

  setModified(caller: Caller, fid: Fid, modified: number): Promise<ObjectStatus> {
    return this.#venus.setModified(caller, fid, modified);
  }

  setMode(caller: Caller, fid: Fid, mode: number): Promise<ObjectStatus> {
    return this.#venus.setMode(caller, fid, mode);
  }

  setProperties(caller: Caller, fid: Fid, changes: PropertyChanges): Promise<ObjectStatus> {
    return this.#venus.setProperties(caller, fid, changes);
  }

  access(caller: Caller, fid: Fid): Promise<Access> {
    if (isSnapshot(fid)) return Promise.resolve({ rights: 'rl', lists: [] });
    return isVirtual(fid) ? Promise.resolve({ rights: 'rld', lists: [] }) : this.#venus.access(caller, fid);
  }

  setAccess(caller: Caller, directory: Fid, list: AccessList | null): Promise<void> {
    return this.#venus.setAccess(caller, directory, list);
  }

  isLocked(fid: Fid): boolean {
    return !isVirtual(fid) && this.#venus.isLocked(fid);
  }

  async space(caller: Caller, directory: Fid): Promise<Space> {
    const within = isVirtual(directory) ? (await this.#venus.lookup(caller, [])).object?.fid : directory;
    return this.#venus.space(caller, within ?? directory);
  }

  disconnect(servers: readonly string[]): Promise<void> {
    return this.#venus.disconnect(servers);
  }

  reconnect(servers: readonly string[]): Promise<void> {
    return this.#venus.reconnect(servers);
  }

  setVolumeMode(volume: string | null, mode: VolumeMode): Promise<void> {
    return this.#venus.setVolumeMode(volume, mode);
  }

  state(): VenusState {
    return this.#venus.state();
  }

  close(): Promise<void> {
    return this.#venus.close();
  }

  #holder(fid: Fid): ConflictFolder | SnapshotFolder | PeopleFolder {
    return this.#folder(pathOf(fid));
  }

  #folder(path: readonly string[]): ConflictFolder | SnapshotFolder | PeopleFolder {
    if (isPeoplePath(path)) return this.#people;
    return isSnapshotPath(path) ? this.#snapshots : this.#conflicts;
  }
}

function isSnapshot(fid: Fid): boolean {
  return isVirtual(fid) && isSnapshotPath(pathOf(fid));
}
