/**
 * What others do meanwhile: two gateways that know neither of each other nor of the random walk change the files that
 * were there when it began, and the servers merge it.
 */
import { makeStoreId, type Mutation, type VenusId, type VnodeStatus } from '../../vice/interface/index.js';
import { digestFor, type Change } from './logging-venus.js';
import type { PlainTree } from './plain-tree.js';

/** One comes before the walk's Venus where StoreIds are compared, one after it. */
const gateways = ['0000000000000c0c', 'fffffffffffffffd'] as VenusId[];

/** A step is one 32-bit number. `servers` are as they were before the walk. */
export function doMeanwhile(servers: PlainTree, steps: readonly number[]): void {
  const views = gateways.map(() => servers.clone());
  for (const [index, step] of steps.entries()) {
    const view = views[step % 2];
    const files = [...(view?.statuses.values() ?? [])].filter(({ kind }) => kind === 'file');
    const file = files[(step >>> 1) % Math.max(1, files.length)];
    const venus = gateways[step % 2];
    const change = file === undefined || view === undefined ? undefined : changeOf(file, view, step >>> 4);
    if (file === undefined || view === undefined || venus === undefined || change === undefined) continue;
    const base = { [file.fid]: file.known, ...(change.op === 'remove' && knownOf(view, change.parent)) };
    const storeId = makeStoreId(venus, index + 1);
    const common = { storeId, time: 2_000_000 + index, author: 'carol', host: 'elsewhere', base };
    const record: Mutation = { ...change, ...common };
    servers.apply({ ...record, settled: true });
    view.apply(record);
  }
}

function changeOf(file: VnodeStatus, view: PlainTree, random: number): Change | undefined {
  const { fid, parent, data, siblings } = file;
  const marks = [data, ...siblings].flatMap((version) => version?.mark ?? []);
  const chosen = marks.filter((_, index) => (random & (8 << (index % 6))) !== 0);
  // Saved before or after what the walk saves.
  const saved = random % 3 === 0 ? 900_000_000 : 1;
  switch (random % 5) {
    case 0:
    case 1: {
      const contents = { length: 2, digest: digestFor(5000 + (random % 997)), modified: saved, saved };
      return { op: 'store', fid, ...contents, ...(chosen.length > 0 && { beside: chosen }) };
    }
    case 2:
      return chosen.length === marks.length
        ? undefined
        : { op: 'repair', fid, dismiss: chosen, accept: null };
    case 3:
      return parent === null ? undefined : { op: 'remove', fid, parent, name: view.nameOf(fid) };
    default:
      return { op: 'utimes', fid, modified: random };
  }
}

function knownOf(view: PlainTree, fid: VnodeStatus['fid']): Mutation['base'] {
  return { [fid]: view.status(fid)?.known ?? {} };
}
