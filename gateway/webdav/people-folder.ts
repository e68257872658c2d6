/** Persons as resources, `/.coda/people/NAME` (principals.ts): empty ones, to which the `owner` of objects leads. */
import {
  Failure,
  type Caller,
  type Entry,
  type Fid,
  type ObjectStatus,
  type OpenFile,
  type Place,
  type Venus,
  type WriteOutcome,
} from '../../venus/interface.js';
import { ancestorsOf, directoryStatus, pathOf, virtualStatus } from './virtual-object.js';

export class PeopleFolder {
  readonly #venus: Venus;

  constructor(venus: Venus) {
    this.#venus = venus;
  }

  async lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    const root = (await this.#venus.lookup(caller, [])).object;
    if (root === null) throw failure('not-found', 'there is no root');
    const ancestors = ancestorsOf(path, root.fid);
    return {
      parent: ancestors.at(-1) ?? root.fid,
      name: path.at(-1) ?? '',
      object: objectAt(path),
      ancestors,
    };
  }

  async status(_caller: Caller, fid: Fid): Promise<ObjectStatus> {
    const object = objectAt(pathOf(fid));
    if (object === null) throw failure('not-found', 'a person has nothing below it');
    return object;
  }

  /** Who there is, is not told to everybody. */
  async *list(): AsyncIterable<readonly Entry[]> {
    yield [];
  }

  async open(caller: Caller, fid: Fid): Promise<OpenFile> {
    const status = await this.status(caller, fid);
    if (status.kind === 'directory') throw failure('is-directory', 'it is no file');
    return { status, async *read() {}, close: async () => undefined };
  }

  copy(): Promise<WriteOutcome> {
    return Promise.reject(failure('access-denied', 'a person cannot be copied'));
  }
}

function objectAt(path: readonly string[]): ObjectStatus | null {
  if (path.length === 2) return directoryStatus(path, 0);
  return path.length === 3 ? virtualStatus(path, 0) : null;
}

function failure(kind: Failure['kind'], message: string): Failure {
  return new Failure(kind, 'gateway.people', message);
}
