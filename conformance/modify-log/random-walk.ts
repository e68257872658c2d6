/**
 * A random walk of valid operations over a small tree: few names and few objects, so that names are taken,
 * freed and taken again and objects move through directories that come and go. A step is one 32-bit number,
 * so that a failing walk shrinks to a short one.
 */
import { isFailure, limits, makeFid, type Fid, type VnodeKind } from '../../vice/interface/index.js';
import type { LogEntry } from '../../venus/log/modify-log.js';
import type { Logged } from '../../venus/log/optimize.js';
import {
  bobsVenus,
  digestFor,
  LoggingVenus,
  otherVenus,
  planted,
  root,
  venus,
  volume,
  type Change,
} from './logging-venus.js';
import { inexactBase, type PlainTree } from './plain-tree.js';

const names = ['a', 'b', 'c', 'd'];
const properties = ['{x:}one', '{x:}two', '{x:}three'];
/** Two of these fit into one object, three do not. */
const largeValue = 'v'.repeat(Math.floor(limits.propertyBytes * 0.45));

const fids = [2, 3, 4, 5, 6, 7, 8].map((vnode) => makeFid(volume, vnode, otherVenus));
const [docs = root, old = root, deep = root, report = root, notes = root, memo = root, link = root] = fids;

const start = planted([
  { fid: root, parent: null, name: '', kind: 'directory', own: 4 },
  { fid: docs, parent: root, name: 'a', kind: 'directory', own: 5 },
  { fid: old, parent: root, name: 'b', kind: 'directory' },
  { fid: deep, parent: docs, name: 'c', kind: 'directory' },
  { fid: report, parent: docs, name: 'a', kind: 'file', own: 6, properties: { '{x:}one': '1' } },
  { fid: notes, parent: root, name: 'c', kind: 'file', siblings: 3 },
  { fid: memo, parent: deep, name: 'a', kind: 'file', own: 3, siblings: 1 },
  { fid: link, parent: old, name: 'a', kind: 'symlink' },
]);

/** Operations, the frequent ones more than once. */
const operations = [
  ...['create', 'put', 'put', 'put', 'mkdir', 'mkdir', 'symlink', 'store', 'store', 'store', 'utimes'],
  ...['utimes', 'chmod', 'chmod', 'chown', 'setprops', 'setprops', 'setprops', 'remove', 'remove', 'remove'],
  ...['remove', 'rmdir', 'rmdir', 'rename', 'rename', 'rename', 'move', 'move', 'replace', 'replace'],
  ...['remove tree', 'copy', 'copy over', 'freeze', 'take', 'store beside', 'store beside', 'dismiss'],
  ...['dismiss', 'accept', 'keep all'],
] as const;
type Operation = (typeof operations)[number];

/** Three choices in one step, of 64 each. */
interface Dice {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export class RandomWalk {
  readonly venus = new LoggingVenus(start.clone());
  /** What the servers have: the entries that have left the log, and what was there before. */
  readonly servers = start.clone();
  /** The entries that have left the log, in order. */
  readonly taken: LogEntry[] = [];
  #number = 1;

  step(random: number): void {
    const dice: Dice = {
      a: (random >>> 6) & 63,
      b: (random >>> 12) & 63,
      c: (random >>> 18) & 63,
    };
    const operation = operations[random % operations.length] ?? 'freeze';
    if (operation === 'take') return this.#take();
    if (operation === 'freeze') {
      const sequences = [...this.venus.log.keys()];
      const sequence = sequences[dice.a % Math.max(1, sequences.length)];
      if (sequence !== undefined) this.venus.freeze(sequence, dice.b % 2 === 0 ? 'offered' : 'applied');
      return;
    }
    const changes = this.#changes(operation, dice);
    const author = random >>> 29 === 0 ? 'bob' : 'ann';
    if (changes.length > 0) this.#attempt(author, changes);
  }

  /** The servers take the oldest entry. @throws Error, Failure as replay */
  #take(): void {
    const oldest = this.venus.take();
    if (oldest === undefined) return;
    this.taken.push(oldest);
    replay(this.servers, [oldest]);
  }

  #attempt(author: string, changes: readonly Change[]): void {
    try {
      this.venus.change(author, changes);
    } catch (error) {
      // Properties may not fit; only an operation of one record can fail, so nothing is half done.
      if (!isFailure(error, 'too-large') || changes.length > 1) throw error;
    }
  }

  #changes(operation: Exclude<Operation, 'freeze' | 'take'>, dice: Dice): readonly Change[] {
    switch (operation) {
      case 'create':
      case 'put':
      case 'mkdir':
      case 'symlink':
      case 'copy':
        return this.#creation(operation, dice);
      case 'store':
      case 'utimes':
      case 'chmod':
      case 'chown':
      case 'setprops':
      case 'copy over':
        return this.#attributes(operation, dice);
      case 'remove':
      case 'rmdir':
      case 'remove tree':
        return this.#removal(operation, dice);
      case 'rename':
      case 'move':
      case 'replace':
        return this.#renaming(operation, dice);
      case 'store beside':
      case 'dismiss':
      case 'accept':
      case 'keep all':
        return this.#deciding(operation, dice);
    }
  }

  #creation(operation: 'create' | 'put' | 'mkdir' | 'symlink' | 'copy', { a, b }: Dice): readonly Change[] {
    const parent = this.#pick(['directory'], a) ?? root;
    const name = this.#name(b);
    if (this.#tree.entry(parent, name) !== undefined) return [];
    const fid = this.venus.newFid();
    const where = { parent, name, fid };
    if (operation === 'symlink') return [{ op: 'symlink', ...where, target: 'somewhere' }];
    if (operation === 'mkdir') return [{ op: 'mkdir', ...where, mode: 0o755 }];
    const create: Change = { op: 'create', ...where, mode: 0o644 };
    if (operation === 'create') return [create];
    const set = { [properties[b % 3] ?? '']: 'copied' };
    const more: readonly Change[] = operation === 'copy' ? [{ op: 'setprops', fid, set, remove: [] }] : [];
    return [create, this.#store(fid), ...more];
  }

  #attributes(
    operation: 'store' | 'utimes' | 'chmod' | 'chown' | 'setprops' | 'copy over',
    { a, b, c }: Dice,
  ): readonly Change[] {
    const isOfFiles = operation === 'store' || operation === 'copy over';
    const fid = this.#pick(isOfFiles ? ['file'] : ['file', 'directory', 'symlink'], a);
    if (fid === undefined || fid === root) return [];
    switch (operation) {
      case 'store':
        return [this.#store(fid)];
      case 'utimes':
        return [{ op: 'utimes', fid, modified: (this.#number += 1) }];
      case 'chmod':
        return [{ op: 'chmod', fid, mode: b }];
      case 'chown':
        return [{ op: 'chown', fid, owner: `user ${b}` }];
      case 'setprops': {
        const chosen = (bits: number): string[] => properties.filter((_, bit) => (bits & (1 << bit)) !== 0);
        const value = c % 16 === 0 ? largeValue : `value ${(this.#number += 1)}`;
        const set = Object.fromEntries(chosen(b).map((name) => [name, value]));
        return [{ op: 'setprops', fid, set, remove: chosen(b >>> 3) }];
      }
      case 'copy over': {
        const remove = Object.keys(this.#tree.status(fid)?.properties ?? {});
        return [
          this.#store(fid),
          { op: 'setprops', fid, set: { [properties[b % 3] ?? '']: 'copied' }, remove },
        ];
      }
    }
  }

  /** What people do with a file in conflict; `accept` with anything. */
  #deciding(
    operation: 'store beside' | 'dismiss' | 'accept' | 'keep all',
    { a, b, c }: Dice,
  ): readonly Change[] {
    const isOfFiles = operation !== 'accept';
    const found = [...this.#tree.statuses.values()].filter(({ parent, siblings }) => {
      return parent !== null && (!isOfFiles || siblings.length > 0);
    });
    const status = found[a % Math.max(1, found.length)];
    if (status === undefined) return [];
    const { fid } = status;
    const here = { name: this.#tree.nameOf(fid), parent: status.parent ?? root };
    const accept = b % 4 === 0 || operation === 'accept' ? here : null;
    const repair = { op: 'repair', fid, accept, dismiss: [] } as const;
    if (operation === 'accept') return [repair];
    const marks = [status.data, ...status.siblings].flatMap((version) => version?.mark ?? []);
    const chosen = marks.filter((_, index) => (c & (1 << (index % 6))) !== 0);
    if (operation === 'store beside') return [this.#store(fid, chosen)];
    // Something must be left.
    if (chosen.length === marks.length) chosen.pop();
    if (operation === 'dismiss') return [{ ...repair, dismiss: chosen }];
    const place = {
      parent: this.#pick(['directory'], b) ?? root,
      name: this.#name(c),
      fid: this.venus.newFid(),
    };
    if (this.#tree.entry(place.parent, place.name) !== undefined) return [];
    const create: Change = { op: 'create', ...place, mode: 0o644 };
    return [create, this.#store(place.fid), { ...repair, dismiss: chosen }];
  }

  #removal(operation: 'remove' | 'rmdir' | 'remove tree', { a }: Dice): readonly Change[] {
    const fid = this.#pick(operation === 'remove' ? ['file', 'symlink'] : ['directory'], a);
    if (fid === undefined || fid === root) return [];
    if (operation === 'rmdir' && !this.#tree.isEmpty(fid)) return [];
    return this.#removals(fid);
  }

  /** `move`: of a directory. */
  #renaming(operation: 'rename' | 'move' | 'replace', { a, b, c }: Dice): readonly Change[] {
    const fid = this.#pick(operation === 'move' ? ['directory'] : ['file', 'directory', 'symlink'], a);
    const toParent = this.#pick(['directory'], b) ?? root;
    const toName = this.#name(c);
    if (fid === undefined || fid === root || this.#isWithin(toParent, fid)) return [];
    const { parent: fromParent } = this.#tree.status(fid) ?? {};
    if (fromParent === undefined || fromParent === null) return [];
    const target = this.#tree.entry(toParent, toName)?.fid;
    if (target === fid || (target !== undefined && operation !== 'replace')) return [];
    // A target that holds the object or is its new home cannot go.
    if (target !== undefined && (this.#isWithin(fid, target) || this.#isWithin(toParent, target))) return [];
    const fromName = this.#tree.nameOf(fid);
    return [
      ...(target === undefined ? [] : this.#removals(target)),
      { op: 'rename', fromParent, fromName, toParent, toName, fid },
    ];
  }

  /** All that is below `fid` and itself, bottom up. */
  #removals(fid: Fid): readonly Change[] {
    const { kind, parent } = this.#tree.status(fid) ?? {};
    if (parent === undefined || parent === null) return [];
    const op = kind === 'directory' ? 'rmdir' : 'remove';
    const members = [...this.#tree.names(fid).values()].flatMap((entry) => this.#removals(entry.fid));
    return [...members, { op, parent, name: this.#tree.nameOf(fid), fid }];
  }

  /** As Venus does it: only the shown version is replaced. */
  #store(fid: Fid, beside = this.#tree.status(fid)?.siblings.map(({ mark }) => mark) ?? []): Change {
    this.#number += 1;
    const modified = this.#number;
    const saved = Math.max(modified, (this.#tree.status(fid)?.data?.saved ?? 0) + 1);
    const contents = { length: 1, digest: digestFor(1000 + modified), modified, saved };
    return { op: 'store', fid, ...contents, ...(beside.length > 0 && { beside }) };
  }

  #isWithin(fid: Fid, ancestor: Fid): boolean {
    for (let at: Fid | null | undefined = fid; at !== null && at !== undefined;) {
      if (at === ancestor) return true;
      at = this.#tree.status(at)?.parent;
    }
    return false;
  }

  get #tree(): PlainTree {
    return this.venus.cache;
  }

  #name(choice: number): string {
    return names[choice % names.length] ?? 'a';
  }

  /** One of the objects of these kinds; half of the time one of the last three that were made. */
  #pick(kinds: readonly VnodeKind[], choice: number): Fid | undefined {
    const found: Fid[] = [];
    for (const { fid, kind } of this.#tree.statuses.values()) if (kinds.includes(kind)) found.push(fid);
    const among = choice % 2 === 0 ? found.slice(-3) : found;
    return among[(choice >>> 1) % Math.max(1, among.length)];
  }
}

/**
 * The servers apply `entries`, in order.
 * @throws Failure when a record is refused; Error when a base does not name exactly our update before it
 */
export function replay(servers: PlainTree, entries: Iterable<Logged>): void {
  for (const { records } of entries) {
    for (const record of records) {
      const fault = [venus, bobsVenus].map((own) => inexactBase(servers, record, own)).find(Boolean);
      if (fault !== undefined) throw new Error(fault);
      servers.certifyAndApply(record);
    }
  }
}
