/** The log at the start of a gateway that has been away for long. */
import t from 'tap';
import type { Mutation, VolumeId } from '../../vice/interface/index.js';
import type { Store } from '../../vice/seam/store.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { ModifyLog } from './modify-log.js';

const volume = '7f000001' as VolumeId;
const pause = async (): Promise<void> => undefined;

function chmod(counter: number): Mutation {
  const fid = `7f000001.${counter + 1}.00000000000000aa` as Mutation['fid'];
  const storeId = `00000000000000aa:${counter}` as Mutation['storeId'];
  return { op: 'chmod', storeId, time: 0, author: 'ann', host: 'g1', base: { [fid]: {} }, fid, mode: 0o600 };
}

/** Logs `entries` entries of `each` records, and keeps every tenth. */
async function filled(entries: number, each: number): Promise<Store> {
  const store = new MemoryStore({});
  const log = await ModifyLog.open(new WriteBuffer(store), pause);
  for (let at = 0; at < entries; at += 1) {
    const records = Array.from({ length: each }, (_, index) => chmod(at * each + index + 1));
    const entry = log.append(volume, records, true);
    if (at % 10 === 0) log.keep(entry, 'quota');
  }
  await log.durable();
  return store;
}

for (const { entries, each } of [
  { entries: 2_000, each: 1 },
  { entries: 40, each: 100 },
]) {
  t.test(`${entries} entries of ${each} records are taken in over many turns`, async (t) => {
    const store = await filled(entries, each);
    let rows = 0;
    const turns: number[] = [];
    const counting: Store = {
      place: store.place,
      get: (key) => store.get(key),
      transact: (work) => store.transact(work),
      close: () => store.close(),
      range(options) {
        const read = [...store.range(options)];
        rows += read.length;
        return read;
      },
    };
    const log = await ModifyLog.open(new WriteBuffer(counting), async () => {
      turns.push(rows);
      rows = 0;
    });
    const most = Math.max(...turns, rows);
    t.ok(most <= 300, `at most ${most} rows are read in one turn`);
    t.ok(turns.length >= (entries * each) / 200, `${turns.length} turns`);
    const { records } = log.pending(volume);
    t.equal(records, entries * each * 0.9, 'all of it is there');
    t.equal(log.keptCount(volume), entries * each * 0.1);
    const all = [...log.all()].map(({ sequence }) => sequence);
    t.same(
      all,
      [...new Set(all)].sort((one, other) => one - other),
      'each entry once, in order',
    );
    t.equal(log.append(volume, [chmod(1)], true).sequence, entries + 1, 'and the next one comes behind them');
  });
}
