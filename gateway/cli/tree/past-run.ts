/**
 * Objects of a snapshot put back into the share.
 *
 * PR-1  What is not there is put back where it was, with the folders above it. What is there as it was stays.
 * PR-2  Where something else bears the name now, it comes beside it, under a name that says of which snapshot it is; a
 *       file is put over a file only when that was asked for, and then over the version that was seen, and no other.
 * PR-3  A folder that is there is kept, and what was in it is put back, each for itself. Nothing is ever removed.
 * PR-4  Run again it finds what it has put back, also under the other names, and does nothing twice.
 */
import type { TreeObject } from '../../realm/tree-object.js';
import { pastName } from './past-name.js';
import type { PastTree, PastVolume } from './past-tree.js';
import { reasonOf } from './refusal.js';
import type { ShareTree } from './share-tree.js';
import type { TreeReport } from './tree-report.js';

/** Names tried beside one. */
const attemptsMost = 100;

export interface PastWorld {
  readonly share: ShareTree;
  readonly past: PastTree;
  readonly volume: PastVolume;
  /** Where the volume is in the share, as names from its root. */
  readonly mounted: readonly string[];
  /** In the names of what comes beside others. */
  readonly label: string;
  readonly replace: boolean;
  readonly report: TreeReport;
  /** @throws when it was broken off */
  readonly check: () => void;
  /** Told of every folder that is written to. */
  readonly enters: (fid: string) => void;
}

/** What came under another name. */
export interface Beside {
  readonly path: string;
  readonly name: string;
}

/** A folder of the share that is written into, and what it has. */
interface Folder {
  readonly fid: string;
  readonly names: Map<string, TreeObject>;
}

export class PastRun {
  readonly beside: Beside[] = [];
  readonly #world: PastWorld;

  constructor(world: PastWorld) {
    this.#world = world;
  }

  /** `names` from the root of the volume. */
  async restore(names: readonly string[]): Promise<void> {
    const { past, share, volume, mounted, report } = this.#world;
    const path = names.join('/');
    await this.#listed(path, async () => {
      const object = await past.find([...volume.path, ...names]);
      if (object === null) return report.refuse(path, 'nothing of that name is in the snapshot');
      const above = names.slice(0, -1);
      const last = names.at(-1);
      if (last === undefined) return this.#members(await this.#folder(mounted, path), names);
      const { object: parent } = await share.find([...mounted, ...above], true);
      if (parent?.kind !== 'directory') return report.refuse(path, `${above.join('/')} is no folder now`);
      await this.#put(await this.#opened(parent), last, names, object);
    });
  }

  async #folder(place: readonly string[], path: string): Promise<Folder> {
    const { object } = await this.#world.share.find(place, false);
    if (object === null) throw new Error(`snapshot restore: ${path} is nowhere`);
    return this.#opened(object);
  }

  async #opened({ fid }: TreeObject): Promise<Folder> {
    const names = new Map<string, TreeObject>();
    for await (const { name, object } of this.#world.share.list(fid)) names.set(name.normalize(), object);
    return { fid, names };
  }

  async #members(folder: Folder, names: readonly string[]): Promise<void> {
    const { past, volume } = this.#world;
    const entries = [];
    for await (const entry of past.list([...volume.path, ...names])) entries.push(entry);
    for (const { name, object } of entries) {
      await this.#listed([...names, name].join('/'), () => this.#put(folder, name, [...names, name], object));
    }
  }

  async #put(folder: Folder, name: string, names: readonly string[], object: TreeObject): Promise<void> {
    const { report, replace, check, label } = this.#world;
    check();
    const there = folder.names.get(name.normalize());
    if (there === undefined) return this.#made(folder, name, names, object, undefined);
    if (there.kind === 'directory' && object.kind === 'directory') {
      report.passedOver.folders += 1;
      return this.#members(await this.#opened(there), names);
    }
    if (isSame(there, object)) return this.#passOver(object);
    if (replace && there.kind === 'file' && object.kind === 'file') {
      return this.#made(folder, name, names, object, there);
    }
    for (let attempt = 1; attempt <= attemptsMost; attempt += 1) {
      const other = pastName(name, label, attempt);
      const taken = folder.names.get(other.normalize());
      if (taken !== undefined && isSame(taken, object)) return this.#passOver(object);
      const isFolder = taken?.kind === 'directory' && object.kind === 'directory';
      if (taken !== undefined && !isFolder) continue;
      if (isFolder) return this.#members(await this.#opened(taken), names);
      await this.#made(folder, other, names, object, undefined);
      this.beside.push({ path: names.join('/'), name: other });
      return;
    }
    report.refuse(names.join('/'), 'it stands beside its place under too many names already');
  }

  async #made(
    folder: Folder,
    name: string,
    names: readonly string[],
    object: TreeObject,
    replaces: TreeObject | undefined,
  ): Promise<void> {
    const { share, report, enters } = this.#world;
    enters(folder.fid);
    if (object.kind === 'directory') {
      const made = await share.makeFolder(folder.fid, name);
      report.copied.folders += 1;
      await this.#attributes(made, object);
      return this.#members({ fid: made.fid, names: new Map() }, names);
    }
    if (object.kind === 'symlink') {
      await share.makeLink(folder.fid, name, object.target ?? '');
      report.copied.links += 1;
      return;
    }
    const { length, modified } = object;
    const file = { parent: folder.fid, name, length, modified, replaces: replaces ?? null };
    const { past, volume } = this.#world;
    const made = await share.put(file, past.read([...volume.path, ...names], object));
    report.copied.files += 1;
    report.copied.bytes += length;
    await this.#attributes(made, object);
  }

  async #attributes({ fid }: TreeObject, { properties }: TreeObject): Promise<void> {
    if (Object.keys(properties).length > 0) await this.#world.share.setAttributes(fid, { properties });
  }

  #passOver({ kind, length }: TreeObject): void {
    const { passedOver } = this.#world.report;
    if (kind !== 'file') passedOver.links += 1;
    else {
      passedOver.files += 1;
      passedOver.bytes += length;
    }
  }

  async #listed(path: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      // Broken off: that is no word about this object.
      this.#world.check();
      this.#world.report.refuse(path === '' ? '/' : path, reasonOf(error));
    }
  }
}

function isSame(one: TreeObject, other: TreeObject): boolean {
  if (one.kind !== other.kind || one.kind === 'directory') return false;
  if (one.kind === 'symlink') return one.target === other.target;
  return one.digest !== null && one.digest === other.digest && one.length === other.length;
}
