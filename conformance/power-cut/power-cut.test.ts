/**
 * Power cuts: the kernel, its page cache and all processes are gone at a drawn moment, and what the disk was given is
 * there; at least 30 times. Then every acknowledged change is there, and every other one is absent or whole.
 *
 * CODA_POWER_CUTS and CODA_CRASH_SEED choose another number and another sequence; CODA_CRASH_KEEP=yes keeps the
 * disk of a realm in which something was wrong.
 */
import t from 'tap';
import { elastic } from '../test-scale.js';
import { Administrator, undertakings } from './administrator.js';
import { skipWithoutMachine } from './cable.js';
import { Laboratory } from './laboratory.js';
import { Life } from './life.js';
import { Tally } from './tally.js';
import { Trial } from './trial.js';

const { most: cuts, isEnough } = elastic('CODA_POWER_CUTS', 30, 6);
const seed = Number(process.env['CODA_CRASH_SEED'] ?? 20_261_126);
const keeps = process.env['CODA_CRASH_KEEP'] === 'yes';
/** Then another realm on an empty disk: folders are read at the end, all of them, several times. */
const cutsPerRealm = 40;

t.setTimeout(8 * 3_600_000);

const skip = await skipWithoutMachine('e2fsck', 'debugfs');
const tally = new Tally(seed, cuts);

for (let done = 0; done < cuts; done += cutsPerRealm) {
  const share = Math.min(cuts - done, cutsPerRealm);
  void t.test(`${share} power cuts (seed ${seed + done})`, { skip }, async (t) => {
    const laboratory = await tally.time('begin', () => Laboratory.open());
    const trial = new Trial(laboratory, seed + done);
    t.teardown(async () => {
      await laboratory.cutPower();
      await trial.end();
      await laboratory.close(keeps && !t.passing());
    });
    const administrator = new Administrator(laboratory, trial.writers);
    const life = new Life(laboratory, trial, administrator, tally);
    const before = tally.cuts;
    await life.live(share, () => isEnough(tally.cuts));
    t.same(trial.faults.slice(0, 10), [], 'folders looked at between cuts are as they must be');

    await tally.time('end', async () => {
      await life.settle();
      t.same((await trial.judgeAll()).slice(0, 10), [], 'every folder is as it must be, through the gateway');
      t.same((await administrator.judgeAll()).slice(0, 10), [], 'so is the realm, with its snapshots');
      await laboratory.startGateway('fresh');
      await trial.connected();
      t.same((await trial.judgeAll()).slice(0, 10), [], 'and through an empty cache');
      await laboratory.order({ order: 'no-servers' });
      await laboratory.cutPower();
      await trial.end();
      const copy = await laboratory.takeDisk();
      for (const server of laboratory.servers) {
        t.same((await trial.judgeDisk(copy, server)).slice(0, 10), [], `and on the disk of ${server}`);
      }
    });
    t.ok(trial.acknowledged > (tally.cuts - before) * 5, 'there was load');
    tally.acknowledge('changes', trial.acknowledged);
    for (const each of undertakings) tally.acknowledge(each, administrator.acknowledged(each));
    tally.waited(Math.max(...trial.writers.map(({ slowest }) => slowest)));
    console.error(tally.text);
  });
}
