/** What a share must hold, and what a replica holds, as the oracle's worlds (conformance/crash/world.ts). */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { conflictName, siblingsOf, versionsOf } from '../../vice/interface/index.js';
import { markNamespace } from '../crash/folder-reader.js';
import type { Item, World } from '../crash/world.js';
import type { ReplicaDump } from '../simulation/replica-dump.js';

/** Of a folder of this machine: what a share must hold when the same was done to it. */
export async function worldOfFolder(folder: string): Promise<World> {
  const world = new Map<string, Item>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const digest = entry.isDirectory() ? '' : digestOf(await readFile(path));
    const kind = entry.isDirectory() ? 'folder' : 'file';
    world.set(path.slice(folder.length + 1), { kind, digest, mark: '' });
  }
  return world;
}

/** Of one replica, with the versions that stand beside a file in conflict; the root itself is left out. */
export function worldOfReplica(dump: ReplicaDump): World {
  const world = new Map<string, Item>();
  for (const { path, kind, contents, properties, versions, status } of dump) {
    if (path === '') continue;
    const mark = />([^<]*)</.exec(properties[`{${markNamespace}}mark`] ?? '')?.[1] ?? '';
    const digest = kind === 'directory' ? '' : digestOf(Buffer.from(contents ?? '', 'latin1'));
    world.set(path.slice(1), { kind: kind === 'directory' ? 'folder' : 'file', digest, mark });
    const all = versionsOf(status);
    for (const sibling of siblingsOf(status)) {
      const slash = path.lastIndexOf('/') + 1;
      const name = conflictName(path.slice(slash), { ...sibling, time: sibling.saved });
      const bytes = Buffer.from(versions[all.indexOf(sibling)] ?? '', 'latin1');
      world.set(`${path.slice(1, slash)}${name}`, { kind: 'file', digest: digestOf(bytes), mark });
    }
  }
  return world;
}

/** What lies below `folder`, with names that begin there. */
export function below(world: World, folder: string): World {
  const found = new Map<string, Item>();
  for (const [path, item] of world) {
    if (path.startsWith(`${folder}/`)) found.set(path.slice(folder.length + 1), item);
  }
  return found;
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
