/**
 * Where the directories of an archive are in the share.
 *
 * RS-1  A directory that the archive made is made once, at the place that it ended at; one of that name that the
 *       archive does not move away serves as well.
 * RS-2  A directory that was there before is found by its Fid; where that is unknown (another realm, or gone), by its
 *       path, whose missing directories are made.
 */
import { Failure, isFailure, type Fid } from '../../vice/interface/index.js';
import type { Caller, ObjectStatus } from '../interface.js';
import { besideName } from './beside-name.js';
import { namesOf } from './format.js';
import type { RestoreOutcome } from './restore-outcome.js';
import type { Made, RestorePlan } from './restore-plan.js';
import type { RestoreTarget } from './restore-target.js';

/** Directories whose names are kept in memory. */
const listingsMost = 32;
/** Names beside a taken one that are tried. */
export const besideMost = 100;

interface Bound {
  readonly name: string;
  readonly fid: Fid;
}

export class RestorePlaces {
  /** Objects of the archive -> those in the share. */
  readonly at = new Map<Fid, Fid>();
  /** Objects of the archive that this restoration has made. */
  readonly fresh = new Set<Fid>();
  readonly #target: RestoreTarget;
  readonly #plan: RestorePlan;
  readonly #isSameRealm: boolean;
  readonly #outcome: RestoreOutcome;
  /** Directories that had to be made beside their places. */
  readonly #displaced: { readonly made: Made; readonly parent: Fid; readonly name: string }[] = [];
  readonly #listings = new Map<Fid, Map<string, Bound>>();

  constructor(target: RestoreTarget, plan: RestorePlan, isSameRealm: boolean, outcome: RestoreOutcome) {
    this.#target = target;
    this.#plan = plan;
    this.#isSameRealm = isSameRealm;
    this.#outcome = outcome;
  }

  /** The object of the archive itself, or what stands for it; undefined: it is not in the share. */
  async find(caller: Caller, fid: Fid): Promise<ObjectStatus | undefined> {
    const at = this.at.get(fid) ?? (this.#isSameRealm ? fid : undefined);
    return at === undefined ? undefined : this.#status(caller, at);
  }

  /** A directory of the archive; undefined: there is none in the share. Makes nothing. */
  async known(caller: Caller, fid: Fid): Promise<Fid | undefined> {
    const found = await this.find(caller, fid);
    if (found?.kind === 'directory') return found.fid;
    if (this.#plan.made.has(fid)) return undefined;
    const object = await this.objectAtPath(caller, fid);
    return object?.kind === 'directory' ? object.fid : undefined;
  }

  /** What is now where an object of the archive was. */
  async objectAtPath(caller: Caller, fid: Fid): Promise<ObjectStatus | undefined> {
    const names = this.#namesOf(fid);
    if (names === undefined) return undefined;
    return (await absentAsUndefined(this.#target.lookup(caller, names)))?.object ?? undefined;
  }

  /** A directory of the archive, made where it is missing; the root where nothing is known of it. */
  async directory(caller: Caller, fid: Fid): Promise<Fid> {
    const known = await this.known(caller, fid);
    if (known !== undefined) return known;
    const made = this.#plan.made.get(fid);
    if (made !== undefined) return this.make(made);
    return this.folder(caller, this.#namesOf(fid) ?? []);
  }

  /** The directory at `names`, made where it is missing. */
  async folder(caller: Caller, names: readonly string[]): Promise<Fid> {
    const place = await absentAsUndefined(this.#target.lookup(caller, names));
    if (place?.object?.kind === 'directory') return place.object.fid;
    const name = names.at(-1);
    if (name === undefined) throw new Error('the root is a directory');
    const parent = await this.folder(caller, names.slice(0, -1));
    return (await this.#makeIn(caller, parent, name)).fid;
  }

  /** Whether the place of a directory is taken by something that the archive moves away later. */
  async mustWait(made: Made): Promise<boolean> {
    const caller = { user: made.author };
    if ((await this.find(caller, made.fid)) !== undefined) return false;
    const found = await this.entry(caller, await this.directory(caller, made.parent), made.name);
    return found !== undefined && this.#isLeaving(found);
  }

  /** Makes a directory of the archive (RS-1). */
  async make(made: Made): Promise<Fid> {
    const caller = { user: made.author };
    const existing = await this.find(caller, made.fid);
    if (existing?.kind === 'directory') return existing.fid;
    const parent = await this.directory(caller, made.parent);
    const found = await this.entry(caller, parent, made.name);
    if (found?.kind === 'directory' && !this.#isLeaving(found)) {
      this.at.set(made.fid, found.fid);
      return found.fid;
    }
    const isFolder = ({ kind }: ObjectStatus): boolean => kind === 'directory';
    const free = { name: made.name, found: undefined };
    const place = found === undefined ? free : await this.beside(caller, parent, made, isFolder);
    const status = place.found ?? (await this.#makeIn(caller, parent, place.name));
    if (place.found === undefined) {
      this.#outcome.done(made);
      this.fresh.add(made.fid);
    }
    this.at.set(made.fid, status.fid);
    if (place.name !== made.name) this.#displaced.push({ made, parent, name: place.name });
    return status.fid;
  }

  /** After the last step: directories whose places have become free get their names. */
  async settle(): Promise<void> {
    for (const { made, parent, name } of this.#displaced) {
      const caller = { user: made.author };
      const found = await this.entry(caller, parent, made.name);
      const isFree = found === undefined && (await this.#renamed(caller, parent, name, made.name));
      if (!isFree)
        this.#outcome.note(made, `${JSON.stringify(made.name)} was taken, its folder is "${name}"`);
    }
  }

  /** What bears `name` in a directory of the share. */
  async entry(caller: Caller, directory: Fid, name: string): Promise<ObjectStatus | undefined> {
    const bound = (await this.#listing(caller, directory)).get(name.normalize('NFC'));
    if (bound === undefined) return undefined;
    const status = await this.#status(caller, bound.fid);
    if (status === undefined) this.unbind(directory, name);
    return status;
  }

  /** The first name beside a taken one that is free, or is borne by what serves as well. */
  async beside(
    caller: Caller,
    parent: Fid,
    made: Pick<Made, 'name' | 'author' | 'time'>,
    serves: (status: ObjectStatus) => boolean,
  ): Promise<{ readonly name: string; readonly found: ObjectStatus | undefined }> {
    for (let attempt = 1; attempt <= besideMost; attempt += 1) {
      const name = besideName(made.name, made.author, made.time, attempt);
      const found = await this.entry(caller, parent, name);
      if (found === undefined || serves(found)) return { name, found };
    }
    throw new Failure('exists', 'venus.restore', `there are ${besideMost} others beside it already`);
  }

  bind(directory: Fid, name: string, fid: Fid): void {
    this.#listings.get(directory)?.set(name.normalize('NFC'), { name, fid });
  }

  unbind(directory: Fid, name: string): void {
    this.#listings.get(directory)?.delete(name.normalize('NFC'));
  }

  /** Somebody else has changed the directory: it is read again. */
  forget(directory: Fid): void {
    this.#listings.delete(directory);
  }

  /** Whether the archive moves it away, or removes it. */
  #isLeaving({ fid }: ObjectStatus): boolean {
    return this.#isSameRealm && this.#plan.leaving.has(fid);
  }

  async #renamed(caller: Caller, parent: Fid, from: string, to: string): Promise<boolean> {
    try {
      await this.#target.rename(caller, { parent, name: from }, { parent, name: to }, { replace: false });
      return true;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return false;
    } finally {
      this.forget(parent);
    }
  }

  #namesOf(fid: Fid): readonly string[] | undefined {
    const path = this.#plan.paths.get(fid);
    return path === undefined ? undefined : namesOf(path);
  }

  async #makeIn(caller: Caller, parent: Fid, name: string): Promise<ObjectStatus> {
    try {
      const status = await this.#target.makeDirectory(caller, parent, name);
      this.bind(parent, name, status.fid);
      return status;
    } catch (error) {
      this.forget(parent);
      const found = isFailure(error, 'exists') ? await this.entry(caller, parent, name) : undefined;
      if (found?.kind === 'directory') return found;
      throw error;
    }
  }

  #status(caller: Caller, fid: Fid): Promise<ObjectStatus | undefined> {
    return absentAsUndefined(this.#target.status(caller, fid));
  }

  async #listing(caller: Caller, directory: Fid): Promise<Map<string, Bound>> {
    const known = this.#listings.get(directory);
    this.#listings.delete(directory);
    const names = known ?? new Map<string, Bound>();
    if (known === undefined) {
      for await (const batch of this.#target.list(caller, directory)) {
        for (const { name, status } of batch) names.set(name.normalize('NFC'), { name, fid: status.fid });
      }
    }
    // The one that was used last stands last.
    this.#listings.set(directory, names);
    const [oldest] = this.#listings.keys();
    if (this.#listings.size > listingsMost && oldest !== undefined) this.#listings.delete(oldest);
    return names;
  }
}

/** Undefined where there is nothing; other failures go on. */
async function absentAsUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isFailure(error, 'not-found', 'not-directory')) return undefined;
    throw error;
  }
}
