/**
 * Snapshots as folders: `/.coda/snapshots/NAME/...` is the share as it was. It is read as any folder, and copied out
 * of; nothing in it can be changed (coda-path.ts refuses that before it comes here).
 */
import {
  Failure,
  type Caller,
  type Entry,
  type Fid,
  type Name,
  type ObjectStatus,
  type OpenFile,
  type Place,
  type ReplaceOptions,
  type Venus,
  type WriteOutcome,
} from '../../venus/interface.js';
import { codaName, snapshotsName } from './coda-path.js';
import { ancestorsOf, directoryStatus, pathOf, virtualFid } from './virtual-object.js';

const batchEntries = 500;

export class SnapshotFolder {
  readonly #venus: Venus;

  constructor(venus: Venus) {
    this.#venus = venus;
  }

  async lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    const root = (await this.#venus.lookup(caller, [])).object;
    if (root === null) throw failure('not-found', 'there is no root');
    const ancestors = ancestorsOf(path, root.fid);
    const object = await this.#objectAt(caller, path);
    if (object === null && path.length > 3 && (await this.#objectAt(caller, path.slice(0, -1))) === null) {
      throw failure('not-found', 'there was no such folder');
    }
    return { parent: ancestors.at(-1) ?? root.fid, name: path.at(-1) ?? '', object, ancestors };
  }

  async status(caller: Caller, fid: Fid): Promise<ObjectStatus> {
    const object = await this.#objectAt(caller, pathOf(fid));
    if (object === null) throw failure('not-found', 'there was nothing of this name');
    return object;
  }

  async *list(caller: Caller, directory: Fid): AsyncIterable<readonly Entry[]> {
    const path = pathOf(directory);
    const [, , snapshot, ...below] = path;
    if (snapshot === undefined) {
      const all = await this.#venus.snapshots.list();
      yield all.map(({ name, time }) => ({ name, status: directoryStatus([...path, name], time) }));
      return;
    }
    const entries = await this.#venus.snapshots.entries(caller, snapshot, below);
    for (let start = 0; start < entries.length; start += batchEntries) {
      yield entries
        .slice(start, start + batchEntries)
        .map(({ name, status }) => ({ name, status: placed(status, [...path, name]) }));
    }
  }

  async open(caller: Caller, fid: Fid): Promise<OpenFile> {
    const path = pathOf(fid);
    const [, , snapshot, ...below] = path;
    if (snapshot === undefined) throw failure('is-directory', 'it is no file');
    const file = await this.#venus.snapshots.open(caller, snapshot, below);
    return { ...file, status: placed(file.status, path) };
  }

  /** A file with what belongs to it, or a folder without what is in it. */
  async copy(caller: Caller, source: Fid, to: Name, { replace }: ReplaceOptions): Promise<WriteOutcome> {
    const status = await this.status(caller, source);
    if (status.kind === 'directory') {
      return { created: true, status: await this.#venus.makeDirectory(caller, to.parent, to.name) };
    }
    if (status.kind === 'symlink') {
      const made = await this.#venus.makeSymlink(caller, to.parent, to.name, status.target ?? '');
      return { created: true, status: made };
    }
    const file = await this.open(caller, source);
    try {
      const writer = await this.#venus.write(caller, status.length, { into: to.parent });
      try {
        for await (const chunk of file.read()) await writer.write(chunk);
        const { modified } = status;
        const written = await writer.close({
          ...to,
          modified,
          ...(!replace && { expect: { version: null } }),
        });
        return await this.#withProperties(caller, written, status);
      } finally {
        await writer.abort();
      }
    } finally {
      await file.close();
    }
  }

  refuse(): Promise<never> {
    return Promise.reject(failure('access-denied', 'nothing in a snapshot can be changed'));
  }

  async #withProperties(
    caller: Caller,
    written: WriteOutcome,
    { properties }: ObjectStatus,
  ): Promise<WriteOutcome> {
    if (Object.keys(properties).length === 0) return written;
    const changes = { set: { ...properties }, remove: [] };
    return { ...written, status: await this.#venus.setProperties(caller, written.status.fid, changes) };
  }

  async #objectAt(caller: Caller, path: readonly string[]): Promise<ObjectStatus | null> {
    const [, , snapshot, ...below] = path;
    if (snapshot === undefined) {
      const all = await this.#venus.snapshots.list();
      return directoryStatus([codaName, snapshotsName], all.at(-1)?.time ?? 0);
    }
    const status = await this.#venus.snapshots.status(caller, snapshot, below);
    if (status === null || below.length > 0) return status && placed(status, path);
    const taken = (await this.#venus.snapshots.list()).find(({ name }) => name === snapshot);
    return directoryStatus(path, taken?.time ?? status.modified);
  }
}

function placed(status: ObjectStatus, path: readonly string[]): ObjectStatus {
  return { ...status, fid: virtualFid(path) };
}

function failure(kind: Failure['kind'], message: string): Failure {
  return new Failure(kind, 'gateway.snapshots', message);
}
