/**
 * Two thousand seeds of the simulator in `npm test`, drawn from the code as it is (`code-seeds.ts`): new with each
 * change of it, the same for everybody who has this code. So whoever changes it, and not who happens to run the tests,
 * hears of what he has broken, and all of them meet something that nobody has met before. `SEED=5 SEEDS=100` plays
 * others; `npm run sim` shrinks and stores a failing one.
 */
import { resolve } from 'node:path';
import t from 'tap';
import { elastic } from '../test-scale.js';
import { seedOfCode } from './code-seeds.js';
import { required, Situations } from './world/situations.js';
import { runSeeds, type Work } from './world/workers.js';

const jobs = 2;
/** Where the machine is so slow, fewer are played. */
const mostMs = 400_000;
const toldEvery = 250;
/** Every so many seeds one is run twice. */
const repeatedEvery = 25;

const { most: count, isEnough } = elastic('SEEDS', 2_000, 200);
const from = Number(process.env['SEED'] ?? seedOfCode(resolve(import.meta.dirname, '../..')));
const names = `${from}..${from + count - 1}`;

t.setTimeout(20 * 60_000);

t.test(`seeds ${names} break no law`, async (t) => {
  const broken: string[] = [];
  const started = performance.now();
  let played = 0;
  let acknowledged = 0;
  const situations = new Situations();
  await runSeeds(work(), {
    jobs,
    take: ({ seed, violations, acknowledged: deeds, situations: met, unlike }) => {
      played += 1;
      acknowledged += deeds;
      situations.add(met);
      for (const { law, text } of violations) {
        broken.push(`seed ${seed}, ${law}: ${text} (npm run sim -- --seeds ${seed}..${seed} shrinks it)`);
      }
      if (unlike !== undefined) broken.push(`seed ${seed} was another run the second time: ${unlike}`);
      const ms = performance.now() - started;
      if (played % toldEvery === 0)
        console.error(`sim: ${played} of ${count} seeds, ${Math.round(ms / 1000)} s`);
      return ms < mostMs && !isEnough(played);
    },
  });
  t.same(broken, []);
  // As many meet every situation that there is; fewer may miss some.
  const missed = required.filter((situation) => situations.runs(situation) === 0);
  if (played >= 2_000) t.same(missed, [], 'every situation was reached');
  t.ok(played >= Math.min(count, 200), `${played} seeds, ${acknowledged} deeds acknowledged`);
});

function* work(): Generator<Work> {
  for (let seed = from; seed < from + count; seed += 1) yield { seed, twice: seed % repeatedEvery === 0 };
}
