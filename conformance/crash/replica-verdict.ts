/** Whether folders hold one of the worlds that they may hold on the disk of one server. */
import { readReplica } from '../semantics/replica-reader.js';
import { below, worldOfReplica } from '../semantics/worlds.js';
import { judge } from './verdict.js';
import type { Folder } from './writer.js';

/** @param data the realm's folder; the server must not run. One sentence for each fault. */
export async function judgeReplica(
  data: string,
  server: string,
  folders: readonly Folder[],
): Promise<string[]> {
  const world = worldOfReplica(await readReplica(data, server));
  return folders.flatMap((folder) => {
    const name = folder.path.slice(1);
    const got = world.has(name) ? below(world, name) : undefined;
    return judge(folder, got).map((fault) => `${folder.path}: ${fault}`);
  });
}
