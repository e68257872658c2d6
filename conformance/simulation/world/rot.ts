/**
 * Bits that flip on disks: in contents, and in the rows of a store. Of what is nowhere else nobody could bring back, so
 * only that of which there is a good copy elsewhere.
 */
import { isFailure, isRemoved, type Fid, type VnodeStatus } from '../../../vice/interface/index.js';
import { endOf } from '../../../vice/seam/store.js';
import type { MemoryStore } from '../../../vice/seam/twin/memory-store.js';
import { rootVolume } from '../simulated-realm.js';
import type { Fault } from './scenario.js';
import { contains, type Stage } from './stage.js';

type Flip = Extract<Fault, { do: 'flip-row' }>;

/** Whether something was flipped. */
export function flipRow(stage: Stage, { at, of, pick, where }: Flip): boolean {
  const { store } = stage.realm.disk(at);
  const objects = rows(store, `${rootVolume}/object/`).filter((key) => isElsewhere(stage, at, fidOf(key)));
  const names = rows(store, `${rootVolume}/entry/`);
  const keys = of === 'objects' ? objects : of === 'names' ? names : [...objects, ...names];
  const key = keys[Math.floor(pick * keys.length)];
  if (key === undefined) return false;
  store.damage(key, where);
  stage.rot(at, key.includes('/object/') ? fidOf(key) : undefined);
  stage.note(`flipped in ${key}`);
  return true;
}

/** Another replica knows all of it that this one does. */
function isElsewhere(stage: Stage, at: string, fid: Fid): boolean {
  const own = statusAt(stage, at, fid);
  if (own?.parent == null) return false;
  return stage.membersOf('root').some((other) => {
    const theirs = other === at ? undefined : statusAt(stage, other, fid);
    return theirs !== undefined && contains(theirs.known, own.known) && contains(theirs.vv, own.vv);
  });
}

/** Whether another server has the object, so that it can be healed. */
export function isLivingElsewhere(stage: Stage, at: string, fid: Fid): boolean {
  return stage.membersOf('root').some((other) => {
    const status = other === at ? undefined : statusAt(stage, other, fid);
    return status !== undefined && !isRemoved(status);
  });
}

function statusAt(stage: Stage, server: string, fid: Fid): VnodeStatus | undefined {
  try {
    return stage.durable(server, fid);
  } catch (error) {
    if (isFailure(error, 'damaged')) return undefined;
    throw error;
  }
}

function rows(store: MemoryStore, prefix: string): readonly string[] {
  return [...store.range({ start: prefix, end: endOf(prefix) })].map(({ key }) => key);
}

function fidOf(key: string): Fid {
  return (key.split('/')[2] ?? '') as Fid;
}
