/** What a restoration needs of the share: the operations that users have, and a little of what Venus knows. */
import type { Fid, StoreIdVector } from '../../vice/interface/index.js';
import type { Venus } from '../interface.js';

type Operations =
  | 'lookup'
  | 'status'
  | 'list'
  | 'open'
  | 'write'
  | 'makeDirectory'
  | 'makeSymlink'
  | 'rename'
  | 'remove'
  | 'setProperties'
  | 'setMode'
  | 'setModified';

/** The share that an archive is restored into. */
export interface RestoreTarget extends Pick<Venus, Operations> {
  readonly realm: string;
  /** All updates that an object has incorporated, as far as they can be asked; null: nothing is known of it. */
  known(fid: Fid): Promise<StoreIdVector | null>;
  /** Lets others go on; awaited now and then. */
  pause(): Promise<void>;
}

/** `venus` as the target of a restoration. */
export function targetOf(
  venus: Pick<Venus, Operations>,
  rest: Pick<RestoreTarget, 'realm' | 'known' | 'pause'>,
): RestoreTarget {
  return {
    ...rest,
    lookup: (...args) => venus.lookup(...args),
    status: (...args) => venus.status(...args),
    list: (...args) => venus.list(...args),
    open: (...args) => venus.open(...args),
    write: (...args) => venus.write(...args),
    makeDirectory: (...args) => venus.makeDirectory(...args),
    makeSymlink: (...args) => venus.makeSymlink(...args),
    rename: (...args) => venus.rename(...args),
    remove: (...args) => venus.remove(...args),
    setProperties: (...args) => venus.setProperties(...args),
    setMode: (...args) => venus.setMode(...args),
    setModified: (...args) => venus.setModified(...args),
  };
}
