/**
 * A gateway that dies again and again, without servers and in the replay. SEED=7 SEEDS=1 ROUNDS=4 repeats one run and
 * prints its trace.
 */
import t from 'tap';
import { scaled } from '../test-scale.js';
import { killedRun } from './killed-run.js';

const first = Number(process.env['SEED'] ?? 1);
const seeds = Number(process.env['SEEDS'] ?? scaled(20, 4));
const rounds = Number(process.env['ROUNDS'] ?? 4);

t.setTimeout(3_600_000);

t.test(`kills without servers and in the replay, seeds ${first}..${first + seeds - 1}`, async (t) => {
  let kills = 0;
  let acknowledged = 0;
  for (let seed = first; seed < first + seeds; seed += 1) {
    const report = await killedRun(seed, rounds);
    kills += report.kills;
    acknowledged += report.acknowledged;
    if (report.faults.length > 0 || seeds === 1) for (const line of report.trace) t.comment(line);
    t.same(report.faults, [], `seed ${seed}`);
  }
  t.comment(`${kills} kills, ${acknowledged} changes acknowledged`);
  t.ok(kills > seeds && acknowledged > seeds * 10, 'there was load');
});
