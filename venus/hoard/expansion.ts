/**
 * What commands come to, as changes of the hoard database. `c` and `d` are expanded here, once: each object that is
 * there now gets an entry of its own (Coda: the hoard program does this, coda-src/venus/hoard.cc).
 */
import { Failure, nameFault, right, volumeOf, type Fid } from '../../vice/interface/index.js';
import { hoardMost } from '../cache/replacement.js';
import type { HoardAttributes, HoardChange, HoardCommand } from '../hoarding.js';
import { entryKey, type EntryChanges, type HoardDatabase, type StoredEntry } from './hoard-database.js';
import { bind, type NamingWorld } from './name-context.js';

export interface ExpansionWorld extends NamingWorld {
  readonly database: HoardDatabase;
}

/** @throws Failure invalid, unreachable, access-denied, not-found (`c` and `d` of what is not there) */
export async function changesOf(
  world: ExpansionWorld,
  user: string,
  commands: readonly HoardCommand[],
): Promise<{ readonly changes: EntryChanges; readonly change: HoardChange }> {
  const changes: EntryChanges = new Map();
  // Paths are those of the realm: what counts is the volume that they begin in, whatever mounts they cross.
  const volume = volumeOf(world.mounts.root);
  for (const command of commands) {
    if (command.command === 'clear') {
      changes.clear();
      for (const entry of world.database.of(user)) changes.set(entryKey(entry), null);
    } else if (command.command === 'delete') {
      const key = entryKey({ user, volume, path: command.path.join('/') });
      if (changes.has(key) || world.database.get(key) !== undefined) changes.set(key, null);
    } else {
      for (const entry of await added(world, { user, volume }, command)) changes.set(entryKey(entry), entry);
    }
  }
  const removed = [...changes].filter(
    ([key, entry]) => entry === null && world.database.get(key) !== undefined,
  );
  const kept = [...changes.values()].filter((entry) => entry !== null);
  return { changes, change: { added: kept.length, removed: removed.length } };
}

type Owner = Pick<StoredEntry, 'user' | 'volume'>;

async function added(
  world: ExpansionWorld,
  owner: Owner,
  { path, priority, attributes }: Extract<HoardCommand, { command: 'add' }>,
): Promise<readonly StoredEntry[]> {
  check(path, priority);
  const lasting = attributes === 'c+' || attributes === 'd+' ? attributes : '';
  const entry: StoredEntry = { ...owner, path: path.join('/'), priority, attributes: lasting, fid: null };
  const bound = await bind(world, entry);
  if (bound.fault === 'access-denied') {
    const message = `${owner.user} may not look at /${entry.path}`;
    throw new Failure('access-denied', 'venus.hoard', message);
  }
  // It is kept under the name that was given, whatever links are on the way.
  const first = { ...entry, fid: bound.fid };
  if (attributes !== 'c' && attributes !== 'd') return [first];
  if (bound.fid === null) {
    const kind = bound.fault === 'unreachable' ? 'unreachable' : 'not-found';
    throw new Failure(kind, 'venus.hoard', `what is in /${entry.path} cannot be told now`);
  }
  return [first, ...(await below(world, first, bound.fid, attributes))];
}

async function below(
  world: ExpansionWorld,
  { path, ...entry }: StoredEntry,
  directory: Fid,
  attributes: HoardAttributes,
): Promise<readonly StoredEntry[]> {
  const { cache, fetcher, guard, mounts } = world;
  const found: StoredEntry[] = [];
  const left = [{ path, fid: directory }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if ((await fetcher.fresh(next.fid)).status.kind !== 'directory') break;
    await fetcher.directory(next.fid);
    await guard.require({ user: entry.user }, next.fid, right.lookup);
    for (const { name, fid: bears, kind } of cache.names(next.fid)?.values() ?? []) {
      const fid = mounts.over(bears);
      const child = next.path === '' ? name : `${next.path}/${name}`;
      found.push({ ...entry, path: child, fid });
      if (attributes === 'd' && kind === 'directory') left.push({ path: child, fid });
    }
    if (found.length > entriesAtOnce) {
      const message = `there are more than ${entriesAtOnce} objects in /${path}; give it ${attributes}+ instead`;
      throw new Failure('busy', 'venus.hoard', message);
    }
  }
  return found;
}

const entriesAtOnce = 10_000;

function check(path: readonly string[], priority: number): void {
  for (const name of path) {
    const fault = nameFault(name);
    if (fault !== undefined) throw new Failure('invalid', 'venus.hoard', `the name ${fault}`);
  }
  if (Number.isInteger(priority) && priority >= 1 && priority <= hoardMost) return;
  throw new Failure('invalid', 'venus.hoard', `priorities are whole numbers from 1 to ${hoardMost}`);
}
