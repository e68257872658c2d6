/** Who may do what in a MemoryVenus: the rules of vice/interface, asked as Venus asks them. */
import {
  denied,
  governedIn,
  identityOf,
  listsIn,
  right,
  rightsIn,
  RightsCheck,
  rightsText,
  type Fid,
  type Groups,
  type Mutation,
  type Rights,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { Access, Caller } from '../interface.js';
import type { MemoryTree } from './memory-tree.js';

export class MemoryAccess {
  readonly #tree: MemoryTree;
  readonly #groups: Groups;

  constructor(tree: MemoryTree, groups: Groups) {
    this.#tree = tree;
    this.#groups = groups;
  }

  /** @throws Failure access-denied */
  require({ user }: Caller, directory: Fid, needed: Rights): void {
    const missing = needed & ~this.#rightsIn(user, directory);
    if (missing !== 0) throw denied(user, missing, directory);
  }

  mayLookAt(caller: Caller, { parent }: VnodeStatus): void {
    if (parent !== null) this.require(caller, parent, right.lookup);
  }

  mayRead(caller: Caller, { fid, parent }: VnodeStatus): void {
    this.require(caller, parent ?? fid, right.read);
  }

  /** For changes one after the other; of each record that `check` lets pass the next one may build on it. */
  checking(): (record: Mutation) => void {
    const rights = new RightsCheck(this.#look, (user) => identityOf(user, this.#groups));
    return (record) => rights.check(record);
  }

  access({ user }: Caller, object: VnodeStatus): Access {
    const directory = governedIn(object);
    return { rights: rightsText(this.#rightsIn(user, directory)), lists: listsIn(this.#look, directory) };
  }

  #rightsIn(user: string, directory: Fid): Rights {
    return rightsIn(this.#look, directory, identityOf(user, this.#groups)) ?? 0;
  }

  readonly #look = (fid: Fid): VnodeStatus | undefined => this.#tree.status(fid);
}
