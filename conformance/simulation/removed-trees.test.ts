/** Trees that are removed while somebody else works in them: what their author has not seen stays (GU-1). */
import t from 'tap';
import type { Venus } from '../../venus/interface.js';
import { get, list, makeDirectory, outcomeOf, put, remove, rename } from './share.js';
import { SimulatedRealm } from './simulated-realm.js';

t.setTimeout(300_000);

async function started(seed: number) {
  const realm = new SimulatedRealm({ seed });
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  return { realm, g1, g2 };
}

type Stage = Awaited<ReturnType<typeof started>>;

const nameOf = (index: number): string => `f${String(index).padStart(3, '0')}`;

/** A folder `d` with so many files that it is removed file by file, and whose last one is known at `g2`. */
async function large(seed: number, before: (stage: Stage) => Promise<unknown> = async () => undefined) {
  const count = 160;
  const stage = await started(seed);
  await before(stage);
  const { realm, g1, g2 } = stage;
  await realm.finish(makeDirectory(g1, 'd'));
  for (let index = 0; index < count; index += 1)
    await realm.finish(put(g1, `d/${nameOf(index)}`, `old ${index}`));
  for (const venus of [g1, g2]) for (const path of ['', 'd']) await realm.finish(list(venus, path));
  await realm.clock.advance(1000);
  return { ...stage, last: `d/${nameOf(count - 1)}` };
}

/** What becomes of `d` when it is removed and `work` is done as soon as the removal has begun. */
async function removedWhile(
  { realm, g1 }: { readonly realm: SimulatedRealm; readonly g1: Venus },
  work: () => Promise<unknown>,
): Promise<readonly [removal: string, work: string]> {
  const removing = outcomeOf(remove(g1, 'd'));
  await realm.clock.advance(5);
  const worked = await realm.finish(outcomeOf(work()));
  return [await realm.finish(removing), worked];
}

t.test('a file that is saved while its large folder is removed stays', async (t) => {
  let count = 0;
  for (let seed = 6; seed <= 11; seed += 1) {
    const stage = await large(seed);
    const { realm, g1, g2, last } = stage;
    const [removal, saved] = await removedWhile(stage, () => put(g2, last, 'saved meanwhile'));
    if (saved !== 'done') {
      t.equal(saved, 'not-found', 'the folder has gone before it could be listed: all servers have answered');
      continue;
    }
    // Where it was gone already when it was saved, it was made anew: then the folder is back with it alone (ST-1).
    if (removal !== 'done') count += 1;
    t.match(removal, /^(not-empty|changed|done)$/, `seed ${seed}`);
    await realm.clock.advance(5000);
    for (const venus of [g1, g2]) t.equal(await realm.finish(get(venus, last)), 'saved meanwhile');
    if (removal === 'done') t.same(await realm.finish(list(g1, 'd')), [last.slice(2)]);
    t.equal(await realm.finish(outcomeOf(remove(g1, 'd'))), 'done', 'who looks again removes that, too');
  }
  t.ok(count > 0, `saved in ${count} runs`);
});

t.test('a file that takes the name of one in a large folder that is removed stays', async (t) => {
  let count = 0;
  for (let seed = 1; seed <= 6; seed += 1) {
    const stage = await large(seed, async ({ realm, g1 }) => realm.finish(put(g1, 'e', 'moved there')));
    const { realm, g1, g2, last } = stage;
    const [removal, moved] = await removedWhile(stage, () => rename(g2, 'e', last));
    if (moved !== 'done') continue;
    count += 1;
    t.match(removal, /^(not-empty|changed)$/, `seed ${seed}`);
    await realm.clock.advance(5000);
    for (const venus of [g1, g2]) t.equal(await realm.finish(get(venus, last)), 'moved there');
  }
  t.ok(count > 0, `moved in ${count} runs`);
});

t.test('a file that comes into a small folder while that is removed stays', async (t) => {
  let [count, failed] = [0, 0];
  for (let seed = 1; seed <= 12; seed += 1) {
    const { realm, g1, g2 } = await started(seed);
    await realm.finish(makeDirectory(g1, 'd'));
    await realm.finish(put(g1, 'd/a', 'old'));
    await realm.finish(put(g2, 'e', 'moved there'));
    for (const venus of [g1, g2]) for (const path of ['', 'd']) await realm.finish(list(venus, path));
    await realm.clock.advance(1000);
    const moving = outcomeOf(rename(g2, 'e', 'd/e'));
    await realm.clock.advance(1);
    // Nothing of it is heard of yet.
    const removal = await realm.finish(outcomeOf(remove(g1, 'd')));
    if ((await realm.finish(moving)) !== 'done') continue;
    count += 1;
    t.match(removal, /^(not-empty|done)$/, `seed ${seed}`);
    if (removal !== 'done') failed += 1;
    const left = removal === 'done' ? ['e'] : ['a', 'e'];
    for (const venus of [g1, g2]) t.same(await realm.finish(list(venus, 'd')), left);
    t.equal(await realm.finish(get(g1, 'd/e')), 'moved there');
  }
  t.ok(failed > 0, `of ${count} removals ${failed} have failed`);
});
