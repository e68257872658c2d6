/**
 * The conflicts of the realm as a folder: `/.coda/conflicts/NAME/VERSION`. So one in the root, or one whose folder
 * cannot be reached, can be seen and repaired like any other. And, in the same way, the versions that nobody sees in a
 * volume where the last writer wins: `/.coda/overwritten/NAME/VERSION`, a folder that is there where such a volume is.
 *
 * Directories and texts that exist only here have their paths as Fids. The versions of a file are the objects that they
 * are in the share, under the same Fids.
 */
import { hash } from 'node:crypto';
import {
  Failure,
  isFailure,
  type Caller,
  type ConflictReport,
  type ConflictVersion,
  type Entry,
  type Expectation,
  type Fid,
  type Name,
  type ObjectStatus,
  type OpenFile,
  type Place,
  type ReplaceOptions,
  type StoreId,
  type Venus,
  type WriteOutcome,
} from '../../venus/interface.js';
import type { Clock } from '../../vice/seam/clock.js';
import { codaName, conflictsName, overwrittenName, snapshotsName, versionFolders } from './coda-path.js';
import { conflictMembers, textName, type ConflictMember } from './conflict-member.js';
import { ancestorsOf, directoryStatus, pathOf, virtualFid, virtualStatus } from './virtual-object.js';

/** Milliseconds in which a listing of all conflicts also serves the requests for its members. */
const keptMs = 1_000;
/** Statuses that are asked for at the same time. */
const atOnce = 16;

/** A version by its place here. */
interface Found {
  /** Below `/.coda/`. */
  readonly folder: string;
  readonly member: ConflictMember;
  readonly version: ConflictVersion;
}

interface Kept {
  readonly user: string;
  readonly until: number;
  readonly members: readonly ConflictMember[];
}

export class ConflictFolder {
  readonly #venus: Venus;
  readonly #clock: Clock;
  /** By the name of the folder. */
  readonly #kept = new Map<string, Kept>();

  constructor(venus: Venus, clock: Clock) {
    this.#venus = venus;
    this.#clock = clock;
  }

  /** @throws Failure not-found, not-directory; those of the listing */
  async lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    const root = (await this.#venus.lookup(caller, [])).object;
    if (root === null) throw failure('not-found', 'there is no root');
    const above = path.slice(0, -1);
    const ancestors = ancestorsOf(path, root.fid);
    const parent = ancestors.at(-1) ?? root.fid;
    if (above.length > 0 && (await this.#objectAt(caller, above, root)) === null) {
      throw failure('not-found', 'there is no such conflict');
    }
    return { parent, name: path.at(-1) ?? '', object: await this.#objectAt(caller, path, root), ancestors };
  }

  async status(caller: Caller, fid: Fid): Promise<ObjectStatus> {
    const { object } = await this.lookup(caller, pathOf(fid));
    if (object === null) throw failure('not-found', 'there is no such conflict');
    return object;
  }

  async *list(caller: Caller, directory: Fid): AsyncIterable<readonly Entry[]> {
    const path = pathOf(directory);
    const [, folder] = path;
    if (folder === undefined) {
      const names = this.#hasOverwritten() ? versionFolders : [conflictsName];
      for (const name of [...names, snapshotsName])
        yield [{ name, status: await this.status(caller, virtualFid([...path, name])) }];
      return;
    }
    const members = await this.#members(caller, folder);
    if (path.length === 2) {
      yield members.map((member) => ({ name: member.name, status: memberStatus(folder, member) }));
      return;
    }
    const member = members.find(({ name }) => name === path[2]);
    if (member === undefined) throw failure('not-found', 'there is no such conflict');
    if (member.text !== null) yield [{ name: textName, status: textStatus(folder, member, member.text) }];
    const versions = [...member.versions];
    for (let at = 0; at < versions.length; at += atOnce) {
      const some = versions.slice(at, at + atOnce).map(async ([name, version]) => {
        const status = await this.#versionStatus(caller, version);
        return status === null ? [] : [{ name, status }];
      });
      yield (await Promise.all(some)).flat();
    }
  }

  async open(caller: Caller, fid: Fid): Promise<OpenFile> {
    const [, folder = '', name] = pathOf(fid);
    const member = await this.#member(caller, folder, name);
    const text = member?.text ?? null;
    if (member === undefined || text === null) throw failure('not-found', 'there is no such conflict');
    const bytes = Buffer.from(text);
    return {
      status: textStatus(folder, member, text),
      async *read(start = 0, end = bytes.length) {
        yield bytes.subarray(start, end);
      },
      close: async () => undefined,
    };
  }

  /** Gives a version up. */
  async remove(caller: Caller, at: Name, expect?: Expectation): Promise<void> {
    const found = await this.#foundNow(caller, at);
    const { storeId } = found.version;
    if (expect?.version !== undefined && expect.version !== storeId) {
      throw failure('changed', 'it is another version by now');
    }
    await this.#giveUp(caller, found);
  }

  /** Takes a version out of the conflict, to `to`. */
  async rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    const found = await this.#foundNow(caller, from);
    const place = await this.#placeOf(caller, found);
    if (place !== null) return this.#venus.rename(caller, place, to, options);
    requireVersion(found);
    const { created } = await this.#venus.copy(caller, found.version.fid, to, options);
    await this.#giveUp(caller, found).catch((error: unknown) => {
      // Copied over its own file's name it was replaced there.
      if (!isFailure(error, 'not-found')) throw error;
    });
    return { replaced: !created };
  }

  /** A folder of this folder, without what is in it, or a text. */
  async copy(caller: Caller, source: Fid, to: Name, { replace }: ReplaceOptions): Promise<WriteOutcome> {
    const status = await this.status(caller, source);
    if (status.kind === 'directory') {
      const made = await this.#venus.makeDirectory(caller, to.parent, to.name);
      return { created: true, status: made };
    }
    const file = await this.open(caller, source);
    const writer = await this.#venus.write(caller, status.length, { into: to.parent });
    try {
      for await (const chunk of file.read()) await writer.write(chunk);
      return await writer.close({ ...to, ...(!replace && { expect: { version: null } }) });
    } finally {
      await writer.abort();
    }
  }

  async #giveUp(caller: Caller, found: Found): Promise<void> {
    const { member, version } = found;
    const place = await this.#placeOf(caller, found);
    if (place !== null) {
      const { version: expected } = await this.#venus.status(caller, version.fid);
      const expect = expected === null ? {} : { version: expected };
      await this.#venus.remove(caller, place.parent, place.name, expect);
      return;
    }
    await this.#venus.conflicts.repair(caller, member.fid, { giveUp: requireVersion(found) });
  }

  /** Where in the share the version is; null: it cannot be named. */
  async #placeOf(caller: Caller, { folder, member, version }: Found): Promise<Name | null> {
    if (folder === overwrittenName) return null;
    const path = member.reports[0]?.path ?? null;
    if (path === null || path.length === 0) return null;
    const at = await this.#venus.lookup(caller, [...path.slice(0, -1), version.name]);
    if (at.parent === null || at.object?.fid !== version.fid) {
      throw failure('changed', 'it is another version by now');
    }
    return { parent: at.parent, name: at.name };
  }

  async #objectAt(caller: Caller, path: readonly string[], root: ObjectStatus): Promise<ObjectStatus | null> {
    const [, folder, name, version] = path;
    if (path.length > 4) throw failure('not-directory', 'it is a file');
    if (folder === undefined) return directoryStatus([codaName], root.modified);
    if (folder === snapshotsName && name === undefined) return directoryStatus(path, root.modified);
    if (!versionFolders.includes(folder)) return null;
    if (folder === overwrittenName && !this.#hasOverwritten()) return null;
    if (name === undefined) return directoryStatus([codaName, folder], root.modified);
    const member = await this.#member(caller, folder, name);
    if (member === undefined) return null;
    if (version === undefined) return memberStatus(folder, member);
    if (version === textName && member.text !== null) return textStatus(folder, member, member.text);
    const found = member.versions.get(version);
    return found === undefined ? null : this.#versionStatus(caller, found);
  }

  /** Null: it is no file, or cannot be asked for. */
  async #versionStatus(caller: Caller, version: ConflictVersion): Promise<ObjectStatus | null> {
    try {
      const status = await this.#venus.status(caller, version.fid);
      return status.kind === 'file' ? status : null;
    } catch (error) {
      if (isFailure(error, 'not-found', 'unreachable', 'access-denied', 'timeout')) return null;
      throw error;
    }
  }

  /** For a change: nothing is known from before, and nothing of this is known after it. */
  async #foundNow(caller: Caller, { parent, name }: Name): Promise<Found> {
    this.#kept.clear();
    const [, folder = '', memberName] = pathOf(parent);
    const member = await this.#member(caller, folder, memberName);
    const version = member?.versions.get(name);
    this.#kept.clear();
    if (member === undefined || version === undefined) throw failure('not-found', 'there is no such version');
    return { folder, member, version };
  }

  /** Whether there is a volume where the last writer wins. */
  #hasOverwritten(): boolean {
    return this.#venus.state().volumes.some(({ conflicts }) => conflicts === 'last-writer-wins');
  }

  async #member(
    caller: Caller,
    folder: string,
    name: string | undefined,
  ): Promise<ConflictMember | undefined> {
    return (await this.#members(caller, folder)).find((member) => member.name === name);
  }

  async #members(caller: Caller, folder: string): Promise<readonly ConflictMember[]> {
    const kept = this.#kept.get(folder);
    if (kept !== undefined && kept.user === caller.user && kept.until > this.#clock.monotonic()) {
      return kept.members;
    }
    const { conflicts } = this.#venus;
    const isOverwritten = folder === overwrittenName;
    const reports: ConflictReport[] = [];
    for await (const batch of isOverwritten ? conflicts.overwritten(caller) : conflicts.list(caller)) {
      // The version that is shown is in the share, not here.
      const those = batch.map((report) => ({ ...report, versions: report.versions.slice(1) }));
      reports.push(...(isOverwritten ? those : batch));
    }
    const members = conflictMembers(reports);
    this.#kept.set(folder, { user: caller.user, until: this.#clock.monotonic() + keptMs, members });
    return members;
  }
}

/** What is given up with `found`, which has no name in the share. @throws Failure access-denied */
function requireVersion({ member, version: { storeId } }: Found): StoreId {
  const report = member.reports.find(({ kind }) => kind === 'versions');
  if (report?.versions.some((version) => version.storeId === storeId) === true) return storeId;
  throw failure('access-denied', 'it has no name in the share: decide about it with `coda repair`');
}

function memberStatus(folder: string, { name, reports }: ConflictMember): ObjectStatus {
  const [report] = reports;
  const times = reports.flatMap(({ versions }) => versions.map(({ time }) => time));
  const status = directoryStatus([codaName, folder, name], Math.max(0, ...times));
  const [shown] = report?.versions ?? [];
  if (report === undefined || shown === undefined || folder !== conflictsName) return status;
  const { author, host, time } = shown;
  const wanted = report.path?.at(-1) ?? shown.name;
  return { ...status, author, conflict: { kind: report.kind, author, host, time, wanted, vector: {} } };
}

function textStatus(folder: string, member: ConflictMember, text: string): ObjectStatus {
  const { modified } = memberStatus(folder, member);
  const version = `${hash('sha256', text, 'hex').slice(0, 16)}:1` as StoreId;
  const status = virtualStatus([codaName, folder, member.name, textName], modified);
  return { ...status, length: Buffer.byteLength(text), version };
}

function failure(kind: Failure['kind'], message: string): Failure {
  return new Failure(kind, 'gateway.conflicts', message);
}
