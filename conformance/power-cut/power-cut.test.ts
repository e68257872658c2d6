/**
 * Power cuts: the kernel, its page cache and all processes are gone at a drawn moment, and what the disk was given is
 * there; at least 30 times. Then every acknowledged change is there, and every other one is absent or whole.
 *
 * CODA_POWER_CUTS and CODA_CRASH_SEED choose another number and another sequence; CODA_CRASH_KEEP=yes leaves the disk.
 */
import t from 'tap';
import { scaled } from '../test-scale.js';
import { skipWithoutMachine } from './cable.js';
import { Laboratory } from './laboratory.js';
import { passing, Trial } from './trial.js';

const cuts = Number(process.env['CODA_POWER_CUTS'] ?? scaled(30, 6));
const seed = Number(process.env['CODA_CRASH_SEED'] ?? 20_261_126);
/** Then another realm on an empty disk: folders are read at the end, all of them, several times. */
const cutsPerRealm = 40;

t.setTimeout(8 * 3_600_000);

/**
 * What is going on when the power goes, one after the other and again from the beginning: changes with servers; changes
 * without; the gateway's log being replayed; everything just starting.
 */
const plan = [
  'connected',
  'alone',
  'replaying',
  'connected',
  'alone',
  'alone',
  'connected',
  'starting',
] as const;
type Moment = (typeof plan)[number];

/** One realm lives through cuts. */
class Life {
  readonly #laboratory: Laboratory;
  readonly #trial: Trial;
  /** There were no servers when the power went. */
  #alone = false;

  constructor(laboratory: Laboratory, trial: Trial) {
    this.#laboratory = laboratory;
    this.#trial = trial;
  }

  async live(cuts: number): Promise<void> {
    for (let count = 0; count < cuts && this.#trial.faults.length === 0; count += 1) {
      await this.#trial.boot();
      await this.#cut(plan[count % plan.length] ?? 'connected');
    }
  }

  async #cut(moment: Moment): Promise<void> {
    const { seeded } = this.#trial;
    switch (moment) {
      case 'starting':
        return this.#cutStart();
      case 'replaying':
        await this.#startAlone();
        await this.#laboratory.startServers();
        await passing(seeded.below(1_500));
        return this.#trial.cut();
      case 'connected':
        await this.#start();
        this.#alone = false;
        return this.#trial.workAndCut(10 + seeded.below(60));
      case 'alone':
        if (this.#alone) await this.#startAlone();
        else {
          await this.#start();
          await this.#laboratory.stopServers();
        }
        this.#alone = true;
        return this.#trial.workAndCut(10 + seeded.below(60));
    }
  }

  /** What was acknowledged is on the gateway's own disk. */
  async #startAlone(): Promise<void> {
    await this.#laboratory.startGateway();
    if (this.#alone) await this.#trial.look();
  }

  /** And then on the servers', if it was not there before. */
  async #start(): Promise<void> {
    if (this.#alone) await this.#startAlone();
    await this.#laboratory.startServers();
    if (!this.#alone) await this.#laboratory.startGateway();
    await this.#trial.drained();
    await this.#trial.connected();
    await this.#trial.look();
  }

  async #cutStart(): Promise<void> {
    const starting = this.#laboratory.startServers().then(() => this.#laboratory.startGateway());
    // It cannot end well.
    const given = starting.catch(() => undefined);
    await passing(this.#trial.seeded.below(3_000));
    await this.#trial.cut();
    await given;
  }
}

const skip = await skipWithoutMachine('e2fsck', 'debugfs');

for (let done = 0; done < cuts; done += cutsPerRealm) {
  const share = Math.min(cuts - done, cutsPerRealm);
  void t.test(`${share} power cuts (seed ${seed + done})`, { skip }, async (t) => {
    const laboratory = await Laboratory.open();
    const trial = new Trial(laboratory, seed + done);
    t.teardown(async () => {
      await laboratory.cutPower();
      await trial.end();
      await laboratory.close();
    });
    const started = performance.now();
    await new Life(laboratory, trial).live(share);
    const seconds = Math.round((performance.now() - started) / 1000);
    t.same(trial.faults.slice(0, 10), [], 'folders looked at between cuts are as they must be');

    await trial.boot();
    await laboratory.startServers();
    await laboratory.startGateway();
    await trial.drained();
    t.same((await trial.judgeAll()).slice(0, 10), [], 'every folder is as it must be, through the gateway');
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
    t.ok(trial.acknowledged > share * 5, 'there was load');
    t.comment(`${share} cuts in ${seconds} s, ${trial.acknowledged} changes acknowledged`);
  });
}
