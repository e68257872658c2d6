/**
 * A tree of this machine copied into the share.
 *
 * IM-1  Nothing is dropped in silence: what is not copied is in the report, with why.
 * IM-2  A file is in the share whole, with its time, or not at all; so whatever breaks this off, it goes on where it
 *       was when it is run again.
 * IM-3  What is there and differs stays, unless it shall be replaced; then the version that was seen is, and no other.
 */
import { join } from 'node:path';
import type { TreeObject } from '../../realm/tree-object.js';
import { comparedStep, propertyStep, stepOf, type CopyRules, type Step } from './comparison.js';
import { Lanes } from './lanes.js';
import { digestOfFile, readFolder, readUnchanged, type LocalEntry, type LocalFolder } from './local-tree.js';
import type { Properties } from './property-file.js';
import { isFull, reasonOf } from './refusal.js';
import type { ShareTree } from './share-tree.js';
import { propertiesName, shareForm, shareNameFault } from './tree-name.js';
import type { TreeProgress } from './tree-progress.js';
import type { TreeReport } from './tree-report.js';

export interface ImportWorld {
  readonly share: ShareTree;
  readonly rules: CopyRules;
  readonly report: TreeReport;
  readonly progress: TreeProgress;
  readonly lanes: Lanes;
  /** By path from the root of the tree. */
  readonly properties: ReadonlyMap<string, Properties>;
  /** The share is full: waits until what waits to be sent has made room; false: it will not. */
  readonly waitForRoom: () => Promise<boolean>;
  /** Told of every folder that is written to. */
  readonly enters: (fid: string) => void;
}

/** One folder under way. */
interface Folder {
  /** On this machine. */
  readonly local: string;
  /** From the root of the tree, '' for that; ends with a slash otherwise. */
  readonly prefix: string;
  /** From the root of the share. */
  readonly path: readonly string[];
  readonly fid: string;
  readonly isTop: boolean;
  readonly isShare: boolean;
  /** Tasks in it that are not over. */
  readonly open: Set<Promise<void>>;
  /** Whether somebody has locked it, asked before the first file is made in it. */
  unlocked?: Promise<void>;
  /** Something in it was made: so its time has changed. */
  isTouched: boolean;
}

export interface ImportTarget {
  /** From the root of the share. */
  readonly path: readonly string[];
  readonly object: TreeObject;
  readonly isNew: boolean;
  readonly isShare: boolean;
}

/** A link has no contents that could be replaced. */
const otherLink = 'a link is there that leads elsewhere; delete it in the share, then run the command again';

export class ImportRun {
  readonly #world: ImportWorld;

  constructor(world: ImportWorld) {
    this.#world = world;
  }

  /** Copies what is in the folder `local` into `target`. @throws what ended it before all was looked at */
  async run(local: string, target: ImportTarget): Promise<void> {
    const { lanes } = this.#world;
    const { path, object, isShare, isNew } = target;
    try {
      const top = {
        local,
        prefix: '',
        path,
        fid: object.fid,
        isTop: true,
        isShare,
        open: new Set<Promise<void>>(),
      };
      await this.#fill({ ...top, isTouched: false }, isNew);
      await (
        await lanes.start(() => this.#listed('', () => this.#setProperties('', object)))
      ).over;
    } catch (error) {
      lanes.fail(error);
    }
    await lanes.idle();
  }

  async #fill(folder: Folder, isNew: boolean): Promise<void> {
    const { report, lanes, enters } = this.#world;
    enters(folder.fid);
    const read = await this.#listed(folder.prefix, () => readFolder(folder.local));
    const there = read && (await this.#listed(folder.prefix, () => this.#there(folder, isNew)));
    if (read === undefined || there === undefined) return;
    for (const { name, reason } of read.faults) report.refuse(folder.prefix + name, reason);
    const taken = this.#taken(folder, read);
    for (const entry of taken.filter(({ kind }) => kind !== 'directory')) {
      const task = (): Promise<void> => this.#leaf(folder, entry, there.get(shareForm(entry.name)));
      const { over } = await lanes.start(task);
      folder.open.add(over);
      void over.then(() => folder.open.delete(over));
    }
    for (const entry of taken) {
      if (entry.kind === 'directory') await this.#folder(folder, entry, there.get(shareForm(entry.name)));
    }
  }

  /** By the form in which names must differ. */
  async #there({ fid }: Folder, isNew: boolean): Promise<ReadonlyMap<string, TreeObject>> {
    const there = new Map<string, TreeObject>();
    if (isNew) return there;
    for await (const { name, object } of this.#world.share.list(fid)) there.set(shareForm(name), object);
    return there;
  }

  /** The entries that the share can take; the others are in the report. */
  #taken({ prefix, isTop, isShare }: Folder, { entries }: LocalFolder): readonly LocalEntry[] {
    const { report, progress } = this.#world;
    const forms = new Set<string>();
    return entries.filter((entry) => {
      const { name, kind, what, length } = entry;
      if (isTop && name === propertiesName) return false;
      const clash = forms.has(shareForm(name))
        ? 'another name here differs from it only in its Unicode form'
        : undefined;
      const other =
        kind === 'other' ? `it is ${what}, and the share keeps only files, folders and links` : undefined;
      const fault = other ?? shareNameFault(name, isShare) ?? clash;
      forms.add(shareForm(name));
      if (fault === undefined) return true;
      report.refuse(prefix + name, kind === 'directory' ? `${fault}; so nothing in it was copied` : fault);
      if (kind === 'file') progress.fileDone(length);
      return false;
    });
  }

  async #folder(folder: Folder, entry: LocalEntry, there: TreeObject | undefined): Promise<void> {
    const { share, rules, report, lanes } = this.#world;
    const path = folder.prefix + entry.name;
    lanes.check();
    const step = stepOf(entry, there, rules);
    if (typeof step === 'object') return report.refuse(path, `${step.refused}; so nothing in it was copied`);
    const make = (): Promise<TreeObject> => share.makeFolder(folder.fid, entry.name);
    const object = there ?? (await this.#listed(path, make));
    if (object === undefined) return;
    const isNew = there === undefined;
    if (isNew) folder.isTouched = true;
    (isNew ? report.copied : report.passedOver).folders += 1;
    const place = { prefix: `${path}/`, path: [...folder.path, entry.name] };
    const inner = { local: join(folder.local, entry.name), ...place, fid: object.fid };
    const below: Folder = { ...inner, isTop: false, isShare: false, open: new Set(), isTouched: isNew };
    await this.#fill(below, isNew);
    // Whatever is made in a folder changes its time: that comes last.
    lanes.after([...below.open], async () => {
      await this.#listed(path, async () => {
        const isDue = below.isTouched || object.modified !== entry.modified;
        await this.#setProperties(path, object, isDue ? entry.modified : undefined);
      });
    });
  }

  async #leaf(folder: Folder, entry: LocalEntry, there: TreeObject | undefined): Promise<void> {
    const { report, progress } = this.#world;
    const path = folder.prefix + entry.name;
    const counted = entry.kind === 'file';
    let bytes = counted ? entry.length : 0;
    await this.#listed(path, async () => {
      const step = await this.#step(folder, entry, there);
      if (typeof step === 'object') return report.refuse(path, step.refused);
      const isSame = step === 'same';
      const object = isSame && there !== undefined ? there : await this.#copy(folder, entry, there);
      if (!isSame) bytes = 0;
      const tally = isSame ? report.passedOver : report.copied;
      if (counted) {
        tally.files += 1;
        tally.bytes += entry.length;
      } else tally.links += 1;
      const isOther = object.modified !== entry.modified && (!isSame || this.#world.rules.replace);
      await this.#setProperties(path, object, isOther ? entry.modified : undefined);
    });
    if (counted) progress.fileDone(bytes);
  }

  async #step(
    { local }: Folder,
    entry: LocalEntry,
    there: TreeObject | undefined,
  ): Promise<Exclude<Step, 'compare'>> {
    const { rules, lanes } = this.#world;
    const step = stepOf(entry, there, rules);
    if (step === 'replace' && entry.kind === 'symlink') return { refused: otherLink };
    if (step !== 'compare') return step;
    const digest = await digestOfFile(join(local, entry.name), entry, () => lanes.check());
    return comparedStep(digest === there?.digest, rules);
  }

  async #copy(folder: Folder, entry: LocalEntry, there: TreeObject | undefined): Promise<TreeObject> {
    const { share, progress, lanes, waitForRoom } = this.#world;
    const { name, length, modified, target } = entry;
    await this.#mustBeUnlocked(folder, there);
    folder.isTouched = true;
    if (target !== null) return share.makeLink(folder.fid, name, target);
    const file = { parent: folder.fid, name, length, modified, replaces: there ?? null };
    for (;;) {
      const bytes = readUnchanged(join(folder.local, name), entry);
      try {
        return await share.put(
          file,
          progress.count(bytes, () => lanes.check()),
        );
      } catch (error) {
        if (!isFull(error) || !(await waitForRoom())) throw error;
      }
    }
  }

  /** What is replaced is looked at each, what is new once a folder: that holds up no tree of small files. */
  async #mustBeUnlocked(folder: Folder, there: TreeObject | undefined): Promise<void> {
    const ask = (): Promise<void> => this.#world.share.mustBeUnlocked(folder.path, folder.fid);
    if (there !== undefined) return ask();
    folder.unlocked ??= ask();
    await folder.unlocked;
  }

  /** Gives an object its properties, and its time where one is given. */
  async #setProperties(path: string, object: TreeObject, modified?: number): Promise<void> {
    const { share, rules, report, properties } = this.#world;
    const { set, differing } = propertyStep(object.properties, properties.get(path) ?? {}, rules);
    for (const name of differing) {
      report.refuse(path, `its property ${name} is there and differs; --replace puts this one in its place`);
    }
    const hasSome = Object.keys(set).length > 0;
    if (!hasSome && modified === undefined) return;
    await share.setAttributes(object.fid, {
      ...(hasSome && { properties: set }),
      ...(modified !== undefined && { modified }),
    });
  }

  /** What `work` comes to; undefined: it is in the report why not. */
  async #listed<T>(path: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      // Broken off: that is no word about this object.
      this.#world.lanes.check();
      this.#world.report.refuse(path.replace(/\/$/, '') || '.', reasonOf(error));
      return undefined;
    }
  }
}

/** Files and bytes below `folder`, counted as they will be copied. */
export async function countLocal(
  folder: string,
  check: () => void,
): Promise<{ files: number; bytes: number }> {
  const count = { files: 0, bytes: 0 };
  const folders = [folder];
  for (let next = folders.pop(); next !== undefined; next = folders.pop()) {
    check();
    const at = next;
    // What cannot be read is told when it is copied.
    const { entries } = await readFolder(at).catch(() => ({ entries: [] }));
    for (const { name, kind, length } of entries) {
      if (kind === 'directory') folders.push(join(at, name));
      if (kind !== 'file' || (at === folder && name === propertiesName)) continue;
      count.files += 1;
      count.bytes += length;
    }
  }
  return count;
}
