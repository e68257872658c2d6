/** A file is read just while somebody replaces or removes it: its reader is told one or the other, and no error. */
import t from 'tap';
import { outcomeOf, caller, contentsOf, pathOf, put, remove } from './share.js';
import { startedRealm } from './started-realm.js';

t.setTimeout(300_000);

for (const [how, lost] of [
  ['replaced', false],
  ['removed', false],
  ['replaced', true],
] as const) {
  t.test(`read while it is ${how}${lost ? ', and one of two servers is out of reach' : ''}`, async (t) => {
    const told = new Set<string>();
    for (let moment = 0; moment < 60; moment += 1) {
      const realm = await startedRealm({ seed: 100 + moment, servers: lost ? 2 : 1, flushMs: 10 });
      const [g1, g2] = [realm.gateway('g1'), realm.gateway('g2')];
      if (lost) for (const gateway of ['g1', 'g2']) realm.network.cut(gateway, 's2');
      await realm.clock.advance(lost ? 60_000 : 2000);
      await realm.finish(put(g1, 'report', 'old'.repeat(30_000)));
      const { object } = await realm.finish(g2.lookup(caller, pathOf('report')));
      const changing = how === 'replaced' ? put(g1, 'report', 'new'.repeat(30_000)) : remove(g1, 'report');
      await realm.clock.advance(moment);
      if (object === null) throw new Error('it is there');
      const reading = g2.open(caller, object.fid).then(contentsOf);
      told.add(await realm.finish(reading.then((text) => text.slice(0, 3), kindOf)));
      t.equal(await realm.finish(outcomeOf(changing)), 'done');
    }
    t.same([...told].sort(), how === 'replaced' ? ['new', 'old'] : ['not-found', 'old']);
  });
}

function kindOf(error: unknown): string {
  return error instanceof Error && 'kind' in error ? String(error.kind) : String(error);
}
