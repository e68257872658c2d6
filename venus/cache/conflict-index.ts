/**
 * The objects that a person has to decide about, as far as they are cached: all of them in memory, since they are few,
 * and in rows `c/<fid>`, so that nobody has to look for them after a restart.
 */
import { z } from 'zod';
import { intact, parseFid, seal, type ConflictKind, type Fid } from '../../vice/interface/index.js';
import { decidable } from './cached-object.js';
import type { WriteBuffer } from '../store/write-buffer.js';

export interface KnownConflict {
  readonly kinds: readonly ConflictKind[];
  readonly parent: Fid | null;
  /** The name that it bears, where that is not the one it was given. */
  readonly name: string | null;
}

const fid = z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined);
const row = z.strictObject({
  kinds: z.array(z.enum(['versions', 'name', 'removal', 'place', 'protection'])),
  parent: fid.nullable(),
  name: z.string().nullable(),
});
const prefix = 'c/';

/** Told that the conflicts of an object have changed, with those it had before. */
export type ConflictListener = (fid: Fid, before: readonly ConflictKind[]) => void;

export class ConflictIndex {
  readonly #buffer: WriteBuffer;
  readonly #tell: ConflictListener | undefined;
  readonly #known = new Map<Fid, KnownConflict>();
  readonly #byParent = new Map<Fid, Set<Fid>>();
  /** Objects whose rows here were damaged: whoever knows them says anew what there is to decide. */
  readonly damaged: readonly Fid[];

  constructor(buffer: WriteBuffer, tell?: ConflictListener) {
    this.#buffer = buffer;
    this.#tell = tell;
    const damaged: Fid[] = [];
    for (const { key, value } of buffer.scan(prefix)) {
      const of = key.slice(prefix.length) as Fid;
      const known = intact(value);
      if (known !== undefined) this.#enter(of, row.parse(known));
      else damaged.push(of);
    }
    for (const of of damaged) buffer.remove(`${prefix}${of}`);
    this.damaged = damaged;
  }

  get(fid: Fid): KnownConflict | undefined {
    return this.#known.get(fid);
  }

  /** The objects in conflict that are in `directory`; undefined: none is. */
  in(directory: Fid): ReadonlySet<Fid> | undefined {
    return this.#byParent.get(directory);
  }

  all(): readonly Fid[] {
    return [...this.#known.keys()];
  }

  /** How many there are of each kind to decide about. `hidesVersions`: undefined where the whole volume is no more. */
  count(
    hidesVersions: (fid: Fid) => boolean | undefined = () => false,
  ): Readonly<Partial<Record<ConflictKind, number>>> {
    const counts: Partial<Record<ConflictKind, number>> = {};
    for (const [fid, { kinds }] of this.#known) {
      const hides = hidesVersions(fid);
      if (hides === undefined) continue;
      for (const kind of decidable(kinds, hides)) counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  /** What is known of `fid` from now on. */
  set(fid: Fid, known: KnownConflict): void {
    if (known.kinds.length === 0) return this.remove(fid);
    const before = this.#known.get(fid);
    if (before !== undefined && isSame(before, known)) return;
    this.#leave(fid);
    this.#enter(fid, known);
    this.#buffer.put(`${prefix}${fid}`, seal(known));
    if (before === undefined || !isSameKinds(before, known)) this.#tell?.(fid, before?.kinds ?? []);
  }

  remove(fid: Fid): void {
    const before = this.#known.get(fid);
    if (before === undefined) return;
    this.#leave(fid);
    this.#buffer.remove(`${prefix}${fid}`);
    this.#tell?.(fid, before.kinds);
  }

  #enter(fid: Fid, known: KnownConflict): void {
    this.#known.set(fid, known);
    if (known.parent === null) return;
    const there = this.#byParent.get(known.parent);
    if (there === undefined) this.#byParent.set(known.parent, new Set([fid]));
    else there.add(fid);
  }

  #leave(fid: Fid): void {
    const known = this.#known.get(fid);
    if (known === undefined) return;
    this.#known.delete(fid);
    if (known.parent === null) return;
    const there = this.#byParent.get(known.parent);
    there?.delete(fid);
    if (there?.size === 0) this.#byParent.delete(known.parent);
  }
}

function isSame(a: KnownConflict, b: KnownConflict): boolean {
  return a.parent === b.parent && a.name === b.name && isSameKinds(a, b);
}

function isSameKinds({ kinds: a }: KnownConflict, { kinds: b }: KnownConflict): boolean {
  return a.length === b.length && a.every((kind, index) => kind === b[index]);
}
