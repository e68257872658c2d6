/** The disk of one server stalls: its network is well, but nothing reaches the disk. Nobody waits long for it. */
import t from 'tap';
import type { Venus } from '../../venus/interface.js';
import { get, list, makeDirectory, put, remove } from './share.js';
import { type SimulatedRealm } from './simulated-realm.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(120_000);

/** Simulated milliseconds. */
const [stalledMs, patienceMs, promptMs] = [120_000, 4500, 100];

async function timed(realm: SimulatedRealm, deed: Promise<unknown>): Promise<number> {
  const begin = realm.clock.monotonic();
  await realm.finish(deed);
  return realm.clock.monotonic() - begin;
}

for (const servers of [3, 1]) {
  t.test(`one of ${servers} servers`, async (t) => {
    const realm = await startedRealm({ seed: 5, servers, flushMs: 2 });
    const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
    await realm.clock.advance(3000);
    for (const name of ['a', 'b', 'c']) await realm.finish(put(g1, name, 'before'));
    for (const name of ['a', 'b', 'c']) await realm.finish(get(g2, name));
    const { store, containers } = realm.disk('s1');
    for (const disk of [store, containers]) disk.slow(stalledMs);

    const day = async (venus: Venus, text: string): Promise<readonly number[]> => [
      await timed(realm, put(venus, 'a', text)),
      await timed(realm, get(venus, 'a')),
      await timed(realm, list(venus, '')),
      await timed(realm, remove(venus, 'b')),
      await timed(realm, put(venus, 'b', text)),
      await timed(realm, makeDirectory(venus, `made ${text}`)),
    ];
    for (const [venus, text] of [
      [g1, 'one'],
      [g2, 'two'],
    ] as const) {
      const first = await day(venus, text);
      t.ok(
        Math.max(...first) < (servers === 1 ? 11_000 : patienceMs),
        `at first: ${first.map(Math.round).join(' ')}`,
      );
      await realm.clock.advance(15_000);
      const later = await day(venus, `${text} later`);
      t.ok(Math.max(...later) < promptMs, `since it was given up: ${later.map(Math.round).join(' ')}`);
    }

    for (const disk of [store, containers]) disk.mend();
    await realm.clock.advance(60_000);
    const [one, two] = [await realm.finish(list(g1, '')), await realm.finish(list(g2, ''))];
    t.same(one, two);
    for (const name of ['a', 'b', 'c', 'made one', 'made two later']) t.ok(one.includes(name), name);
    for (const venus of [g1, g2]) {
      t.same(venus.log.changes(), []);
      t.equal(venus.state().volumes[0]?.avsg.length, servers, 'it is back');
    }
    const dumps = await Promise.all(realm.serverNames.map((name) => realm.dump(name)));
    t.equal(new Set(dumps.map((dump) => dump.length)).size, 1);
  });
}
