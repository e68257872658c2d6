/** Whether a folder holds one of the worlds that it may hold. */
import type { WebdavClient } from '../webdav-client.js';
import { readFolder } from './folder-reader.js';
import { compare, type World } from './world.js';
import type { Folder } from './writer.js';

/** One sentence for each fault; none when all is well. */
export async function judgeFolder(client: WebdavClient, folder: Folder): Promise<string[]> {
  return (await look(client, folder)).faults;
}

/** The same, where nothing waits any more: what it holds now is its one possible world from now on. */
export async function proveFolder(client: WebdavClient, folder: Folder): Promise<string[]> {
  const { got, faults } = await look(client, folder);
  if (faults.length === 0) folder.worlds = [got];
  return faults;
}

interface Sight {
  readonly got: World | undefined;
  readonly faults: string[];
}

async function look(client: WebdavClient, folder: Folder): Promise<Sight> {
  let got;
  try {
    got = await readWithPatience(client, folder.path);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { got: undefined, faults: [`${folder.path} cannot be read: ${why}`] };
  }
  return { got, faults: judge(folder, got).map((fault) => `${folder.path}: ${fault}${story(folder)}`) };
}

function story({ history }: Folder): string {
  return `\n${history.join('\n')}`;
}

export function judge(folder: Folder, got: World | undefined): string[] {
  const verdicts = folder.worlds.map((world) => {
    if (world === undefined) return got === undefined ? [] : ['should not exist'];
    return got === undefined ? ['does not exist'] : compare(world, got);
  });
  if (verdicts.some((faults) => faults.length === 0)) return [];
  if (verdicts.length === 1) return verdicts[0] ?? [];
  const nearest = verdicts.map((faults) => faults[0]).join(' | or ');
  return [`is none of its ${verdicts.length} possible worlds: ${nearest}`];
}

const patienceMs = 15_000;

/** A gateway that has just come up may not have found its servers yet, and says so with an error. */
async function readWithPatience(client: WebdavClient, path: string): Promise<World | undefined> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      return await readFolder(client, path);
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
