/**
 * An exported tree as a folder of this machine.
 *
 * FS-1  A file has its name when it is whole, flushed, and has its time; a file that is there is never half replaced.
 * FS-2  Nothing is written outside the folder: no link is followed, neither on the way to a name nor at it.
 */
import { randomBytes } from 'node:crypto';
import { lutimes, mkdir, open, readdir, realpath, rename, rm, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, OperatorError, systemCode } from '../../config/operator-error.js';
import { giveName } from '../archive-file.js';
import type { TreeObject } from '../../realm/tree-object.js';
import { comparedStep, stepOf, type CopyRules, type Step } from './comparison.js';
import type { Placed, TreeSink } from './export-run.js';
import { digestOfFile, entryOf } from './local-tree.js';
import { PropertyWriter } from './property-file.js';
import { TreeRefusal } from './share-tree.js';
import { localForm, localNameFault, partPattern, propertiesName } from './tree-name.js';

export class FolderSink implements TreeSink {
  readonly lanes = 4;
  readonly #root: string;
  readonly #isNew: boolean;
  readonly #rules: CopyRules;
  readonly #check: () => void;
  /** By folder: names that are given, in the form in which they must differ here. */
  readonly #given = new Map<string, Set<string>>();
  readonly #properties: PropertyWriter;

  private constructor(root: string, isNew: boolean, rules: CopyRules, check: () => void) {
    this.#root = root;
    this.#isNew = isNew;
    this.#rules = rules;
    this.#check = check;
    this.#properties = new PropertyWriter(partIn(root));
  }

  /** Makes the folder if it is missing. `check` may stop long comparisons. @throws OperatorError usage */
  static async open(folder: string, rules: CopyRules, check: () => void): Promise<FolderSink> {
    try {
      const made = await mkdir(folder, { recursive: true });
      return new FolderSink(await realpath(folder), made !== undefined, rules, check);
    } catch (cause) {
      const isFile = systemCode(cause) === 'EEXIST' || systemCode(cause) === 'ENOTDIR';
      const why = isFile ? 'is no folder' : `cannot be made: ${messageOf(cause)}`;
      throw new OperatorError('usage', `${folder} ${why}. Give a folder, or a name that ends in .tar.`, {
        cause,
      });
    }
  }

  async folder(path: readonly string[], object: TreeObject, names: ReadonlySet<string>): Promise<Placed> {
    await this.#properties.add(path.join('/'), object.properties);
    this.#given.set(path.join('/'), new Set());
    if (path.length === 0) {
      await this.#clear(this.#root, names);
      return this.#isNew ? 'copied' : 'same';
    }
    const place = this.#place(path);
    const step = stepOf(object, await entryOf(place, ''), this.#rules);
    if (typeof step === 'object') throw new TreeRefusal('exists', step.refused);
    if (step === 'make') await mkdir(place);
    // It may have become a link since; whatever is written below goes where this says.
    if ((await realpath(place)) !== place) throw new TreeRefusal('exists', 'a link stands in the way');
    if (step === 'same') await this.#clear(place, names);
    return step === 'make' ? 'copied' : 'same';
  }

  async file(path: readonly string[], object: TreeObject, bytes: AsyncIterable<Uint8Array>): Promise<Placed> {
    const place = this.#place(path);
    const step = await this.#step(place, object);
    if (typeof step === 'object') throw new TreeRefusal('exists', step.refused);
    await this.#properties.add(path.join('/'), object.properties);
    if (step === 'same') {
      if (this.#rules.replace) await setTime(place, object.modified);
      return 'same';
    }
    await this.#placed(place, step, async (part) => {
      const handle = await open(part, 'wx');
      try {
        for await (const chunk of bytes) {
          for (let at = 0; at < chunk.length;) at += (await handle.write(chunk, at)).bytesWritten;
        }
        await handle.utimes(timeOf(object), timeOf(object));
        await handle.sync();
      } finally {
        await handle.close();
      }
    });
    return 'copied';
  }

  async link(path: readonly string[], object: TreeObject): Promise<Placed> {
    const place = this.#place(path);
    const step = await this.#step(place, object);
    if (typeof step === 'object') throw new TreeRefusal('exists', step.refused);
    await this.#properties.add(path.join('/'), object.properties);
    if (step === 'same') return 'same';
    await this.#placed(place, step, async (part) => {
      await symlink(object.target ?? '', part);
      await lutimes(part, timeOf(object), timeOf(object));
    });
    return 'copied';
  }

  async leave(path: readonly string[], object: TreeObject): Promise<void> {
    this.#given.delete(path.join('/'));
    const place = join(this.#root, ...path);
    await flushFolder(place);
    // A folder that was there and is only filled keeps its own time.
    if (path.length > 0 || this.#isNew) await setTime(place, object.modified);
  }

  async end(): Promise<void> {
    const now = await entryOf(this.#root, '');
    const place = join(this.#root, propertiesName);
    // Only what an export has written there is replaced.
    const there = (await entryOf(place, ''))?.kind ?? 'file';
    if (there !== 'file') throw new OperatorError('refused', `${place} stands in the way; move it away.`);
    await this.#properties.end(place);
    if (now !== undefined) await setTime(this.#root, now.modified);
    await flushFolder(this.#root);
  }

  abort(): Promise<void> {
    // Each file that is not whole has been given up where it was written.
    return this.#properties.abort();
  }

  async #step(place: string, object: TreeObject): Promise<Exclude<Step, 'compare'>> {
    const there = await entryOf(place, '');
    const step = stepOf(object, there, this.#rules);
    if (step !== 'compare' || there === undefined) return step === 'compare' ? 'make' : step;
    const digest = await digestOfFile(place, there, this.#check);
    return comparedStep(digest === object.digest, this.#rules);
  }

  /** `write` makes a file of another name beside `place`, which then gets that name. */
  async #placed(
    place: string,
    step: 'make' | 'replace',
    write: (part: string) => Promise<void>,
  ): Promise<void> {
    const part = partIn(join(place, '..'));
    try {
      await write(part);
      // Something that came meanwhile is not replaced unseen.
      if (step === 'replace') await rename(part, place);
      else await giveName(part, place, false).catch(taken);
    } finally {
      await rm(part, { force: true });
    }
  }

  /** @throws TreeRefusal: this system cannot take the name */
  #place(path: readonly string[]): string {
    const name = path.at(-1) ?? '';
    const fault = localNameFault(name, path.length === 1, process.platform);
    if (fault !== undefined) throw new TreeRefusal('invalid', fault);
    const given = this.#given.get(path.slice(0, -1).join('/'));
    const form = localForm(name, process.platform);
    // Once for each attempt at one file.
    const own = `${form}\n${name}`;
    if (given?.has(form) === true && !given.has(own)) {
      throw new TreeRefusal('invalid', 'another name here is the same to this system');
    }
    given?.add(form).add(own);
    return join(this.#root, ...path);
  }

  /** Takes away what an export that was killed has left in a folder. */
  async #clear(place: string, names: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(place)) {
      if (partPattern.test(name) && !names.has(name)) await rm(join(place, name), { force: true });
    }
  }
}

function partIn(folder: string): string {
  return join(folder, `.coda-export-${randomBytes(6).toString('hex')}.part`);
}

/** Of `giveName`: that is about one name here, and its advice about an archive. */
function taken(error: unknown): never {
  if (!(error instanceof OperatorError)) throw error;
  const message = 'something of this name came meanwhile; run the command again';
  throw new TreeRefusal('exists', message);
}

async function setTime(place: string, modified: number): Promise<void> {
  await utimes(place, timeOf({ modified }), timeOf({ modified }));
}

/** Not a number: Node takes those before 1970 for now. */
function timeOf({ modified }: { readonly modified: number }): Date {
  return new Date(modified);
}

async function flushFolder(place: string): Promise<void> {
  // Windows cannot open folders; NTFS journals the rename itself.
  if (process.platform === 'win32') return;
  const handle = await open(place, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
