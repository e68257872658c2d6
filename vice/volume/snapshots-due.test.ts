/** A schedule of snapshots: a table of moments, then what holds for any history. */
import fc from 'fast-check';
import t from 'tap';
import type { Snapshot } from '../store/snapshot-rows.js';
import { dueSnapshots } from './snapshots-due.js';

const dayMs = 86_400_000;
const schedule = { daily: 3, weekly: 2, hour: 2 };

function at(text: string): number {
  return Date.parse(`${text}Z`);
}

function named(...names: readonly string[]): readonly Snapshot[] {
  return names.map((name) => ({ name, time: 1 }));
}

t.test('what is due when', async (t) => {
  const due = at('2024-05-31T02:00');
  t.same(
    dueSnapshots(schedule, at('2024-05-31T02:01'), named('weekly 2024-05-27')).take,
    [{ name: 'daily 2024-05-31', time: due }],
    'a minute late it has the time of all others',
  );
  t.same(
    dueSnapshots(schedule, at('2024-05-31T10:00'), []).take,
    [
      { name: 'daily 2024-05-31', time: at('2024-05-31T10:00') },
      { name: 'weekly 2024-05-27', time: at('2024-05-31T10:00') },
    ],
    'a machine that was off takes what it missed, with its own time; 2024-05-27 was a Monday',
  );
  t.match(dueSnapshots(schedule, at('2024-05-31T01:59'), []).take, [{ name: 'daily 2024-05-30' }, {}]);
  t.match(dueSnapshots(schedule, at('2024-05-27T01:59'), []).take, [{}, { name: 'weekly 2024-05-20' }]);
  t.match(dueSnapshots(schedule, at('2024-05-27T02:00'), []).take, [{}, { name: 'weekly 2024-05-27' }]);
  const all = named('daily 2024-05-31', 'weekly 2024-05-27');
  t.same(dueSnapshots(schedule, at('2024-05-31T23:00'), all), { take: [], drop: [] });
});

t.test('the oldest of each kind go, and nothing that a person has named', async (t) => {
  const existing = named(
    'daily 2024-05-28',
    'daily 2024-05-29',
    'daily 2024-05-30',
    'before the move',
    'daily report',
    'weekly 2024-05-20',
    'weekly 2024-05-13',
    'weekly 2024-05-06',
  );
  const { take, drop } = dueSnapshots(schedule, at('2024-05-31T02:00'), existing);
  t.same(
    take.map(({ name }) => name),
    ['daily 2024-05-31', 'weekly 2024-05-27'],
  );
  t.same([...drop].sort(), ['daily 2024-05-28', 'weekly 2024-05-06', 'weekly 2024-05-13']);
  const none = dueSnapshots({ ...schedule, daily: 0 }, at('2024-05-31T02:00'), existing);
  t.notMatch(none.take, [{ name: /daily/ }]);
  t.equal(
    none.drop.filter((name) => name.startsWith('daily 2')).length,
    3,
    'a kind that is not wanted any more',
  );
});

t.test('property: whatever the clock does, what is done is done, and never more than wanted', async (t) => {
  const moments = fc.array(fc.integer({ min: 0, max: 400 * dayMs }), { maxLength: 40 });
  const kept = fc.record({ daily: fc.nat(5), weekly: fc.nat(5), hour: fc.nat(23) });
  fc.assert(
    fc.property(kept, moments, (wanted, nows) => {
      let existing: readonly Snapshot[] = named('mine');
      for (const now of nows) {
        const { take, drop } = dueSnapshots(wanted, 1.7e12 + now, existing);
        existing = [...existing, ...take].filter(({ name }) => !drop.includes(name));
        const again = dueSnapshots(wanted, 1.7e12 + now, existing);
        if (again.take.length + again.drop.length > 0) return false;
        if (existing.length > 1 + wanted.daily + wanted.weekly) return false;
        if (!existing.some(({ name }) => name === 'mine')) return false;
      }
      return true;
    }),
    { seed: 1, numRuns: 300 },
  );
  t.pass();
});
