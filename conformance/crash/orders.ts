/** The administrative commands that a kill may hit, and what the realm has when one has come to its end. */
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { checkedDump } from '../../gateway/administration/dump/checked-dump.js';
import type { Administration } from '../../gateway/administration/administration.js';
import type { RealmDocument, SnapshotId, VolumeEntry } from '../../vice/interface/index.js';
import type { WebdavClient } from '../webdav-client.js';

/** What is asked of a realm, by an administrator and by a client. */
export interface Looking {
  readonly client: WebdavClient;
  readonly administration: Administration;
  /** Where dumps go, and one that is there. */
  readonly folder: string;
  readonly dumpFile: string;
  /** Objects of the volume that is dumped, its root included. */
  readonly objects: number;
  report(server: string): Promise<Report | undefined>;
  snapshots(volume: string): Promise<readonly (SnapshotId & { readonly server: string })[]>;
  dropSnapshot(volume: string, name: string): Promise<void>;
  unmake(volume: string): Promise<void>;
}

/** What is read of a server's report. */
export interface Report {
  readonly volumes: Readonly<Record<string, { readonly objects: number }>>;
  readonly stagedBytes: number;
}

export interface Order {
  readonly words: readonly string[];
  /** Exit codes of a command that is said again when all is done, with what it says; beside 0. */
  readonly doneAlready?: RegExp;
  /** What is not as it must be after it. Undoes what it made. */
  readonly faults: (ground: Looking) => Promise<readonly string[]>;
}

export type OrderKind = keyof typeof makers;

/** The volume that is dumped, and the one whose group changes. */
export const work = 'work';
export const small = 'small';
export const base = 'base';

const makers = {
  create: (name: string): Order => ({
    words: ['create', name, '--servers', 's1,s2', '--mount', `/${name}`],
    faults: async (ground) => {
      const faults = await volumeFaults(ground, name, ['s1', 's2']);
      const { status } = await ground.client.request('PUT', `/${name}/first`, { body: 'first' });
      if (status !== 201) faults.push(`a file in ${name} is answered ${status}`);
      await ground.unmake(name);
      return faults;
    },
  }),
  'replica add': (): Order => ofGroup(['add', small, 's3'], ['s1', 's2', 's3']),
  'replica remove': (): Order => ofGroup(['remove', small, 's1'], ['s2', 's3']),
  'replica move': (): Order => ofGroup(['move', small, 's3', 's1'], ['s1', 's2']),
  dump: (name: string): Order => dumpOrder(name, []),
  'dump --force': (name: string): Order => dumpOrder(name, ['--force']),
  restore: (name: string, ground: Looking): Order => {
    // A server that has nothing of it: all contents are sent.
    const words = ['restore', ground.dumpFile, name, '--on', 's3'];
    return { words, faults: (ground) => restoredFaults(ground, name, ['s3']) };
  },
  'snapshot create': (name: string): Order => ({
    words: ['snapshot', 'create', work, name],
    faults: async (ground) => {
      const found = (await ground.snapshots(work)).filter((each) => each.name === name);
      const times = new Set(found.map(({ time }) => time));
      await ground.dropSnapshot(work, name);
      const isWhole = found.length === 2 && times.size === 1;
      return isWhole ? [] : [`snapshot ${name} is there ${found.length} times, of ${times.size} moments`];
    },
  }),
  'snapshot restore': (name: string): Order => ({
    words: ['snapshot', 'restore', work, base, '--as', name],
    faults: (ground) => restoredFaults(ground, name, ['s1', 's2']),
  }),
} as const;

/** In such an order that each has what it needs: a group grows, shrinks and moves back. */
export const orderKinds = Object.keys(makers) as readonly OrderKind[];

/** `name`: of what it makes. */
export function orderOf(kind: OrderKind, name: string, ground: Looking): Order {
  return makers[kind](name, ground);
}

function ofGroup(words: readonly string[], servers: readonly string[]): Order {
  return { words: ['replica', ...words], faults: (ground) => volumeFaults(ground, small, servers) };
}

function dumpOrder(name: string, options: readonly string[]): Order {
  return {
    words: ['dump', work, join('FOLDER', name), ...options],
    // Without --force whoever says it again is told that there is the file, and nothing is written over it.
    ...(options.length === 0 && { doneAlready: /exists\. Give another name/ }),
    faults: async (ground) => {
      const faults: string[] = [];
      const bytes = await readFile(join(ground.folder, name));
      const { trailer } = await checkedDump({
        name,
        size: bytes.length,
        read: (start, length) => Promise.resolve(bytes.subarray(start, start + length)),
        pause: () => Promise.resolve(),
      });
      if (trailer.objects !== ground.objects) faults.push(`the dump has ${trailer.objects} objects`);
      await rm(join(ground.folder, name));
      return faults;
    },
  };
}

async function restoredFaults(
  ground: Looking,
  name: string,
  servers: readonly string[],
): Promise<readonly string[]> {
  const faults = await volumeFaults(ground, name, servers);
  const document = await ground.administration.document();
  const [volume, from] = [volumeIn(document, name), volumeIn(document, work)];
  if (volume?.restored === undefined) faults.push(`${name} does not say what it was restored from`);
  const wanted = (await ground.report('s1'))?.volumes[from?.id ?? '']?.objects;
  for (const server of servers) {
    const found = (await ground.report(server))?.volumes[volume?.id ?? '']?.objects;
    if (found === undefined || found !== wanted)
      faults.push(`${server} has ${found} objects of ${name}, not ${wanted}`);
  }
  await ground.unmake(name);
  return faults;
}

/** Of any volume, after its command has come to its end. */
async function volumeFaults(ground: Looking, name: string, servers: readonly string[]): Promise<string[]> {
  const { volumes } = await ground.administration.document();
  const found = volumes.filter((volume) => volume.name === name);
  const [volume] = found;
  if (volume === undefined || found.length > 1) return [`there are ${found.length} volumes ${name}`];
  const faults: string[] = [];
  if (volume.restoring !== undefined) faults.push(`${name} is half restored`);
  const on = volume.replicas.map(({ server, state }) => `${server}${state === undefined ? '' : ` ${state}`}`);
  if (on.sort().join() !== servers.join())
    faults.push(`${name} is on ${on.join()}, not on ${servers.join()}`);
  return faults;
}

export function volumeIn({ volumes }: RealmDocument, name: string): VolumeEntry | undefined {
  return volumes.find((volume) => volume.name === name);
}

/** What no command may leave, whatever it was, beside what `known` says. */
export async function leftovers(ground: Looking): Promise<readonly string[]> {
  const faults = (await readdir(ground.folder))
    .filter((name) => name.endsWith('.tmp'))
    .map((name) => `${name} is left in the folder of the dumps`);
  const kept = (await ground.snapshots(work)).filter(({ name }) => name !== base);
  faults.push(...kept.map(({ server, name }) => `${server} keeps a snapshot "${name}"`));
  const { volumes } = await ground.administration.document();
  for (const server of ['s1', 's2', 's3']) {
    const report = await ground.report(server);
    if (report === undefined) {
      faults.push(`${server} does not answer`);
      continue;
    }
    if (report.stagedBytes !== 0) faults.push(`${server} keeps ${report.stagedBytes} bytes in staging`);
    const strange = Object.keys(report.volumes).filter((id) => volumes.every((volume) => volume.id !== id));
    faults.push(...strange.map((id) => `${server} serves ${id}, which is no volume`));
  }
  return faults;
}
