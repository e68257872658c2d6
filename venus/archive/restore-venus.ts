/** The restoration's view of a Venus. */
import type { RestoreTarget } from './restore-target.js';

type Asked = Pick<RestoreTarget, 'realm' | 'known' | 'pause'>;

/** `venus`, with what only its inside knows. */
export function restoreTargetOf(venus: Omit<RestoreTarget, keyof Asked>, asked: Asked): RestoreTarget {
  return {
    ...asked,
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
    setAccess: (...args) => venus.setAccess(...args),
    setModified: (...args) => venus.setModified(...args),
  };
}
