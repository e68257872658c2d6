/**
 * Where the directories of an archive are in the share.
 *
 * RS-1  A directory that the archive made is made once, at the place that it ended at; one of that name that the
 *       archive does not move away serves as well.
 * RS-2  A directory that was there before is found by its Fid; where that is unknown (another realm, or gone), by its
 *       path, whose missing directories are made.
 */
import { isFailure, type Fid } from '../../vice/interface/index.js';
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
    return found !== undefined && this.#plan.leaving.has(found.fid);
  }

  /** Makes a directory of the archive (RS-1). */
  async make(made: Made): Promise<Fid> {
    const caller = { user: made.author };
    const existing = await this.find(caller, made.fid);
    if (existing?.kind === 'directory') return existing.fid;
    const parent = await this.directory(caller, made.parent);
    const found = await this.entry(caller, parent, made.name);
    if (found?.kind === 'directory' && !this.#plan.leaving.has(found.fid)) {
      this.at.set(made.fid, found.fid);
      return found.fid;
    }
    const name = found === undefined ? made.name : await this.freeName(caller, parent, made);
    const status = await this.#makeIn(caller, parent, name);
    this.#outcome.done(made);
    this.at.set(made.fid, status.fid);
    this.fresh.add(made.fid);
    if (name !== made.name) this.#displaced.push({ made, parent, name });
    return status.fid;
  }

  /** After the last step: directories whose places have become free get their names. @throws Failure */
  async settle(): Promise<void> {
    for (const { made, parent, name } of this.#displaced) {
      const caller = { user: made.author };
      if ((await this.entry(caller, parent, made.name)) !== undefined) {
        this.#outcome.note(made, `${JSON.stringify(made.name)} was taken, its folder is "${name}"`);
        continue;
      }
      await this.#target.rename(caller, { parent, name }, { parent, name: made.name }, { replace: false });
      this.unbind(parent, name);
      this.forget(parent);
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

  /** The first name beside a taken one that is free, or a folder. */
  async freeName(caller: Caller, parent: Fid, made: Made): Promise<string> {
    for (let attempt = 1; attempt <= besideMost; attempt += 1) {
      const name = besideName(made.name, made.author, made.time, attempt);
      if ((await this.entry(caller, parent, name)) === undefined) return name;
    }
    return made.name;
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
