/** What one user is shown at a gateway, and what he gives up with a change of it. */
import { isFailure, type Fid, type StoreId } from '../../../vice/interface/index.js';
import type { Caller, Entry, ObjectStatus, Venus } from '../../../venus/interface.js';
import { contentsOf } from '../share.js';
import type { Attempt } from './attempt.js';
import type { Ledger } from './ledger.js';

export interface SightWorld {
  readonly venus: Venus;
  readonly ledger: Ledger;
}

export class Sight {
  readonly #caller: Caller;
  readonly #world: SightWorld;

  constructor(caller: Caller, world: SightWorld) {
    this.#caller = caller;
    this.#world = world;
  }

  async objectsIn(object: ObjectStatus, above: ReadonlySet<Fid> = new Set()): Promise<readonly Fid[]> {
    if (object.kind !== 'directory' || above.has(object.fid)) return [object.fid];
    const found: Fid[] = [object.fid];
    const here = new Set([...above, object.fid]);
    for (const { status } of await this.entries(object.fid))
      found.push(...(await this.objectsIn(status, here)));
    return found;
  }

  /** Before the change: what its author is shown may go with it. */
  async giveUp(object: ObjectStatus, attempt: Attempt, above: ReadonlySet<Fid> = new Set()): Promise<void> {
    if (object.kind === 'file') return this.giveUpText(object.version, object.fid, attempt);
    // For a moment a folder may be seen in itself: moved there here, and the other one into it elsewhere.
    if (object.kind !== 'directory' || above.has(object.fid)) return;
    attempt.removes.add(object.fid);
    for (const { status } of await this.entries(object.fid)) {
      attempt.removes.add(fileOf(status.fid));
      await this.giveUp(status, attempt, new Set([...above, object.fid]));
    }
  }

  async giveUpText(version: StoreId | null, fid: Fid, attempt: Attempt): Promise<void> {
    const known = version === null ? undefined : this.#world.ledger.texts.get(version);
    // One can be shown before its author is told that it is there, and be gone again when it is read.
    if (version !== null && known === undefined) {
      attempt.givesUpVersions.add(version);
      for (const text of this.#world.ledger.textsOver(fileOf(fid))) attempt.givesUp.add(text);
    }
    const text = known ?? (await this.#readable(fid));
    if (text !== undefined) attempt.givesUp.add(text);
  }

  async entries(directory: Fid): Promise<readonly Entry[]> {
    const entries: Entry[] = [];
    for await (const batch of this.#world.venus.list(this.#caller, directory)) entries.push(...batch);
    for (const { status } of entries) this.#world.ledger.put(fileOf(status.fid), directory);
    return entries;
  }

  /** Whether the gateway shows what is in `directory`, for which it may have to look. */
  async hasNames(directory: Fid): Promise<boolean> {
    try {
      await this.entries(directory);
      return true;
    } catch (error) {
      if (isFailure(error)) return false;
      throw error;
    }
  }

  async #readable(fid: Fid): Promise<string | undefined> {
    try {
      return await this.read(fid);
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }

  async read(fid: Fid, attempt?: Attempt): Promise<string> {
    const file = await this.#world.venus.open(this.#caller, fid);
    if (attempt !== undefined) attempt.seen = { fid, version: file.status.version };
    return contentsOf(file);
  }
}

/** A version of a file in conflict is named by the file's Fid, '@', and its StoreId. */
export function fileOf(fid: Fid): Fid {
  return (fid.split('@')[0] ?? fid) as Fid;
}
