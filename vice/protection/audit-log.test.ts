/** What stays of a login and of a change: entries that are there before what they tell of, and that hold together. */
import t from 'tap';
import { brokenLink, Failure, isFailure, seal } from '../interface/index.js';
import { silentLog } from '../seam/log.js';
import type { Session } from '../seam/network.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { AuditLog } from './audit-log.js';

const session: Session = {
  id: 1,
  peer: { role: 'gateway', name: 'g1/0123456789abcdef' },
  push() {},
  close() {},
};
const wanted = { event: 'change', by: 'ada', what: { change: 'add-server', name: 's4' } } as const;

function opened(): { readonly store: MemoryStore; readonly audit: AuditLog; readonly lacking: string[] } {
  const store = new MemoryStore({});
  const lacking: string[] = [];
  const log = { ...silentLog, error: (event: string) => void lacking.push(event) };
  return { store, audit: new AuditLog({ clock: new SimulatedClock(), store, log }), lacking };
}

t.test('an act has its entry before it begins, and one more when it is refused', async (t) => {
  const { audit } = opened();
  const seen = await audit.act(session, wanted, async () => audit.page(null, 10).entries.length);
  t.equal(seen, 1);
  const refusal = new Failure('refused', 'vice.publish', 's4 holds replicas');
  await t.rejects(
    audit.act(session, wanted, () => Promise.reject(refusal)),
    refusal,
  );
  t.match(audit.page(null, 10), {
    last: 3,
    entries: [
      {
        number: 1,
        event: 'change',
        by: 'ada',
        through: 'gateway g1',
        what: { change: '"add-server"', name: '"s4"' },
      },
      { number: 2, event: 'change' },
      { number: 3, event: 'refused', by: 'ada', what: { kind: '"refused"' } },
    ],
  });
  t.equal(brokenLink(audit.page(null, 10).entries), undefined);
});

t.test(
  'what cannot be noted is not done; a login is, and the log of the process says what is missing',
  async (t) => {
    const { store, audit, lacking } = opened();
    store.failNext('no-space');
    let isDone = false;
    const acted = audit.act(session, wanted, async () => (isDone = true));
    t.ok(isFailure(await acted.catch((error: unknown) => error), 'no-space'));
    t.notOk(isDone);
    store.failNext('no-space');
    audit.mention({ event: 'login', by: 'ada', through: 'gateway g1' });
    await store.transact(() => undefined).catch(() => undefined);
    await store.transact(() => undefined);
    t.same(lacking, ['not in the audit log']);
    t.same(audit.page(null, 10), { entries: [], last: 0 });
  },
);

t.test('the newest entries are kept, and still hold together', async (t) => {
  const clock = new SimulatedClock();
  const audit = new AuditLog({ clock, store: new MemoryStore({}), log: silentLog }, 3);
  for (const by of ['ada', 'bob', 'eve', 'dan'])
    await audit.note({ event: 'login', by, through: 'gateway g1' });
  const { entries, last } = audit.page(0, 10);
  t.same([last, ...entries.map(({ number }) => number)], [4, 2, 3, 4]);
  t.equal(brokenLink(entries), undefined);
});

t.test('an entry that its disk has damaged hinders nobody, and is missed', async (t) => {
  const { store, audit } = opened();
  for (const by of ['ada', 'bob']) await audit.note({ event: 'login', by, through: 'gateway g1' });
  const key = `audit/${'2'.padStart(12, '0')}`;
  await store.transact((transaction) => transaction.put(key, Buffer.from('no entry')));
  const numbers = (): readonly number[] => audit.page(0, 10).entries.map(({ number }) => number);
  t.same([numbers(), audit.page(0, 10).last], [[1], 2], 'the newest one is counted');
  t.equal(await audit.act(session, wanted, async () => 'done'), 'done');
  await audit.note({ event: 'login', by: 'eve', through: 'gateway g1' });
  t.same([numbers(), audit.page(0, 10).last], [[1, 3, 4], 4]);
  t.equal(brokenLink(audit.page(0, 10).entries), 3);
  t.equal(brokenLink(audit.page(2, 10).entries), undefined, 'from there on it holds together again');
});

t.test('an entry that is changed, or taken out, is told by the next one', async (t) => {
  const { store, audit } = opened();
  for (const by of ['ada', 'bob', 'eve', 'dan'])
    await audit.note({ event: 'login', by, through: 'gateway g1' });
  const page = (): ReturnType<AuditLog['page']>['entries'] => audit.page(0, 10).entries;
  const [, second] = page();
  const key = `audit/${'2'.padStart(12, '0')}`;
  await store.transact((transaction) => transaction.put(key, seal({ ...second, by: 'ada' })));
  t.equal(brokenLink(page()), 3);
  await store.transact((transaction) => transaction.remove(key));
  t.equal(brokenLink(page()), 3);
  await store.transact((transaction) => transaction.put(key, seal(second)));
  t.equal(brokenLink(page()), undefined);
  t.same(
    audit.page(2, 1).entries.map(({ number }) => number),
    [3],
    'page by page',
  );
});
