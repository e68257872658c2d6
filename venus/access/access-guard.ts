/**
 * What callers may do, decided from cached directories (vice/interface/access.ts).
 *
 * Lists are inherited as far as a volume goes, as in AFS and Coda: servers know theirs alone, and a volume can be
 * mounted elsewhere without anybody's rights in it changing. Who comes to it by names needs `l` on the way, as
 * everywhere.
 */
import {
  decidingIn,
  denied,
  Failure,
  governedIn,
  identityOf,
  limits,
  listsIn,
  right,
  rightsIn,
  RightsCheck,
  rightsText,
  type Fid,
  type Groups,
  type Identity,
  type Mutation,
  type Rights,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { fileOf } from '../conflict/sibling.js';
import type { Access, Caller } from '../interface.js';
import type { Fetcher } from '../volume/fetch.js';

const attemptsMost = 4;

export interface AccessGuardWorld {
  readonly cache: ObjectCache;
  readonly fetcher: Fetcher;
  /** Of the realm as it is now. */
  readonly groups: () => Groups | undefined;
}

export class AccessGuard {
  readonly #world: AccessGuardWorld;

  constructor(world: AccessGuardWorld) {
    this.#world = world;
  }

  /** What `caller` may do in `directory`. @throws Failure not-found, unreachable (a directory above it), busy */
  async rightsIn({ user }: Caller, directory: Fid): Promise<Rights> {
    for (let attempt = 0; attempt < attemptsMost; attempt += 1) {
      await this.prepare(directory);
      const rights = rightsIn(this.#look, directory, this.#identify(user));
      // What was removed in just that moment has no rights that could be told, which is not to have none.
      if (rights !== undefined) return rights;
    }
    const message = 'the folders above it change all the time; try again';
    throw new Failure('busy', 'venus.access', message, { fid: directory });
  }

  /** @throws Failure access-denied; as rightsIn */
  async require(caller: Caller, directory: Fid, needed: Rights): Promise<void> {
    const missing = needed & ~(await this.rightsIn(caller, directory));
    if (missing !== 0) throw denied(caller.user, missing, directory);
  }

  /** Whether `user` may, as far as it is known without asking. */
  allows(user: string, directory: Fid, needed: Rights): boolean {
    const rights = rightsIn(this.#look, directory, this.#identify(user)) ?? 0;
    return (needed & ~rights) === 0;
  }

  /** Whether `caller` may see that `object` is there, and what it is: what its directory's list says. */
  mayLookAt(caller: Caller, object: Pick<VnodeStatus, 'fid' | 'parent'>): Promise<void> {
    // The root of the share, or of a volume, everybody sees who may log in; what is in it he may not.
    return object.parent === null ? Promise.resolve() : this.require(caller, object.parent, right.lookup);
  }

  /** Whether `caller` may read the contents of a file. */
  mayRead(caller: Caller, { fid, parent }: Pick<VnodeStatus, 'fid' | 'parent'>): Promise<void> {
    return this.require(caller, parent ?? fid, right.read);
  }

  /** What `caller` may do with an object, whose directories are known, and which lists say so. */
  async access(caller: Caller, object: VnodeStatus): Promise<Access> {
    const directory = governedIn(object);
    const rights = await this.rightsIn(caller, directory);
    return { rights: rightsText(rights), lists: listsIn(this.#look, directory) };
  }

  /** Has the directories above `fid`, and itself, valid in the cache; undefined: they are. */
  prepare(fid: Fid): Promise<void> | undefined {
    return this.#areKnown(fileOf(fid)) ? undefined : this.#fetchUp(fileOf(fid));
  }

  /** For the records of one entry of the log: all directories above are cached. @throws Failure access-denied, stale */
  check(records: readonly Mutation[]): void {
    const { cache } = this.#world;
    const rights = new RightsCheck((fid) => cache.status(fid), this.#identify);
    for (const record of records) rights.check(record);
  }

  /** The directories whose lists decide over the objects `fids`: servers must know these, too, to judge. */
  deciding(fids: readonly Fid[]): readonly Fid[] {
    return fids.flatMap((fid) => decidingIn(this.#look, fid)).filter((fid) => !fids.includes(fid));
  }

  readonly #look = (fid: Fid): VnodeStatus | undefined => this.#world.cache.status(fid);

  readonly #identify = (user: string): Identity => identityOf(user, this.#world.groups());

  #areKnown(fid: Fid): boolean {
    const { cache, fetcher } = this.#world;
    let at: Fid | null = fid;
    for (let depth = 0; at !== null; depth += 1) {
      if (depth > limits.depth || !fetcher.isFresh(at)) return false;
      at = cache.status(at)?.parent ?? null;
    }
    return true;
  }

  /**
   * Not for ever: of two directories that were moved into each other, one here and one at the servers, each is above
   * the other as they are known here, until servers have both moves and break the circle. @throws Failure busy
   */
  async #fetchUp(fid: Fid): Promise<void> {
    let at: Fid | null = fid;
    for (let depth = 0; at !== null; depth += 1) {
      if (depth > limits.depth) {
        const message = 'a directory above it has just been moved into one below it; try again';
        throw new Failure('busy', 'venus.access', message, { fid });
      }
      at = (await this.#world.fetcher.fresh(at)).status.parent;
    }
  }
}
