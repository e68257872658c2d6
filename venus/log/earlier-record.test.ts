/** A log that an earlier version left behind is replayed by this one. */
import t from 'tap';
import { seal, type VolumeId } from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { storedRecordSchema } from './earlier-record.js';
import { ModifyLog } from './modify-log.js';

const pause = async (): Promise<void> => undefined;
const volume = '7f000001' as VolumeId;
const fid = '7f000001.2.00000000000000aa';
const common = { time: 17, author: 'ann', base: { [fid]: {} }, fid };
const chmod = { op: 'chmod', storeId: '00000000000000aa:1', ...common, mode: 0o600 };
const data = { length: 1, digest: '0'.repeat(64), modified: 5 };
const store = { op: 'store', storeId: '00000000000000aa:2', ...common, ...data };

t.test('records of an earlier version', async (t) => {
  const buffer = new WriteBuffer(new MemoryStore({}));
  const entry = {
    sequence: 1,
    volume,
    records: [chmod, store],
    appliedBy: [],
    acknowledged: true,
    offered: false,
  };
  buffer.put('l/0000000000000001', seal(entry));
  buffer.put('k/0000000000000002', seal({ entry: { ...entry, sequence: 2 }, reason: 'quota' }));
  const log = await ModifyLog.open(buffer, pause);
  const records = [
    { ...chmod, host: '' },
    { ...store, host: '', saved: 17 },
  ];
  t.same(
    log.get(1)?.records,
    records,
    'were made at a gateway that nobody knows, and saved when they were made',
  );
  t.same(log.kept()[0]?.entry.records, records);
});

t.test('records of this version stay as they are', async (t) => {
  const record = { ...store, host: 'attic', saved: 18, beside: ['00000000000000bb:1'] };
  t.same(storedRecordSchema.parse(record), record);
  for (const bad of [null, 7, {}, { ...record, saved: 'then' }, { ...store, time: undefined }])
    t.notOk(storedRecordSchema.safeParse(bad).success);
});

t.test('a record that comes after itself, or after a later one of its author, is none', async (t) => {
  const after = (counter: number) => ({ ...store, base: { [fid]: { '00000000000000aa': counter } } });
  t.ok(storedRecordSchema.safeParse(after(1)).success, 'it may name the one before it');
  t.notOk(storedRecordSchema.safeParse(after(2)).success);
  t.notOk(storedRecordSchema.safeParse(after(3)).success, 'else two could name each other');
  const ofAnother = { ...store, base: { [fid]: { '00000000000000bb': 9 } } };
  t.ok(storedRecordSchema.safeParse(ofAnother).success, 'what others count is another matter');
});
