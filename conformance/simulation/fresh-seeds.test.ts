/**
 * Two thousand seeds of the simulator in `npm test`, with the code as it is now. `SEED=5 SEEDS=100` plays others;
 * `npm run sim` shrinks and stores a failing one.
 *
 * Most numbers are the same until somebody raises `first`: whoever changes the code, and not who happens to run the
 * tests, hears of what he has broken. Each change of the code makes other runs of them. The others are drawn from the
 * code itself (`code-seeds.ts`): new with each change, the same for everybody who has this code.
 */
import { resolve } from 'node:path';
import t from 'tap';
import { scaled } from '../test-scale.js';
import { seedOfCode } from './code-seeds.js';
import { required, Situations } from './world/situations.js';
import { runSeeds, type Work } from './world/workers.js';

const first = 60_401;
const jobs = 2;
/** Where the machine is so slow, fewer are played. */
const mostMs = 400_000;
const toldEvery = 250;

const chosen = process.env['SEED'];
const count = Number(process.env['SEEDS'] ?? scaled(2_000, 200));
/** Of five seeds one is new. */
const fresh = chosen === undefined ? Math.floor(count / 5) : 0;
const spans = [
  { from: seedOfCode(resolve(import.meta.dirname, '../..')), count: fresh },
  { from: Number(chosen ?? first), count: count - fresh },
].filter((span) => span.count > 0);
const names = spans.map((span) => `${span.from}..${span.from + span.count - 1}`).join(', ');

t.setTimeout(20 * 60_000);

t.test(`seeds ${names} break no law`, async (t) => {
  const broken: string[] = [];
  const started = performance.now();
  let played = 0;
  let acknowledged = 0;
  const situations = new Situations();
  await runSeeds(work(), {
    jobs,
    take: ({ seed, violations, acknowledged: deeds, situations: met }) => {
      played += 1;
      acknowledged += deeds;
      situations.add(met);
      for (const { law, text } of violations) {
        broken.push(`seed ${seed}, ${law}: ${text} (npm run sim -- --seeds ${seed}..${seed} shrinks it)`);
      }
      const ms = performance.now() - started;
      if (played % toldEvery === 0)
        console.error(`sim: ${played} of ${count} seeds, ${Math.round(ms / 1000)} s`);
      return ms < mostMs;
    },
  });
  t.same(broken, []);
  // As many meet every situation that there is; fewer may miss some.
  const missed = required.filter((situation) => situations.all[situation] === undefined);
  if (played >= 2_000) t.same(missed, [], 'every situation was reached');
  t.ok(played >= Math.min(count, 200), `${played} seeds, ${acknowledged} deeds acknowledged`);
});

function* work(): Generator<Work> {
  for (const { from, count } of spans)
    for (let seed = from; seed < from + count; seed += 1) yield { seed, twice: false };
}
