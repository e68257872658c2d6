/** One realm lives through power cuts: what is going on when they come, and what is looked at between them. */
import type { Administrator, Undertaking } from './administrator.js';
import type { Laboratory } from './laboratory.js';
import type { Tally } from './tally.js';
import { passing, type Trial } from './trial.js';

/** What is going on when the power goes. */
type Moment =
  /** Changes, with servers. */
  | 'connected'
  /** Changes, without. */
  | 'alone'
  /** The gateway's log is replayed. */
  | 'replaying'
  /** Everything is just starting. */
  | 'starting'
  /** Changes, with servers, and an administrator's work. */
  | Undertaking;

/** One after the other and again from the beginning. */
const plan: readonly Moment[] = [
  'connected',
  'alone',
  'replaying',
  'snapshot',
  'replica',
  'alone',
  'alone',
  'copy',
  'starting',
  'key',
];

/** So long a cut is waited for at most, in ms: about as long as what it shall come into. */
const startMs = 1_200;
const replayMs = 1_500;
const withinMs: Readonly<Record<Undertaking, number>> = {
  snapshot: 600,
  key: 600,
  replica: 1_500,
  copy: 1_000,
};

export class Life {
  readonly #laboratory: Laboratory;
  readonly #trial: Trial;
  readonly #administrator: Administrator;
  readonly #tally: Tally;
  /** There were no servers when the power went. */
  #alone = false;

  constructor(laboratory: Laboratory, trial: Trial, administrator: Administrator, tally: Tally) {
    this.#laboratory = laboratory;
    this.#trial = trial;
    this.#administrator = administrator;
    this.#tally = tally;
  }

  /** Ends early when something is not as it must be. */
  async live(cuts: number, isEnough: () => boolean = () => false): Promise<void> {
    for (let count = 0; count < cuts && !isEnough() && this.#trial.faults.length === 0; count += 1) {
      await this.#tally.time('boot', () => this.#trial.boot());
      this.#laboratory.standBy();
      const moment = plan[count % plan.length] ?? 'connected';
      await this.#cut(moment);
      this.#tally.count(moment);
    }
  }

  /** The last boot: everything runs, and nothing is on its way. */
  async settle(): Promise<void> {
    await this.#trial.boot();
    await this.#laboratory.startServers();
    await this.#laboratory.startGateway();
    await this.#administrator.complete();
    await this.#trial.drained();
  }

  async #cut(moment: Moment): Promise<void> {
    const { seeded } = this.#trial;
    const changes = 10 + seeded.below(60);
    switch (moment) {
      case 'starting':
        return this.#tally.time('work', () => this.#cutStart());
      case 'replaying':
        await this.#startAlone();
        await this.#tally.time('start', () => this.#laboratory.startServers());
        return this.#tally.time('work', async () => {
          await passing(seeded.below(replayMs));
          return this.#trial.cut();
        });
      case 'connected':
        await this.#start();
        return this.#work(changes);
      case 'alone':
        if (this.#alone) await this.#startAlone();
        else {
          await this.#start();
          await this.#laboratory.stopServers();
        }
        this.#alone = true;
        return this.#work(changes);
      case 'snapshot':
      case 'key':
      case 'replica':
      case 'copy':
        await this.#start();
        await this.#tally.time('prepare', () => this.#administrator.prepare(moment));
        return this.#work(changes, () => this.#administrator.begin(moment), withinMs[moment]);
    }
  }

  #work(...how: Parameters<Trial['workAndCut']>): Promise<void> {
    return this.#tally.time('work', () => this.#trial.workAndCut(...how));
  }

  /** What was acknowledged is on the gateway's own disk. */
  async #startAlone(): Promise<void> {
    await this.#tally.time('start', () => this.#laboratory.startGateway());
    if (this.#alone) await this.#tally.time('look', () => this.#trial.look());
  }

  /** And then on the servers', if it was not there before. */
  async #start(): Promise<void> {
    if (this.#alone) await this.#startAlone();
    await this.#tally.time('start', () => this.#laboratory.startServers());
    if (!this.#alone) await this.#tally.time('start', () => this.#laboratory.startGateway());
    await this.#tally.time('drain', () => this.#trial.drained());
    await this.#tally.time('connect', () => this.#trial.connected());
    await this.#tally.time('look', async () => {
      await this.#trial.look();
      this.#trial.faultsSeen.push(...(await this.#administrator.judgeNew()));
    });
    this.#alone = false;
  }

  async #cutStart(): Promise<void> {
    const starting = this.#laboratory.startServers().then(() => this.#laboratory.startGateway());
    // It cannot end well.
    const given = starting.catch(() => undefined);
    await passing(this.#trial.seeded.below(startMs));
    await this.#trial.cut();
    await given;
  }
}
