/** The gateway's door, for what Venus leaves to it: a move from one volume to another. */
import { move } from '../../../gateway/webdav/move.js';
import { Rehearsal, type Reply } from '../../../gateway/webdav/rehearsal.js';
import type { Random } from '../../../vice/seam/random.js';
import type { Caller, Fid, Name, ObjectStatus, Venus } from '../../../venus/interface.js';
import type { Deed } from './scenario.js';

export interface DoorWorld {
  readonly venus: Venus;
  readonly random: Random;
}

export interface Watcher {
  /** `source` was copied: what it is there, and where. */
  readonly onCopy: (copied: ObjectStatus, to: Name, source: Fid) => void;
  /** Something is about to be renamed, perhaps over something. */
  readonly beforeRename: () => Promise<void>;
}

/** @throws Failure of Venus */
export function moveAtTheDoor(
  { venus, random }: DoorWorld,
  { user }: Caller,
  { path, to }: Extract<Deed, { to: string }>,
  watcher: Watcher,
): Promise<Reply> {
  const door = new Rehearsal(heard(venus, watcher));
  door.share = { ...door.share, random };
  const headers = { destination: `http://h/s/${to}`, overwrite: 'T' };
  return door.send(move, 'MOVE', `/${path}`, { user, headers });
}

function heard(venus: Venus, { onCopy, beforeRename }: Watcher): Venus {
  const copy: Venus['copy'] = async (caller, source, to, options) => {
    const outcome = await venus.copy(caller, source, to, options);
    onCopy(outcome.status, to, source);
    return outcome;
  };
  const rename: Venus['rename'] = async (...all) => {
    await beforeRename();
    return venus.rename(...all);
  };
  const ours: Partial<Venus> = { copy, rename };
  return new Proxy(venus, {
    get: (target, key) => {
      const value: unknown = Reflect.get(ours, key) ?? Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
