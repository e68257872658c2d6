/** Stamps of a replica whose disk may have been put back. */
import fc from 'fast-check';
import t from 'tap';
import {
  epochsMost,
  hasRead,
  markAt,
  readUpTo,
  unread,
  withEpoch,
  type History,
  type Mark,
} from './history.js';

const first: History = [{ id: 'a', after: 0 }];
const second = withEpoch(first, 'b', 1000);

t.test('whoever has read a part reads on behind it', async (t) => {
  t.equal(readUpTo(unread, second, 1010), 0);
  t.same(markAt(second, 7), { stamp: 7, epochs: first });
  t.same(markAt(second, 1007), { stamp: 1007, epochs: second });
  t.equal(readUpTo(markAt(second, 7), second, 1010), 7);
  t.equal(readUpTo(markAt(second, 1007), second, 1010), 1007);
  t.equal(readUpTo(markAt(first, 7), second, 1010), 7, 'a restart changes nothing');
});

t.test('a disk that was put back is read from where it went another way', async (t) => {
  const other = withEpoch(first, 'c', 1000);
  const mark = markAt(second, 1007);
  t.equal(readUpTo(mark, other, 1010), 1000);
  t.ok(hasRead(mark, other, 5));
  t.notOk(hasRead(mark, other, 1005), 'the same stamp, of another change');
  t.notOk(hasRead(mark, second, 1008));
  t.ok(hasRead(mark, second, 1007));
  t.equal(readUpTo(mark, first, 9), 9, 'where it has changed nothing since, there is nothing to read');

  const inTheMiddle = markAt(first, 50);
  t.equal(readUpTo(inTheMiddle, withEpoch(first, 'c', 40), 45), 40, 'a copy of the middle of an epoch');
  t.equal(readUpTo(inTheMiddle, [{ id: 'z', after: 0 }], 45), 0, 'a disk of which nothing is known');
  t.notOk(hasRead(inTheMiddle, [{ id: 'z', after: 0 }], 1));
});

t.test('of many epochs the last are remembered', async (t) => {
  let history = first;
  for (let count = 0; count < 100; count += 1) history = withEpoch(history, `e${count}`, (count + 1) * 1000);
  t.equal(history.length, epochsMost);
  t.notOk(hasRead(markAt(history, 100_000), history, 5), 'what came before them counts as not read');
  t.equal(readUpTo(markAt(first, 5), history, 100_000), 0);
});

/** A replica as a list of changes that never repeat, and its stamps; disks of it are copied and put back. */
interface Disk {
  history: History;
  stamp: number;
  /** By stamp: the change, one of a kind. */
  changes: ReadonlyMap<number, number>;
}

interface Reader {
  mark: Mark;
  read: ReadonlySet<number>;
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant('change' as const) },
  { weight: 2, arbitrary: fc.constant('read' as const) },
  { weight: 2, arbitrary: fc.constant('restart' as const) },
  { weight: 1, arbitrary: fc.constant('copy' as const) },
  { weight: 1, arbitrary: fc.constant('put back' as const) },
  { weight: 1, arbitrary: fc.constant('swap' as const) },
);

t.test(
  'nothing is left out, and what counts as read was read, however often the disk was put back',
  async () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 0, max: 5 }), (steps, gap) => {
        let [ids, changes] = [0, 0];
        let disk: Disk = { history: [{ id: 'e0', after: 0 }], stamp: 0, changes: new Map() };
        let copy = { ...disk };
        let isBegun = true;
        let reader: Reader = { mark: unread, read: new Set() };
        for (const each of steps) {
          if (each === 'copy') copy = { ...disk };
          if (each === 'put back') disk = { ...copy };
          if (each === 'swap') [disk, copy] = [{ ...copy }, { ...disk }];
          if (each === 'restart' || each === 'put back' || each === 'swap') isBegun = false;
          if (each === 'change') {
            if (!isBegun) {
              const history = withEpoch(disk.history, `e${(ids += 1)}`, disk.stamp);
              disk = { ...disk, stamp: disk.stamp + gap, history };
              isBegun = true;
            }
            const stamp = disk.stamp + 1;
            disk = { ...disk, stamp, changes: new Map([...disk.changes, [stamp, (changes += 1)]]) };
          }
          if (each === 'read') {
            const from = readUpTo(reader.mark, disk.history, disk.stamp);
            const news = [...disk.changes].filter(([stamp]) => stamp > from).map(([, change]) => change);
            reader = { mark: markAt(disk.history, disk.stamp), read: new Set([...reader.read, ...news]) };
          }
          for (const [stamp, change] of disk.changes) {
            if (each === 'read' && !reader.read.has(change)) return false;
            if (hasRead(reader.mark, disk.history, stamp) && !reader.read.has(change)) return false;
          }
        }
        return true;
      }),
      { numRuns: 3000 },
    );
  },
);
