/** Pages of what a replica tells: bounded by objects and by bytes, whatever it is that makes an object large. */
import t from 'tap';
import { planted } from '../../conformance/modify-log/logging-venus.js';
import { seal, type Fid, type StoreId, type VnodeStatus, type VolumeId } from '../interface/index.js';
import { frameBytes } from '../seam/network.js';
import type { ObjectRow, VolumeReader } from '../store/volume-store.js';
import { changePage, conflictPage, page } from './pages.js';
import { sizeOf } from './status-size.js';

const id = '7f000001' as VolumeId;
const fidOf = (number: number): Fid => `${id}.${number.toString(16)}.00000000000000aa` as Fid;
const storeIdOf = (number: number): StoreId => `00000000000000bb:${number}` as StoreId;

/** A file with `count` versions, each of them vouched for by people at 20 gateways. */
function contested(number: number, count: number): VnodeStatus {
  const [status] = planted([{ fid: fidOf(number), parent: null, name: 'f', kind: 'file' }]).statuses.values();
  const data = status?.data;
  if (status === undefined || data == null) throw new Error('a file');
  const seen = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [index.toString(16).padStart(16, '0'), 1000 + index]),
  );
  const versions = Array.from({ length: count }, (_, index) => {
    const storeId = storeIdOf(index + 1);
    return { ...data, storeId, mark: storeId, digest: 'd'.repeat(64), vouched: seen, givenUp: seen };
  });
  const [shown = data, ...siblings] = versions;
  return { ...status, data: shown, siblings };
}

function reading(statuses: readonly VnodeStatus[]): { reader: VolumeReader; read: (fid: Fid) => ObjectRow } {
  const rows = new Map(
    statuses.map((status, index) => [
      status.fid,
      { status, stamp: index + 1, bound: null } as unknown as ObjectRow,
    ]),
  );
  const reader = {
    *changedAfter(since: number) {
      for (const [fid, { stamp }] of rows) if (stamp > since) yield { fid, stamp };
    },
    *conflicts(after: Fid | null) {
      const fids = [...rows.keys()];
      yield* fids.slice(after === null ? 0 : fids.indexOf(after) + 1);
    },
  };
  const read = (fid: Fid): ObjectRow => {
    const row = rows.get(fid);
    if (row === undefined) throw new Error(fid);
    return row;
  };
  return { reader: reader as unknown as VolumeReader, read };
}

t.test('what is said of the size of an object is about right', async (t) => {
  for (const count of [1, 10, 100]) {
    const status = contested(1, count);
    const real = seal(status).length;
    t.ok(sizeOf(status) > real / 2 && sizeOf(status) < real * 4, `${sizeOf(status)} for ${real} bytes`);
  }
});

t.test('objects with many versions fill a page, and all of them come in the end', async (t) => {
  const statuses = Array.from({ length: 60 }, (_, index) => contested(index + 1, 100));
  const { reader, read } = reading(statuses);
  const heard: Fid[] = [];
  for (let since = 0, more = true; more;) {
    const changes = changePage(reader, read, { since, limit: 1000, stamp: statuses.length });
    t.ok(seal(changes.changes).length < frameBytes / 2, 'it fits into a frame');
    t.ok(changes.changes.reduce((sum, { status }) => sum + sizeOf(status), 0) < 2 * page.bytes);
    heard.push(...changes.changes.map(({ status }) => status.fid));
    [since, more] = [changes.upTo, changes.more];
  }
  t.same(
    heard,
    statuses.map(({ fid }) => fid),
  );
  const found: Fid[] = [];
  for (let after: Fid | null = null, more = true; more;) {
    const { conflicts, more: isMore } = conflictPage(reader, read, after, 1000);
    t.ok(seal(conflicts).length < frameBytes / 2);
    found.push(...conflicts.map(({ status }) => status.fid));
    [after, more] = [found.at(-1) ?? null, isMore];
  }
  t.same(found, heard);
});
