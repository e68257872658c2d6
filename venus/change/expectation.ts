/** When a change may go on, and the failures that tell its author why not. */
import { Failure, isFailure, outdatedKinds, type Fid } from '../../vice/interface/index.js';
import type { Expectation, Name, ObjectStatus } from '../interface.js';

export const attempts = 5;

/** Whether `error` says that the cache was not up to date. The reintegrator has marked what was touched. */
export function isOutdated(error: unknown): boolean {
  return isFailure(error, ...outdatedKinds) && error.operation === 'vice.mutate';
}

/** Runs `work` again where the servers refused what the cache had allowed. */
export async function retrying<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isOutdated(error) || attempt >= attempts) throw error;
    }
  }
}

/** @throws Failure changed */
export function expect(
  expectation: Expectation | undefined,
  found: { readonly view: ObjectStatus } | undefined,
): void {
  const { unchanged } = expectation ?? {};
  if (unchanged !== undefined && !(found !== undefined && isAsSeen(found.view, unchanged))) {
    throw changed(found?.view.fid);
  }
  if (expectation?.version === undefined) return;
  const version = found === undefined ? null : (found.view.version ?? undefined);
  if (version !== expectation.version) throw changed(found?.view.fid);
}

function isAsSeen(now: ObjectStatus, seen: ObjectStatus): boolean {
  const isSame = now.fid === seen.fid && now.version === seen.version && now.mode === seen.mode;
  const isOfThatTime = now.kind === 'directory' || now.modified === seen.modified;
  const hasSameVersions = now.hiddenVersions === seen.hiddenVersions;
  return isSame && isOfThatTime && hasSameVersions && hasSameProperties(now, seen);
}

function hasSameProperties({ properties: a }: ObjectStatus, { properties: b }: ObjectStatus): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

export function changed(fid: Fid | undefined): Failure {
  return new Failure('changed', 'venus.change', 'somebody else has changed it meanwhile', { fid });
}

/** Another change of the same contents was faster, here: look again. */
export function overtaken(fid: Fid | undefined): Failure {
  return new Failure('conflict', 'vice.mutate', 'the contents have just been changed by somebody else here', {
    fid,
  });
}

export function exists({ parent, name }: Name): Failure {
  return new Failure('exists', 'venus.change', `${name} exists`, { fid: parent });
}

export function notEmpty({ parent, name }: Name): Failure {
  return new Failure('not-empty', 'venus.change', `there is something in ${name}`, { fid: parent });
}

export function isDirectory(fid: Fid): Failure {
  return new Failure('is-directory', 'venus.store', 'a directory bears this name', { fid });
}

/** What makes no sense while a person has not decided which version of a file is to be. */
export function undecided(fid: Fid, what: string): Failure {
  return new Failure('access-denied', 'venus.change', what, { fid });
}

export function crossVolume(fid: Fid): Failure {
  return new Failure('cross-volume', 'venus.rename', 'both names must be in one volume', { fid });
}
