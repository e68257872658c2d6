/**
 * Which rights a record needs, and where. Pure; Venus asks it before it logs a change, and every server again for every
 * record, so that a gateway which lies gets nothing that the author may not do.
 */
import { decidingIn, governedIn, right, rightsIn, rightsText, type Identity, type LookUp } from './access.js';
import type { Rights } from './access-list.js';
import { Failure } from './failure.js';
import type { Fid } from './fid.js';
import { fidsOf, isCreation, type Mutation } from './mutation.js';
import { isWithin } from './store-id.js';
import type { VnodeStatus } from './vnode.js';

interface Need {
  readonly directory: Fid;
  readonly rights: Rights;
}

/** One entry of a log, or one batch of a server: who may make a file may also fill it. */
export class RightsCheck {
  readonly #look: (fid: Fid) => VnodeStatus | undefined;
  readonly #identify: (user: string) => Identity;
  /** Objects that were made on the way, and where. */
  readonly #made = new Map<Fid, Fid>();

  constructor(look: (fid: Fid) => VnodeStatus | undefined, identify: (user: string) => Identity) {
    this.#look = look;
    this.#identify = identify;
  }

  /** To be told of each record in order, also of one that needs no check. */
  passed(record: Mutation): void {
    if (isCreation(record)) this.#made.set(record.fid, record.parent);
  }

  /**
   * @throws Failure access-denied; stale when a right is missing, but lists that the author has seen are not here
   */
  check(record: Mutation): void {
    const identity = this.#identify(record.author);
    for (const { directory, rights } of this.#needs(record)) {
      const granted = rightsIn(this.#lookUp, directory, identity);
      if (granted === undefined) {
        throw new Failure('stale', 'access', 'not all directories above it are known here', {
          fid: record.fid,
        });
      }
      const missing = rights & ~granted;
      if (missing === 0) continue;
      if (!this.#knowsListsOf(record)) {
        throw new Failure('stale', 'access', 'access lists that the author has seen are not here yet', {
          fid: record.fid,
        });
      }
      throw denied(record.author, missing, directory);
    }
    this.passed(record);
  }

  /** What is made in this entry inherits. */
  readonly #lookUp: LookUp = (fid) => {
    const parent = this.#made.get(fid);
    return this.#look(fid) ?? (parent === undefined ? undefined : { fid, kind: 'directory', parent });
  };

  #needs(record: Mutation): readonly Need[] {
    switch (record.op) {
      case 'create':
      case 'mkdir':
      case 'symlink':
        return [{ directory: record.parent, rights: right.insert }];
      case 'remove':
      case 'rmdir':
        return [{ directory: record.parent, rights: right.delete }];
      case 'rename':
        return this.#needsOfRename(record.fromParent, record.toParent);
      case 'store':
      case 'utimes':
      case 'chmod':
      case 'setprops':
        return [
          this.#needOf(record.fid, this.#isOwnNew(record.fid, record.author) ? right.insert : right.write),
        ];
      case 'repair':
        return this.#needsOfRepair(record.fid, record.accept !== null, record.accept?.parent);
      case 'chown':
      case 'setacl':
        return [this.#needOf(record.fid, right.administer)];
    }
  }

  /** Of a directory its own list, of others that of the directory where they are. */
  #needOf(fid: Fid, rights: Rights): Need {
    const status = this.#look(fid);
    // What is made in this entry inherits, be it a file or a directory.
    return { directory: status === undefined ? (this.#made.get(fid) ?? fid) : governedIn(status), rights };
  }

  /** Other lists hold where it goes: as it could be copied there, so it must be readable. */
  #needsOfRename(from: Fid, to: Fid): readonly Need[] {
    const isSame =
      from === to || String(decidingIn(this.#lookUp, from)) === String(decidingIn(this.#lookUp, to));
    return [
      { directory: from, rights: right.delete | (isSame ? 0 : right.read) },
      { directory: to, rights: right.insert },
    ];
  }

  #needsOfRepair(fid: Fid, isAccepted: boolean, parent: Fid | undefined): readonly Need[] {
    const here = this.#needOf(fid, right.write | (isAccepted ? right.insert | right.delete : 0));
    return parent === undefined ? [here] : [here, { directory: parent, rights: right.insert }];
  }

  /** A file that its author has just made: where he may put something but change nothing, he may fill it once. */
  #isOwnNew(fid: Fid, author: string): boolean {
    const status = this.#look(fid);
    if (status === undefined || this.#made.has(fid)) return this.#made.has(fid);
    return status.owner === author && status.data?.length === 0 && status.siblings.length === 0;
  }

  #knowsListsOf(record: Mutation): boolean {
    const touched = new Set(fidsOf(record));
    return (Object.keys(record.base) as Fid[]).every((fid) => {
      return touched.has(fid) || isWithin(record.base[fid] ?? {}, this.#look(fid)?.known ?? {});
    });
  }
}

export function denied(user: string, missing: Rights, directory: Fid): Failure {
  const words = `${user} lacks ${missing === (missing & -missing) ? 'the right' : 'the rights'}`;
  return new Failure('access-denied', 'access', `${words} ${rightsText(missing)} in this directory`, {
    fid: directory,
  });
}
