/**
 * What the lines of an archive come to, before anything is looked up: which objects were made and where they ended,
 * which contents a file has at last, what was moved and removed of what was there before. Pure.
 *
 * RP-1  Of a file only its last contents are made anew: the archive's author replaced the others.
 * RP-2  What was made and removed within the archive is nothing.
 * RP-3  An object that the archive makes is made at the place that it ended at.
 */
import {
  emptyDigest,
  fidsOf,
  isCreation,
  unionOf,
  withStoreId,
  type AccessList,
  type Fid,
  type Mutation,
  type RenameRecord,
  type StoreId,
  type StoreIdVector,
} from '../../vice/interface/index.js';
import { bindingOf, type Binding, type Line } from './format.js';

/** Who did it, when, and in which change. */
export interface Act {
  readonly sequence: number;
  readonly author: string;
  readonly time: number;
}

export interface Made extends Act, Binding {
  readonly op: 'create' | 'mkdir' | 'symlink';
  readonly fid: Fid;
  readonly mode: number | null;
  /** Of a symbolic link. */
  readonly target: string;
}

export interface Stored extends Act {
  readonly fid: Fid;
  readonly length: number;
  readonly digest: string;
  readonly modified: number;
  /** That the contents had where the archive comes from. */
  readonly version: StoreId;
  /** Servers had refused it for good: nobody has ever had this version. */
  readonly wasRefused: boolean;
}

/** The last values of what the archive set; undefined: it did not. */
export interface Attributes extends Act {
  readonly fid: Fid;
  readonly set: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
  readonly mode: number | undefined;
  readonly modified: number | undefined;
  readonly owner: string | undefined;
  /** Of a directory. */
  readonly access: AccessList | null | undefined;
}

/** What a person had decided about a file or directory in conflict. */
export interface Repaired extends Act {
  readonly fid: Fid;
  /** Of the last decision. */
  readonly version: StoreId;
}

/** A step in the namespace. Of each object there is at most one: to what became of it in the end. */
export type Step = Act & { readonly fid: Fid } & (
    | { readonly step: 'make' }
    /** `places`: all that the archive knows of it, so the one where it was before too. */
    | { readonly step: 'move'; readonly places: readonly Binding[]; readonly to: Binding }
    | { readonly step: 'remove'; readonly places: readonly Binding[]; readonly isDirectory: boolean }
  );

export interface RestorePlan {
  readonly sequences: ReadonlySet<number>;
  /** In the order of the log. */
  readonly steps: readonly Step[];
  readonly made: ReadonlyMap<Fid, Made>;
  readonly stores: readonly Stored[];
  readonly attributes: readonly Attributes[];
  readonly repairs: readonly Repaired[];
  /** Objects that were there before, which the archive moves or removes. */
  readonly leaving: ReadonlySet<Fid>;
  /** What the archive's author had seen of each object, the archive's own changes included. */
  readonly seen: ReadonlyMap<Fid, StoreIdVector>;
  readonly paths: ReadonlyMap<Fid, string>;
}

export async function planRestore(lines: readonly Line[], pause: () => Promise<void>): Promise<RestorePlan> {
  const plan = new Planner();
  for (const [index, line] of lines.entries()) {
    plan.look(line);
    if (index % 200 === 199) await pause();
  }
  for (const [index, line] of lines.entries()) {
    plan.add(line);
    if (index % 200 === 199) await pause();
  }
  return plan.plan();
}

class Planner {
  readonly #sequences = new Set<number>();
  readonly #made = new Map<Fid, Made>();
  readonly #removed = new Set<Fid>();
  readonly #places = new Map<Fid, Binding[]>();
  readonly #steps = new Map<Fid, Step>();
  readonly #stores = new Map<Fid, Stored>();
  readonly #attributes = new Map<Fid, Attributes>();
  readonly #repairs = new Map<Fid, Repaired>();
  readonly #seen = new Map<Fid, StoreIdVector>();
  readonly #paths = new Map<Fid, string>();

  /** First, for every line: what became of the objects in the end. */
  look({ sequence, paths, record }: Line): void {
    this.#sequences.add(sequence);
    for (const [fid, path] of Object.entries(paths) as [Fid, string][]) this.#paths.set(fid, path);
    for (const fid of fidsOf(record)) {
      const seen = unionOf(record.base[fid] ?? {}, this.#seen.get(fid) ?? {});
      this.#seen.set(fid, withStoreId(seen, record.storeId));
    }
    const binding = bindingOf(record);
    const made = this.#made.get(record.fid);
    const { author, time } = record;
    if (isCreation(record)) {
      const mode = 'mode' in record ? record.mode : null;
      const target = record.op === 'symlink' ? record.target : '';
      const { op, fid, parent, name } = record;
      this.#made.set(fid, { op, fid, parent, name, mode, target, sequence, author, time });
    } else if (made !== undefined && binding !== undefined) {
      this.#made.set(record.fid, { ...made, ...binding });
    }
    this.#place(record);
    if (record.op === 'remove' || record.op === 'rmdir') this.#removed.add(record.fid);
  }

  /** Then, for every line in order. */
  add({ sequence, record, reason }: Line): void {
    const { fid, author, time } = record;
    const act: Act = { sequence, author, time };
    const refusable = { version: record.storeId, wasRefused: reason !== null };
    if (record.op === 'remove' || record.op === 'rmdir') {
      if (this.#made.has(fid)) return;
      const isDirectory = record.op === 'rmdir';
      this.#step({ step: 'remove', ...act, fid, places: this.#places.get(fid) ?? [], isDirectory });
    }
    if (this.#removed.has(fid)) return;
    switch (record.op) {
      case 'create':
        this.#store(act, fid, { ...refusable, length: 0, digest: emptyDigest, modified: time });
        break;
      case 'mkdir':
      case 'symlink':
        this.#step({ step: 'make', fid, ...act });
        break;
      case 'rename':
        this.#move(act, record);
        break;
      case 'store':
        this.#store(act, fid, { ...record, ...refusable });
        break;
      case 'repair':
        this.#repairs.set(fid, { ...act, fid, version: record.storeId });
        break;
      case 'setprops':
        this.#set(act, fid, (before) => withProperties(before, record.set, record.remove));
        break;
      case 'chmod':
        this.#set(act, fid, (before) => ({ ...before, mode: record.mode }));
        break;
      case 'setacl':
        this.#set(act, fid, (before) => ({ ...before, access: record.list }));
        break;
      case 'utimes':
        this.#set(act, fid, (before) => ({ ...before, modified: record.modified }));
        break;
      case 'chown':
        this.#set(act, fid, (before) => ({ ...before, owner: record.owner }));
        break;
    }
  }

  plan(): RestorePlan {
    for (const fid of this.#removed) this.#made.delete(fid);
    return {
      sequences: this.#sequences,
      steps: [...this.#steps.values()],
      made: this.#made,
      stores: [...this.#stores.values()],
      attributes: [...this.#attributes.values()],
      repairs: [...this.#repairs.values()],
      leaving: new Set([...this.#steps.values()].flatMap(({ step, fid }) => (step === 'make' ? [] : [fid]))),
      seen: this.#seen,
      paths: this.#paths,
    };
  }

  #place(record: Mutation): void {
    const places = this.#places.get(record.fid) ?? [];
    if (places.length === 0) this.#places.set(record.fid, places);
    if (record.op === 'rename') places.push({ parent: record.fromParent, name: record.fromName });
    if (record.op === 'rename') places.push({ parent: record.toParent, name: record.toName });
    if (record.op === 'remove' || record.op === 'rmdir')
      places.push({ parent: record.parent, name: record.name });
  }

  #move(act: Act, { fid, toParent, toName }: RenameRecord): void {
    if (this.#made.has(fid)) return;
    const to = { parent: toParent, name: toName };
    this.#step({ step: 'move', ...act, fid, places: this.#places.get(fid) ?? [], to });
  }

  /** The last one of an object counts, in its place in the order. */
  #step(step: Step): void {
    this.#steps.delete(step.fid);
    this.#steps.set(step.fid, step);
  }

  #store(act: Act, fid: Fid, store: Omit<Stored, keyof Act | 'fid'>): void {
    const { length, digest, modified, version, wasRefused } = store;
    this.#stores.set(fid, { ...act, fid, length, digest, modified, version, wasRefused });
    const attributes = this.#attributes.get(fid);
    // The close has set the time again.
    if (attributes !== undefined) this.#attributes.set(fid, { ...attributes, modified: undefined });
  }

  #set(act: Act, fid: Fid, change: (before: Attributes) => Attributes): void {
    const none = { fid, set: {}, remove: [], mode: undefined, modified: undefined };
    const unset = { ...none, owner: undefined, access: undefined };
    this.#attributes.set(fid, { ...change(this.#attributes.get(fid) ?? { ...unset, ...act }), ...act });
  }
}

function withProperties(
  before: Attributes,
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
): Attributes {
  const kept = Object.entries(before.set).filter(([name]) => !remove.includes(name));
  const removed = before.remove.filter((name) => !Object.hasOwn(set, name));
  return {
    ...before,
    set: Object.fromEntries([...kept, ...Object.entries(set)]),
    remove: [...new Set([...removed, ...remove])].filter((name) => !Object.hasOwn(set, name)),
  };
}
