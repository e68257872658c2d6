/**
 * Puts what was decided about single objects together into transactions that keep the tree a tree. Pure.
 *
 * A candidate is an object whose names, place or life shall change here. It is blocked when installing it
 * would break the tree, because something that belongs to it (the other directory of a rename, the
 * tombstone of a name that is gone) is inconsistent, unknown yet, or blocked itself. After every step:
 *
 * PL-1  A name is bound to an object that is here and whose parent is that directory (VR-3).
 * PL-2  An object that had a name has one, or is removed. Nothing becomes nameless.
 * PL-3  No directory is its own ancestor (I6), also when a rename there crosses a rename here.
 * PL-4  Both ends of a rename are in one step: nobody sees the object twice or not at all (I7).
 */
import type { DirectoryEntry, Fid, VnodeStatus } from '../interface/index.js';
import type { ForcedObject, ForceStep } from '../volume/replica.js';

export interface Candidate {
  readonly fid: Fid;
  /** As it stands here; undefined if it does not. */
  readonly own: VnodeStatus | undefined;
  /** As it shall stand here, or its tombstone. */
  readonly next: VnodeStatus;
  readonly removed: boolean;
  /** All names of a directory, if they shall be replaced. */
  readonly entries: readonly DirectoryEntry[] | null;
}

/** The tree as it stands here. */
export interface OwnTree {
  /** Undefined: no such object here. */
  parent(fid: Fid): Fid | null | undefined;
  /** The objects that a directory names. */
  children(directory: Fid): ReadonlySet<Fid>;
}

export interface Plan {
  readonly steps: readonly ForceStep[];
  readonly blocked: readonly Fid[];
}

/** Objects in one step, unless more belong together. */
export const stepObjects = 100;

export function plan(tree: OwnTree, candidates: ReadonlyMap<Fid, Candidate>): Plan {
  const after = new Afterwards(tree, candidates);
  const blocked: Fid[] = [];
  // Blocking one can only block more, so this ends.
  for (let before = -1; before !== blocked.length;) {
    before = blocked.length;
    for (const candidate of after.active.values()) {
      if (!isBlocked(tree, after, candidate)) continue;
      after.block(candidate.fid);
      blocked.push(candidate.fid);
    }
  }
  return { steps: steps(after), blocked };
}

/** The tree as it will be when all candidates that are not blocked are installed. */
class Afterwards {
  readonly active: Map<Fid, Candidate>;
  readonly #tree: OwnTree;
  readonly #names = new Map<Fid, ReadonlySet<Fid>>();

  constructor(tree: OwnTree, candidates: ReadonlyMap<Fid, Candidate>) {
    this.#tree = tree;
    this.active = new Map(candidates);
    for (const { fid, entries } of candidates.values()) {
      if (entries !== null) this.#names.set(fid, new Set(entries.map((entry) => entry.fid)));
    }
  }

  block(fid: Fid): void {
    this.active.delete(fid);
  }

  parent(fid: Fid): Fid | null | undefined {
    const candidate = this.active.get(fid);
    if (candidate === undefined) return this.#tree.parent(fid);
    return candidate.removed ? undefined : candidate.next.parent;
  }

  children(directory: Fid): ReadonlySet<Fid> {
    const candidate = this.active.get(directory);
    if (candidate === undefined || (!candidate.removed && candidate.entries === null)) {
      return this.#tree.children(directory);
    }
    return candidate.removed ? new Set() : (this.#names.get(directory) ?? new Set());
  }

  /** Whether `directory` would come to lie below itself. */
  loops(directory: Fid): boolean {
    const passed = new Set<Fid>();
    for (let at = this.parent(directory); at !== null && at !== undefined; at = this.parent(at)) {
      if (at === directory) return true;
      if (passed.has(at)) return false;
      passed.add(at);
    }
    return false;
  }

  depth(fid: Fid): number {
    const passed = new Set<Fid>();
    for (let at = this.parent(fid); at !== null && at !== undefined; at = this.parent(at)) {
      if (passed.has(at)) break;
      passed.add(at);
    }
    return passed.size;
  }
}

function isBlocked(tree: OwnTree, after: Afterwards, candidate: Candidate): boolean {
  const { fid, own, next } = candidate;
  if (candidate.removed) {
    if (own === undefined) return false;
    if (own.parent !== null && after.children(own.parent).has(fid)) return true;
    return someStays(after, fid, tree.children(fid));
  }
  if (candidate.entries !== null && !namesFit(tree, after, candidate)) return true;
  if (!isMove(candidate)) return false;
  if (own?.parent === null || own?.parent === undefined || next.parent === null) return true;
  if (after.children(own.parent).has(fid)) return true;
  if (tree.children(own.parent).has(fid) && !after.children(next.parent).has(fid)) return true;
  return next.kind === 'directory' && after.loops(fid);
}

/** PL-1 and PL-2 for the new names of a directory. */
function namesFit(tree: OwnTree, after: Afterwards, candidate: Candidate): boolean {
  const names = after.children(candidate.fid);
  for (const child of names) if (after.parent(child) !== candidate.fid) return false;
  for (const child of tree.children(candidate.fid)) {
    if (!names.has(child) && after.parent(child) === candidate.fid) return false;
  }
  return true;
}

function someStays(after: Afterwards, directory: Fid, children: ReadonlySet<Fid>): boolean {
  for (const child of children) if (after.parent(child) === directory) return true;
  return false;
}

function isMove(candidate: Candidate): boolean {
  return !candidate.removed && candidate.own !== undefined && candidate.own.parent !== candidate.next.parent;
}

/** Candidates that need each other together (PL-4), small groups packed into one step. */
function steps(after: Afterwards): readonly ForceStep[] {
  const done: ForceStep[] = [];
  let open: Candidate[] = [];
  const close = (): void => {
    if (open.length > 0) done.push(step(after, open));
    open = [];
  };
  for (const group of groups(after.active)) {
    if (open.length + group.length > stepObjects) close();
    open.push(...group);
  }
  close();
  return done;
}

function groups(active: ReadonlyMap<Fid, Candidate>): Iterable<readonly Candidate[]> {
  const leaders = new Map<Fid, Fid>();
  const leader = (fid: Fid): Fid => {
    let at = fid;
    for (let up = leaders.get(at); up !== undefined; up = leaders.get(at)) at = up;
    if (at !== fid) leaders.set(fid, at);
    return at;
  };
  const join = (a: Fid, b: Fid | null | undefined): void => {
    if (b === null || b === undefined || !active.has(b)) return;
    const [from, to] = [leader(a), leader(b)];
    if (from !== to) leaders.set(from, to);
  };
  for (const candidate of active.values()) {
    if (candidate.removed || isMove(candidate)) join(candidate.fid, candidate.own?.parent);
    if (isMove(candidate)) join(candidate.fid, candidate.next.parent);
    for (const entry of candidate.entries ?? []) {
      if (active.get(entry.fid)?.own === undefined) join(candidate.fid, entry.fid);
    }
  }
  const members = new Map<Fid, Candidate[]>();
  for (const candidate of active.values()) {
    const group = members.get(leader(candidate.fid));
    if (group === undefined) members.set(leader(candidate.fid), [candidate]);
    else group.push(candidate);
  }
  return members.values();
}

/** Children before directories, so that a name is never bound before its object is here. */
function step(after: Afterwards, candidates: readonly Candidate[]): ForceStep {
  const rank = (candidate: Candidate): number => {
    return candidate.next.kind === 'directory' ? after.depth(candidate.fid) : Number.MAX_SAFE_INTEGER;
  };
  const ranked = candidates.map((candidate) => ({ candidate, rank: rank(candidate) }));
  ranked.sort((a, b) => b.rank - a.rank);
  const objects: ForcedObject[] = [];
  const removed: VnodeStatus[] = [];
  for (const { candidate } of ranked) {
    if (candidate.removed) removed.push(candidate.next);
    else objects.push({ status: candidate.next, entries: candidate.entries });
  }
  return { objects, removed };
}
