/** A day's work in memory, archived and restored. */
import { deepEqual } from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Failure, type Fid } from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import type { Caller, ObjectStatus, Restored } from '../../venus/interface.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import { checkpointArchive, type ArchivedEntry } from '../../venus/archive/checkpoint.js';
import { restoreArchive } from '../../venus/archive/restore.js';
import type { RestoreTarget } from '../../venus/archive/restore-target.js';
import { restoreTargetOf } from '../../venus/archive/restore-venus.js';

export const realm = 'aaaaaaaaaaaaaaaa';
export const start = Date.UTC(2026, 0, 2, 3, 4, 5);
export const ann: Caller = { user: 'ann' };
export const bob: Caller = { user: 'bob' };
/** Every refusal begins so. */
export const invalid = { kind: 'invalid', message: /no whole archive of a log/ };
export const pause = async (): Promise<void> => undefined;

export const archiverVenus = 'bbbbbbbbbbbbbbbb';
export const otherVenus = 'cccccccccccccccc';

/** Everything that was ever written, as the gateway's containers have it. */
export const containers = new Map<string, Buffer>();

export async function put(
  venus: MemoryVenus,
  caller: Caller,
  path: string,
  text: string | Buffer,
): Promise<void> {
  const bytes = Buffer.from(text);
  containers.set(digestOf(bytes), bytes);
  const { parent, name } = await venus.lookup(caller, names(path));
  const writer = await venus.write(caller);
  await writer.write(bytes);
  await writer.close({ parent: parent as Fid, name });
}

export async function at(venus: MemoryVenus, path: string): Promise<ObjectStatus> {
  const { object } = await venus.lookup(ann, names(path));
  if (object === null) throw new Failure('not-found', 'test', `there is no ${path}`);
  return object;
}

export async function mkdir(venus: MemoryVenus, caller: Caller, path: string): Promise<void> {
  const { parent, name } = await venus.lookup(caller, names(path));
  await venus.makeDirectory(caller, parent as Fid, name);
}

export async function rename(venus: MemoryVenus, caller: Caller, from: string, to: string): Promise<void> {
  const source = await venus.lookup(caller, names(from));
  const target = await venus.lookup(caller, names(to));
  const old = { parent: source.parent as Fid, name: source.name };
  await venus.rename(caller, old, { parent: target.parent as Fid, name: target.name }, { replace: true });
}

export async function remove(venus: MemoryVenus, caller: Caller, path: string): Promise<void> {
  const { parent, name } = await venus.lookup(caller, names(path));
  await venus.remove(caller, parent as Fid, name);
}

export function names(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** Path -> what is there, in words. */
export async function treeOf(venus: MemoryVenus): Promise<Record<string, string>> {
  const tree: Record<string, string> = {};
  const walk = async (directory: Fid, path: string): Promise<void> => {
    for await (const batch of venus.list(ann, directory)) {
      for (const { name, status } of batch) {
        const own = `${path}/${name}`;
        const properties = Object.fromEntries(Object.entries(status.properties).sort());
        const extra = `${JSON.stringify(properties)} ${status.mode.toString(8)}`;
        if (status.kind === 'directory') {
          tree[own] = `directory ${extra}`;
          await walk(status.fid, own);
        } else if (status.kind === 'symlink') tree[own] = `-> ${status.target ?? ''}`;
        else tree[own] = `${await textOf(venus, status.fid)} ${extra}`;
      }
    }
  };
  await walk((await at(venus, '/')).fid, '');
  return tree;
}

export async function textOf(venus: MemoryVenus, fid: Fid): Promise<string> {
  const file = await venus.open(ann, fid);
  const chunks: Uint8Array[] = [];
  for await (const chunk of file.read()) chunks.push(chunk);
  await file.close();
  const bytes = Buffer.concat(chunks);
  return bytes.length < 100 ? bytes.toString() : createHash('sha256').update(bytes).digest('hex');
}

export function entriesOf(venus: MemoryVenus): ArchivedEntry[] {
  return venus.log.changes().map(({ sequence, volume, reason }) => {
    return { sequence, volume, reason, records: venus.log.recordsOf(sequence) };
  });
}

export async function* contentsOf(digest: string): AsyncGenerator<Uint8Array> {
  const bytes = containers.get(digest);
  if (bytes === undefined) throw new Failure('not-found', 'test', `no ${digest}`);
  for (let from = 0; from < bytes.length; from += 1000) yield bytes.subarray(from, from + 1000);
}

export async function archiveOf(venus: MemoryVenus, entries = entriesOf(venus)): Promise<Buffer> {
  const heading = { realm, gateway: 'g1', time: start };
  const sources = { entries, pathOf: (fid: Fid) => venus.pathOf(fid), contents: contentsOf, pause };
  return all(checkpointArchive(heading, sources));
}

export async function all(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const list: Uint8Array[] = [];
  for await (const chunk of chunks) list.push(chunk);
  return Buffer.concat(list);
}

export async function* pieces(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size)
    yield Uint8Array.from(bytes.subarray(from, from + size));
}

export function shareOf(venus: MemoryVenus, ownRealm = realm): RestoreTarget {
  return restoreTargetOf(venus, { realm: ownRealm, pause, known: async (fid) => venus.known(fid) });
}

export async function restore(venus: MemoryVenus, archive: Uint8Array, ownRealm?: string): Promise<Restored> {
  const restored = await restoreArchive(pieces(archive), shareOf(venus, ownRealm));
  idle(venus);
  return restored;
}

export function idle({ openWriters, openFiles }: MemoryVenus): void {
  deepEqual({ openWriters, openFiles }, { openWriters: 0, openFiles: 0 }, 'nothing is left open');
}

/** The share before the day begins, as every gateway has it. */
export async function morning(): Promise<MemoryVenus> {
  const share = new MemoryVenus({ wall: () => start });
  await mkdir(share, ann, '/docs');
  await mkdir(share, ann, '/old');
  await mkdir(share, ann, '/empty');
  await put(share, ann, '/docs/letter.txt', 'dear');
  await put(share, ann, '/docs/plan.txt', 'plan');
  await put(share, ann, '/old/x.txt', 'x');
  await put(share, ann, '/gone.txt', 'gone');
  await put(share, ann, '/swap.txt', 'one');
  await put(share, ann, '/pawn.txt', 'two');
  return share;
}

export const longName = `${'ü'.repeat(100)}.txt`;

/** A day without servers, at a gateway of its own. */
export async function day(share: MemoryVenus): Promise<MemoryVenus> {
  const fork = { from: share, venus: archiverVenus };
  const gateway = new MemoryVenus({ wall: () => start + 60_000, servers: ['s1'], fork });
  await gateway.disconnect([]);
  await put(gateway, ann, '/docs/letter.txt', 'dear all');
  await put(gateway, ann, '/docs/letter.txt', 'dear everybody');
  await mkdir(gateway, ann, '/new');
  await mkdir(gateway, ann, '/new/deep');
  await put(gateway, ann, `/new/deep/${longName}`, Buffer.alloc(300_000, 'long'));
  await put(gateway, bob, '/new/deep/copy.txt', Buffer.alloc(300_000, 'long'));
  await put(gateway, bob, '/new/nothing.txt', '');
  await put(gateway, bob, '/new/brief', 'brief');
  await rename(gateway, bob, '/new/brief', '/docs/brief.txt');
  await rename(gateway, ann, '/old', '/new/older');
  await put(gateway, ann, '/new/older/y.txt', 'y');
  await remove(gateway, ann, '/gone.txt');
  await put(gateway, ann, '/gone.txt', 'come again');
  await remove(gateway, ann, '/empty');
  await rename(gateway, ann, '/swap.txt', '/tmp.txt');
  await rename(gateway, ann, '/pawn.txt', '/swap.txt');
  await rename(gateway, ann, '/tmp.txt', '/pawn.txt');
  const root = (await at(gateway, '/')).fid;
  await gateway.makeSymlink(ann, root, 'inside', 'docs/letter.txt');
  await gateway.makeSymlink(ann, root, 'outside', '/etc/passwd');
  await gateway.makeSymlink(ann, root, 'sly', 'docs/../../../etc');
  const plan = (await at(gateway, '/docs/plan.txt')).fid;
  await gateway.setProperties(ann, plan, { set: { '{x}a': '<a/>', '{x}b': 'b' }, remove: [] });
  await gateway.setProperties(ann, plan, { set: { '{x}c': 'c' }, remove: ['{x}b'] });
  await gateway.setMode(ann, plan, 0o600);
  await gateway.setModified(ann, (await at(gateway, '/docs/letter.txt')).fid, start - 5000);
  return gateway;
}

/** Another gateway, which has servers. */
export function evening(share: MemoryVenus): MemoryVenus {
  return new MemoryVenus({ wall: () => start + 120_000, fork: { from: share, venus: otherVenus } });
}
