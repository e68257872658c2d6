/**
 * Which names came and went in directories lately: whoever has the names that a directory had then needs these alone,
 * not all of a large directory. In memory: after a restart everybody lists once more.
 *
 * NN-1  The steps of a directory follow on each other: each begins with the digest that the one before ended with. What
 *       breaks the chain (a digest put right, a transaction taken back) ends all that was known before it.
 */
import { toggledName, type Fid } from '../interface/index.js';
import { sameBinding } from './row-figures.js';
import type { Binding, ObjectRow } from './volume-store.js';

/** A name that an object comes to bear, or bears no more. */
export interface NameChange {
  readonly fid: Fid;
  readonly name: string;
  readonly isBound: boolean;
}

/** What one transaction did to the names of a directory. */
export interface NameStep {
  readonly directory: Fid;
  /** Digests of its names (names-digest.ts). */
  readonly before: string;
  readonly after: string;
  readonly changes: readonly NameChange[];
}

/** Steps of one directory, and changes in one answer: more are as good as a whole listing. */
const stepsMost = 500;
const changesMost = 200;
const directoriesMost = 500;

export class NameNews {
  /** The least recently changed directory first. */
  readonly #steps = new Map<Fid, NameStep[]>();

  take(steps: readonly NameStep[]): void {
    for (const step of steps) {
      const before = this.#steps.get(step.directory) ?? [];
      const follows = before.at(-1)?.after === step.before;
      this.#steps.delete(step.directory);
      this.#steps.set(step.directory, follows ? [...before.slice(1 - stepsMost), step] : [step]);
    }
    for (const directory of this.#steps.keys()) {
      if (this.#steps.size <= directoriesMost) break;
      this.#steps.delete(directory);
    }
  }

  /** A transaction was taken back. */
  clear(): void {
    this.#steps.clear();
  }

  /**
   * What has become of names since they had the digest `since`, until they had `now`: the object of each, null of one
   * that is gone. undefined: not known here, or too much.
   */
  since(directory: Fid, since: string, now: string): ReadonlyMap<string, Fid | null> | undefined {
    if (since === now) return new Map();
    const steps = this.#steps.get(directory) ?? [];
    const first = steps.findLastIndex(({ before }) => before === since);
    if (first < 0 || steps.at(-1)?.after !== now) return undefined;
    const names = new Map<string, Fid | null>();
    for (const { fid, name, isBound } of steps.slice(first).flatMap(({ changes }) => changes)) {
      if (isBound) names.set(name, fid);
      // In one transaction another object may have got the name before this one is seen to lose it.
      else if ((names.get(name) ?? fid) === fid) names.set(name, null);
      if (names.size > changesMost) return undefined;
    }
    return names;
  }
}

/** What becomes of names with these rows, by directory. */
export function nameChanges(
  rows: ReadonlyMap<Fid, { readonly before: ObjectRow | undefined; readonly after: ObjectRow | undefined }>,
): ReadonlyMap<Fid, readonly NameChange[]> {
  const changes = new Map<Fid, NameChange[]>();
  const note = (fid: Fid, bound: Binding | null | undefined, isBound: boolean): void => {
    if (bound === undefined || bound === null) return;
    const change = { fid, name: bound.name, isBound };
    const others = changes.get(bound.directory);
    if (others === undefined) changes.set(bound.directory, [change]);
    else others.push(change);
  };
  for (const [fid, { before, after }] of rows) {
    if (sameBinding(before?.bound, after?.bound)) continue;
    note(fid, before?.bound, false);
    note(fid, after?.bound, true);
  }
  return changes;
}

/** `digest`, of a directory's names, after `changes`. */
export function toggledNames(digest: string, changes: readonly NameChange[]): string {
  return changes.reduce((toggled, { fid, name }) => toggledName(toggled, fid, name), digest);
}
