/**
 * Bits that flip on disks: in contents, and in the rows of a store. Of what is nowhere else nobody could bring back, so
 * only that of which there is a good copy elsewhere.
 */
import { isFailure, isRemoved, unseal, type Fid, type VnodeStatus } from '../../../vice/interface/index.js';
import { endOf } from '../../../vice/seam/store.js';
import type { MemoryStore } from '../../../vice/seam/twin/memory-store.js';
import { rootVolume } from '../simulated-realm.js';
import type { Fault, Rows } from './scenario.js';
import { tableOf } from './sizes.js';
import { contains, type Stage } from './stage.js';

type Flip = Extract<Fault, { do: 'flip-row' }>;

const tables: Readonly<Record<'names' | 'figures' | 'cache', readonly string[]>> = {
  names: [`${rootVolume}/entry/`],
  // What follows from other rows, and what may be forgotten at the price of some work.
  figures: [
    ...['children', 'bucket', 'member', 'watermark', 'cop2', 'peer'].map(
      (table) => `${rootVolume}/${table}/`,
    ),
    'container/',
  ],
  // Of a gateway: objects, names, conflicts, how far replicas were heard, epochs, modes, who it is; and its log, of
  // which there is a copy (LR-1 in venus/log/log-rows.ts).
  cache: ['v/', 'e/', 'c/', 'r/', 'p/', 'm/', 'identity', 'realm', 'l/', 'k/'],
};

/** Whether something was flipped. */
export function flipRow(stage: Stage, { at, of, pick, where }: Flip): boolean {
  if (of === 'twice') return flipOneOfTwo(stage, at, pick, where);
  const { store } = stage.realm.disk(at);
  const keys = stage.servers.includes(at) ? keysAt(stage, at, of) : rows(store, tables.cache);
  const key = keys[Math.floor(pick * keys.length)];
  if (key === undefined) return false;
  for (const each of of === 'all' ? [key, ...others(store, fidOf(key))] : [key]) {
    store.damage(each, where);
    stage.note(`flipped in ${each}`);
  }
  stage.situations.count(`flipped ${of ?? 'any'} ${stage.servers.includes(at) ? 'server' : 'gateway'}`);
  if (stage.servers.includes(at)) stage.rot(at, key.includes('/object/') ? fidOf(key) : undefined);
  return true;
}

/** Of what stands twice (KT-1, LR-1): one, as long as the other one can be read. So nothing is lost. */
function flipOneOfTwo(stage: Stage, at: string, pick: number, where: number): boolean {
  const { store } = stage.realm.disk(at);
  const pairs = rows(store, ['copy/']).map((copy) => [copy.slice('copy/'.length), copy]);
  const isWhole = (key: string): boolean => readable(store, key) !== undefined;
  const keys = pairs.filter((pair) => pair.every(isWhole)).flat();
  const key = keys[Math.floor(pick * keys.length)];
  if (key === undefined) return false;
  store.damage(key, where);
  stage.note(`flipped in ${key}`);
  const table = tableOf(key)
    .replace(/^copy\//, '')
    .replace(/^[0-9a-f]{8}\//, '');
  stage.situations.count(`flipped one of two: ${table}`);
  return true;
}

function readable(store: MemoryStore, key: string): unknown {
  try {
    return unseal(store.get(key) ?? new Uint8Array());
  } catch (error) {
    if (isFailure(error, 'damaged')) return undefined;
    throw error;
  }
}

function keysAt(stage: Stage, at: string, of: Rows | undefined): readonly string[] {
  const { store } = stage.realm.disk(at);
  if (of === 'names' || of === 'figures') return rows(store, tables[of]);
  const objects = rows(store, [`${rootVolume}/object/`]).filter((key) => isElsewhere(stage, at, fidOf(key)));
  return of === undefined ? [...objects, ...rows(store, tables.names)] : objects;
}

/** All other rows that say something of one object: its name, its digest, its children's. */
function others(store: MemoryStore, fid: Fid): readonly string[] {
  const names = rows(store, tables.names).filter((key) => namedBy(store, key) === fid);
  const figures = rows(store, tables.figures).filter((key) => key.endsWith(fid));
  return [...names, ...figures];
}

function namedBy(store: MemoryStore, key: string): Fid | undefined {
  return (readable(store, key) as { readonly fid: Fid } | undefined)?.fid;
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

function rows(store: MemoryStore, prefixes: readonly string[]): readonly string[] {
  return prefixes.flatMap((prefix) =>
    [...store.range({ start: prefix, end: endOf(prefix) })].map(({ key }) => key),
  );
}

function fidOf(key: string): Fid {
  return (key.split('/')[2] ?? '') as Fid;
}
