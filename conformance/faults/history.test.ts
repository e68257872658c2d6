/** The judge of the fault test: it finds each kind of loss, and nothing where there is none. */
import t from 'tap';
import { History, type Attempt } from './history.js';

function attempt(given: Partial<Attempt>): Attempt {
  return { gateway: 'g1', name: 'n', digest: undefined, base: undefined, outcome: 'done', ...given };
}

function history(...attempts: readonly Attempt[]): History {
  const made = new History();
  made.attempts.push(...attempts);
  return made;
}

t.test('what was acknowledged is there, under its name or beside it', async (t) => {
  const apart = history(attempt({ digest: 'a' }), attempt({ gateway: 'g2', digest: 'b' }));
  t.same(
    apart.judge(
      new Map([
        ['n', 'a'],
        ['n (conflict)', 'b'],
      ]),
    ),
    [],
  );
  t.match(apart.judge(new Map([['n', 'a']])), ['g2 acknowledged for n (b) is nowhere']);
  const follows = history(attempt({ digest: 'a' }), attempt({ digest: 'b', base: 'a' }));
  t.same(follows.judge(new Map([['n', 'b']])), []);
  t.match(follows.judge(new Map([['n', 'a']])), [/nowhere/, /replaced knowingly/]);
});

t.test('what had no answer may be there or not, whole or not at all', async (t) => {
  const open = history(attempt({ digest: 'a' }), attempt({ digest: 'b', base: 'a', outcome: 'unknown' }));
  t.same(open.judge(new Map([['n', 'a']])), []);
  t.same(open.judge(new Map([['n', 'b']])), []);
  const removal = history(attempt({ digest: 'a' }), attempt({ base: 'a', outcome: 'unknown' }));
  t.same(removal.judge(new Map()), []);
});

t.test('what was refused, removed or never written must not be there', async (t) => {
  t.match(history(attempt({ digest: 'a', outcome: 'refused' })).judge(new Map([['n', 'a']])), ['refused']);
  const removed = history(attempt({ digest: 'a' }), attempt({ base: 'a' }));
  t.same(removed.judge(new Map()), []);
  t.match(removed.judge(new Map([['n', 'a']])), ['replaced knowingly']);
  t.match(history().judge(new Map([['n', 'x']])), ['nobody wrote']);
});

t.test('a version never changes its bytes', async (t) => {
  const made = history();
  made.saw('g1', 'n', '"1"', 'a');
  made.saw('g2', 'n', '"1"', 'a');
  t.same(made.faults, []);
  made.saw('g2', 'n', '"1"', 'b');
  t.match(made.faults, ['g2 shows n with the ETag "1" and other bytes']);
});
