/** Logs of several shapes, made while no server is reached, and how fast they are replayed. */
import type { DrivenRealm } from './driven-realm.js';
import { drive, fill, makeFolder, names, type Target } from './generator.js';
import { say, shown, type Row } from './report.js';

export interface LogSizes {
  readonly smallFiles: number;
  readonly folders: number;
  readonly largeFiles: number;
}

/** A way to fill the log. */
export interface LogShape {
  readonly name: string;
  /** What its replay is told in. */
  readonly units: readonly (keyof Replayed)[];
  make(target: Target): Promise<void>;
}

export interface Replayed {
  readonly s: number;
  readonly 'records/s': number;
  readonly 'MB/s': number;
}

const smallBytes = 4096;
const largeBytes = 10 * 1024 * 1024;
/** Kistler and Satyanarayanan 1992, the Andrew benchmark: 223 records, 1.1 MB, replayed in 43 s. */
const paper = { folders: 23, files: 100, fileBytes: 11_000 } as const;

/** One record for a folder, two for a new file. */
export const smallFiles = ({ smallFiles: count }: LogSizes): LogShape => ({
  name: `${(2 * count + 1).toLocaleString('en')} records: ${count.toLocaleString('en')} new files of 4 KiB`,
  units: ['records/s', 'MB/s', 's'],
  make: (target) => fill(target, 'small-files', count, smallBytes),
});

export const folders = ({ folders: count }: LogSizes): LogShape => ({
  name: `${(count + 1).toLocaleString('en')} records: new folders`,
  units: ['records/s'],
  async make(target) {
    await makeFolder(target, 'folders');
    await drive(target, { method: 'MKCOL', paths: names('folders', count).map((path) => `${path}/`) });
  },
});

export const largeFiles = ({ largeFiles: count }: LogSizes): LogShape => ({
  name: `${count} new files of 10 MiB`,
  units: ['MB/s'],
  async make(target) {
    await makeFolder(target, 'large-files');
    const paths = names('large-files', count);
    await drive(target, { method: 'PUT', paths, bodyBytes: largeBytes, connections: 1 });
  },
});

export const paperLog: LogShape = {
  name: 'the log of 1992: 223 records, 1.1 MB (then: 43 s)',
  units: ['s'],
  async make(target) {
    const nested = Array.from({ length: paper.folders - 1 }, (_, index) => `andrew/src-${index}`);
    const paths = ['andrew', ...nested].map((folder) => `/${folder}/`);
    await drive(target, { method: 'MKCOL', paths, connections: 1 });
    const files = names('', paper.files).map(
      (name, index) => `/andrew/src-${index % nested.length}${name.slice(1)}`,
    );
    await drive(target, { method: 'PUT', paths: files, bodyBytes: paper.fileBytes });
  },
};

/**
 * Fills the log and replays it: from the order to connect until all servers are reached and the log is empty.
 * `meanwhile` is done while the log is full and no server is reached.
 */
export async function replayOf(
  shape: LogShape,
  realm: DrivenRealm,
  meanwhile: () => Promise<void> = async () => undefined,
): Promise<Replayed> {
  await realm.disconnect();
  const making = performance.now();
  await shape.make(realm.target);
  const made = secondsSince(making);
  await meanwhile();
  const { pendingRecords, pendingBytes } = await realm.volume();
  say(`${shape.name}: ${pendingRecords} records and ${pendingBytes} bytes logged in ${shown(made)} s`);
  let fastest = 0;
  const started = performance.now();
  await realm.reconnect();
  await realm.drained(({ replay }) => (fastest = Math.max(fastest, replay?.recordsPerSecond ?? 0)));
  const s = secondsSince(started);
  say(`replayed in ${shown(s)} s; the gateway said ${fastest.toFixed(0)} records/s at most`);
  return { s, 'records/s': pendingRecords / s, 'MB/s': pendingBytes / 1e6 / s };
}

export function replayRows(
  measured: ReadonlyMap<
    string,
    { readonly shape: LogShape; readonly by: Readonly<Record<string, Replayed>> }
  >,
): Row[] {
  return [...measured.values()].flatMap(({ shape, by }) =>
    shape.units.map((unit) => ({
      what: shape.name,
      unit,
      figures: Object.fromEntries(Object.entries(by).map(([column, replayed]) => [column, replayed[unit]])),
    })),
  );
}

export function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
