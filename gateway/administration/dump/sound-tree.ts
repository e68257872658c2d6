/**
 * Whether the objects of a state are one tree, before anything is made of it: a restore that finds out in the middle
 * leaves half a volume. In memory there are the Fids of directories, and of those that objects are in.
 *
 * TR-1  Each object is in a directory that is there, and no directory is its own ancestor (I6). The root is always
 *       there: where nobody has touched it no state speaks of it.
 */
import { rootFid, type Fid, type VnodeStatus, type VolumeId } from '../../../vice/interface/index.js';

export class SoundTree {
  /** Directories, and what they are in; the root, in nothing. */
  readonly #parents: Map<Fid, Fid | null>;
  /** What objects are in, and one of them. */
  readonly #needed = new Map<Fid, Fid>();

  constructor(volume: VolumeId) {
    this.#parents = new Map([[rootFid(volume), null]]);
  }

  add({ fid, kind, parent }: Pick<VnodeStatus, 'fid' | 'kind' | 'parent'>): void {
    if (kind === 'directory') this.#parents.set(fid, parent);
    if (parent !== null && !this.#needed.has(parent)) this.#needed.set(parent, fid);
  }

  /** Why all that was added is no tree; undefined: it is one. */
  fault(): string | undefined {
    for (const [directory, object] of this.#needed) {
      if (!this.#parents.has(directory)) return `${object} is in ${directory}, which is no directory in it`;
    }
    return this.#circle();
  }

  #circle(): string | undefined {
    const hanging = new Set<Fid>();
    for (const directory of this.#parents.keys()) {
      const way = new Set<Fid>();
      for (let at: Fid | null | undefined = directory; at != null && !hanging.has(at);) {
        if (way.has(at)) return `directory ${at} is in itself`;
        way.add(at);
        at = this.#parents.get(at);
      }
      for (const each of way) hanging.add(each);
    }
    return undefined;
  }
}
