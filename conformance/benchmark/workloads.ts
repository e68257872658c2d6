/** What is measured: the workloads, how each is prepared, and how its figure is told. */
import type { ColdScale } from './cold-reads.js';
import type { DifferencesScale } from './differences.js';
import type { DisconnectionScale } from './disconnection.js';
import type { HealingScale } from './healing.js';
import type { LargeFoldersScale } from './large-folders.js';
import type { MillionScale } from './million.js';
import type { DumpsScale } from './dumps.js';
import type { PopulatingScale } from './populating.js';
import type { SlowLinksScale } from './slow-links.js';
import type { TlsScale } from './tls.js';
import { drive, fill, makeFolder, names, perSecond } from './generator.js';
import type { Running } from './peers.js';

export interface Scale {
  readonly name: 'full' | 'quick';
  readonly rounds: number;
  /** Milliseconds for workloads that are measured by time. */
  readonly forMs: number;
  readonly largeBytes: number;
  readonly largeTimes: number;
  readonly manyNames: number;
  readonly files: number;
  readonly disconnection: DisconnectionScale;
  readonly healing: HealingScale;
  readonly cold: ColdScale;
  readonly differences: DifferencesScale;
  readonly largeFolders: LargeFoldersScale;
  readonly million: MillionScale;
  readonly populating: PopulatingScale;
  readonly dumps: DumpsScale;
  readonly slowLinks: SlowLinksScale;
  readonly tls: TlsScale;
}

export const full: Scale = {
  name: 'full',
  rounds: 3,
  forMs: 3_000,
  largeBytes: 100 * 1024 * 1024,
  largeTimes: 3,
  manyNames: 10_000,
  files: 1_000,
  disconnection: { latencyFiles: 500, smallFiles: 5_000, folders: 5_000, largeFiles: 10 },
  healing: { officeFolders: 40, volumeObjects: [10_000, 100_000] },
  cold: { sizes: [64, 128, 256] },
  differences: { fileBytes: [256e6, 512e6, 1024e6] },
  largeFolders: { servers: 3, sizes: [25_000, 50_000, 100_000] },
  million: { folders: [250, 500, 1000] },
  populating: { objects: [10_000, 20_000, 40_000], fileBytes: 16_000 },
  dumps: { objects: [5_000, 10_000], fileBytes: 16_000 },
  slowLinks: { rates: [2_000, 4_000, 8_000], letters: 5 },
  tls: { rounds: 3, files: 500, smallBytes: 4096, largeBytes: 100 * 1024 * 1024 },
};

export const quick: Scale = {
  name: 'quick',
  rounds: 1,
  forMs: 1_000,
  largeBytes: 20 * 1024 * 1024,
  largeTimes: 2,
  manyNames: 1_000,
  files: 200,
  disconnection: { latencyFiles: 100, smallFiles: 500, folders: 500, largeFiles: 2 },
  healing: { officeFolders: 8, volumeObjects: [1_000, 4_000] },
  cold: { sizes: [8, 16, 32] },
  differences: { fileBytes: [20e6, 40e6] },
  largeFolders: { servers: 1, sizes: [5_000, 20_000] },
  million: { folders: [10, 20] },
  populating: { objects: [1_000, 2_000], fileBytes: 16_000 },
  dumps: { objects: [1_000, 2_000], fileBytes: 16_000 },
  slowLinks: { rates: [8_000, 16_000], letters: 3 },
  tls: { rounds: 1, files: 50, smallBytes: 4096, largeBytes: 8 * 1024 * 1024 },
};

export interface Workload {
  readonly name: string;
  readonly unit: 'requests/s' | 'MB/s' | 'answers/s' | 'files/s';
  /** Servers without PROPFIND are left out. */
  readonly lists?: boolean;
  /** Once for each server, before the first round. */
  prepare(target: Running, scale: Scale): Promise<void>;
  /** One round; more is better. */
  measure(target: Running, scale: Scale, round: number): Promise<number>;
}

const small = 4096;

const getSmall: Workload = {
  name: 'GET 4 KiB',
  unit: 'requests/s',
  prepare: (target) => fill(target, 'get-small', 64, small),
  measure: async (target, { forMs }) =>
    perSecond(await drive(target, { method: 'GET', paths: names('get-small', 64), forMs })),
};

const getLarge: Workload = {
  name: 'GET 100 MiB',
  unit: 'MB/s',
  async prepare(target, { largeBytes }) {
    await makeFolder(target, 'get-large');
    await drive(target, { method: 'PUT', paths: ['/get-large/file'], bodyBytes: largeBytes, connections: 1 });
  },
  async measure(target, { largeTimes }) {
    const paths = Array.from({ length: largeTimes }, () => '/get-large/file');
    const { received, seconds } = await drive(target, { method: 'GET', paths, connections: 1 });
    return received / 1e6 / seconds;
  },
};

const putSmall: Workload = {
  name: 'PUT 4 KiB',
  unit: 'requests/s',
  prepare: (target) => makeFolder(target, 'put-small'),
  measure: async (target, { forMs }) =>
    perSecond(
      await drive(target, { method: 'PUT', paths: names('put-small', 256), bodyBytes: small, forMs }),
    ),
};

const putLarge: Workload = {
  name: 'PUT 100 MiB',
  unit: 'MB/s',
  prepare: (target) => makeFolder(target, 'put-large'),
  async measure(target, { largeBytes, largeTimes }) {
    const paths = names('put-large', largeTimes);
    const { seconds } = await drive(target, { method: 'PUT', paths, bodyBytes: largeBytes, connections: 1 });
    return (largeBytes * largeTimes) / 1e6 / seconds;
  },
};

const listSome: Workload = {
  name: 'PROPFIND of 100 names',
  unit: 'answers/s',
  lists: true,
  prepare: (target) => fill(target, 'list-some', 100, 100),
  measure: async (target, { forMs }) =>
    perSecond(await drive(target, { method: 'PROPFIND', paths: ['/list-some/'], connections: 4, forMs })),
};

const listMany: Workload = {
  name: 'PROPFIND of 10,000 names',
  unit: 'answers/s',
  lists: true,
  prepare: (target, { manyNames }) => fill(target, 'list-many', manyNames, 100),
  measure: async (target, { forMs }) =>
    perSecond(await drive(target, { method: 'PROPFIND', paths: ['/list-many/'], connections: 1, forMs })),
};

const createFiles: Workload = {
  name: 'creating 1,000 files',
  unit: 'files/s',
  prepare: async () => {},
  async measure(target, { files }, round) {
    await makeFolder(target, `files-${round}`);
    return perSecond(
      await drive(target, { method: 'PUT', paths: names(`files-${round}`, files), bodyBytes: 100 }),
    );
  },
};

const deleteFiles: Workload = {
  name: 'deleting 1,000 files',
  unit: 'files/s',
  prepare: async () => {},
  async measure(target, { files }, round) {
    await fill(target, `deleted-${round}`, files, 100);
    return perSecond(await drive(target, { method: 'DELETE', paths: names(`deleted-${round}`, files) }));
  },
};

export const workloads: readonly Workload[] = [
  getSmall,
  getLarge,
  putSmall,
  putLarge,
  listSome,
  listMany,
  createFiles,
  deleteFiles,
];

/** The workload's name with the sizes of `scale`. */
export function titleAt({ name }: Workload, { largeBytes, manyNames, files }: Scale): string {
  return name
    .replace('100 MiB', `${largeBytes / 2 ** 20} MiB`)
    .replace('10,000 names', `${manyNames.toLocaleString('en')} names`)
    .replace('1,000 files', `${files.toLocaleString('en')} files`);
}

/** What is compared between 1, 2 and 3 replicas. */
export const replicated: readonly Workload[] = [putSmall, putLarge];
