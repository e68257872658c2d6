/**
 * One server or gateway under the supervisor: a process that is kept running while it is wanted.
 *
 *            start              ready               stop
 *   stopped -------> starting ---------> running ----------> stopping ---> stopped
 *                       ^  | dies           | dies
 *                       |  v                v
 *                       +--- waiting <------+      (backoff.ts says how long)
 */
import { OperatorError, type OperatorErrorKind } from '../config/operator-error.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import { afterDeath, noDeaths } from './backoff.js';

export type ChildState = 'stopped' | 'starting' | 'running' | 'waiting' | 'stopping';

/** A process that was started, as launch.ts gives it. */
export interface Launched {
  readonly pid: number;
  /** Settles with the reason once the process has ended. */
  readonly ended: Promise<string>;
  /** Asks it to end. */
  stop(): void;
  /** Ends it. */
  kill(): void;
}

/** What a role process tells its supervisor (gateway/cli/role-process.ts). */
export type ChildReport =
  | { readonly report: 'ready'; readonly url: string }
  | { readonly report: 'failed'; readonly kind: OperatorErrorKind; readonly message: string };

export interface ChildOptions {
  readonly name: string;
  readonly clock: Clock;
  /** Starts the process; `report` may be called until it has ended. */
  launch(report: (report: ChildReport) => void): Launched;
  /** After every change of state. `why` is for the person who watches. */
  changed(child: Child, why: string): void;
}

const readyWithinMs = 60_000;
const stopWithinMs = 4_000;

export class Child {
  readonly name: string;
  readonly #options: ChildOptions;
  #state: ChildState = 'stopped';
  #process: Launched | undefined;
  #url: string | undefined;
  #wanted = false;
  #deaths = noDeaths;
  #timer: Timer | undefined;
  #attempt: Attempt | undefined;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get state(): ChildState {
    return this.#state;
  }

  /** Null while no process runs. */
  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  /** Where it listens, once it has been ready. */
  get url(): string | null {
    return this.#url ?? null;
  }

  /**
   * Wants the child running, and resolves when it is.
   * @throws OperatorError, or Error, when this first attempt fails; it is then tried again, until `stop`.
   */
  async start(): Promise<void> {
    this.#wanted = true;
    while (this.#state === 'stopping') await this.#process?.ended;
    if (this.#state === 'running') return;
    if (this.#attempt === undefined) this.#launch();
    await this.#attempt?.promise;
  }

  /** Wants the child stopped, and resolves when it is: in at most four seconds, then by force. */
  async stop(): Promise<void> {
    this.#wanted = false;
    this.#deaths = noDeaths;
    this.#timer?.cancel();
    const running = this.#process;
    if (running === undefined) {
      if (this.#state !== 'stopped') this.#become('stopped', 'stopped');
      return;
    }
    this.#become('stopping', 'stopping');
    running.stop();
    const force = this.#options.clock.after(stopWithinMs, () => running.kill());
    await running.ended;
    force.cancel();
  }

  /** Ends the process at once; it is not started again. */
  kill(): void {
    this.#wanted = false;
    this.#timer?.cancel();
    this.#process?.kill();
  }

  #launch(): void {
    const { clock, launch } = this.#options;
    this.#timer?.cancel();
    const attempt = new Attempt();
    this.#attempt = attempt;
    const born = clock.monotonic();
    let failure: Error | undefined;
    const launched = launch((report) => {
      if (report.report === 'failed') failure = new OperatorError(report.kind, report.message);
      else if (this.#state === 'starting') this.#ready(report.url);
    });
    this.#process = launched;
    this.#become('starting', `starting, process ${launched.pid}`);
    const patience = clock.after(readyWithinMs, () => {
      if (this.#state === 'starting') launched.kill();
    });
    void launched.ended.then((reason) => {
      patience.cancel();
      this.#process = undefined;
      this.#attempt = undefined;
      this.#died(clock.monotonic() - born, failure?.message ?? reason);
      attempt.fail(failure ?? new Error(`${this.name} ended before it was ready (${reason})`));
    });
  }

  #ready(url: string): void {
    this.#url = url;
    this.#become('running', `ready at ${url}`);
    this.#attempt?.succeed();
    this.#attempt = undefined;
  }

  #died(uptimeMs: number, reason: string): void {
    if (!this.#wanted) return this.#become('stopped', `stopped (${reason})`);
    const { deaths, delayMs } = afterDeath(this.#deaths, uptimeMs);
    this.#deaths = deaths;
    this.#timer = this.#options.clock.after(delayMs, () => this.#launch());
    this.#become('waiting', `died (${reason}); starting it again in ${delayMs / 1000} s`);
  }

  #become(state: ChildState, why: string): void {
    this.#state = state;
    this.#options.changed(this, why);
  }
}

/** A promise for one start. Nobody may be waiting for it: a failure is then told by `changed` alone. */
class Attempt {
  readonly promise: Promise<void>;
  succeed: () => void = () => undefined;
  fail: (reason: Error) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
    });
    this.promise.catch(() => undefined);
  }
}
