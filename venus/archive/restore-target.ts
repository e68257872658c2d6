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
  | 'setModified'
  | 'setAccess';

/** The share that an archive is restored into. */
export interface RestoreTarget extends Pick<Venus, Operations> {
  readonly realm: string;
  /** All updates that an object has incorporated, as far as they can be asked; null: nothing is known of it. */
  known(fid: Fid): Promise<StoreIdVector | null>;
  /** Lets others go on; awaited now and then. */
  pause(): Promise<void>;
}
