/** Plays a scenario on a simulated realm: safety while things fail; then all is healed, and it must come together. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { isFailure } from '../../../vice/interface/index.js';
import type { ConflictReport } from '../../../venus/interface.js';
import type { SimulatedRealm } from '../simulated-realm.js';
import { aftermathMs, Faults } from './faults.js';
import { lookAt } from './inspector.js';
import type { Attempt } from './attempt.js';
import { authorOf } from './ledger.js';
import type { Look, Run, Size } from './outcome.js';
import { isAdministered, putInOrder } from './put-in-order.js';
import { RoomWatch } from './quotas.js';
import { isDeed, wordsOf, type Deed, type Fault, type Scenario, type Step } from './scenario.js';
import { isLivingElsewhere } from './rot.js';
import { Session } from './session.js';
import type { Situations } from './situations.js';
import { measure, measureAtRest } from './sizes.js';
import { Stage } from './stage.js';
import { idOf } from './volumes.js';

/** Simulated time in which everything must have come together again. */
const settleMost = 240_000;
/** No request may take longer than this once everything is healed. */
const answerMost = 120_000;

export interface Played extends Run {
  readonly trace: readonly string[];
  /** Of the trace and all that was seen at the end: equal for equal runs. */
  readonly hash: string;
  readonly situations: Situations;
}

interface Chain {
  readonly session: Session;
  last: Promise<void>;
}

export class Player {
  readonly #scenario: Scenario;
  readonly #stage: Stage;
  readonly #realm: SimulatedRealm;
  readonly #faults: Faults;
  /** Of scenarios with a quota. */
  readonly #room: RoomWatch | undefined;
  readonly #chains = new Map<string, Chain>();

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#stage = new Stage(scenario);
    this.#realm = this.#stage.realm;
    this.#faults = new Faults(this.#stage);
    if (scenario.steps.some(({ do: verb }) => verb === 'quota')) this.#room = new RoomWatch(this.#stage);
  }

  async play(): Promise<Played> {
    const looks: Look[] = [];
    let settledMs: number | undefined;
    let sizes: readonly Size[] | undefined;
    const accident = (error: unknown): void => this.#stage.accident(error);
    process.on('unhandledRejection', accident);
    try {
      for (const name of [...this.#stage.servers, ...this.#stage.gateways]) await this.#stage.start(name);
      await this.#realm.clock.advance(1000);
      for (const step of this.#scenario.steps) await this.#step(step);
      await this.#heal();
      settledMs = await this.#settle();
      // First, while nobody else has met what is damaged.
      const asked = await this.#ask();
      const look = await this.#look('healed', this.#stage.gateways);
      looks.push({ ...look, views: [...look.views, ...asked] });
      if (settledMs !== undefined) {
        await this.#repair();
        await this.#settle();
        // Of two names that were given in one millisecond a decision about the one may leave the other to be decided.
        await this.#repair();
        await this.#settle();
        // What a volume uses is counted where nothing changes meanwhile.
        for (const server of this.#stage.rotten.keys()) await this.#scrub(server);
        looks.push(await this.#look('repaired', this.#stage.gateways));
        sizes = await measureAtRest(this.#stage, this.#scenario.seed);
      }
    } catch (error) {
      accident(error);
    } finally {
      process.off('unhandledRejection', accident);
    }
    return this.#played(looks, settledMs, sizes ?? this.#sizesNow());
  }

  /** Where all is broken, perhaps nothing can be measured either. */
  #sizesNow(): readonly Size[] {
    try {
      return measure(this.#stage);
    } catch (error) {
      this.#stage.accident(error);
      return [];
    }
  }

  async #played(
    looks: readonly Look[],
    settledMs: number | undefined,
    sizes: readonly Size[],
  ): Promise<Played> {
    for (const { deed, outcome } of this.#stage.ledger.attempts)
      this.#stage.situations.count(`${deed.do} ${outcome}`);
    for (const { kind } of looks[0]?.views[0]?.conflicts ?? [])
      this.#stage.situations.count(`conflict ${kind}`);
    this.#stage.ledger.complete();
    const hash = createHash('sha256').update(this.#stage.trace.join('\n'));
    for (const look of looks) hash.update(JSON.stringify([[...look.dumps], look.views]));
    hash.update(JSON.stringify([sizes, this.#realm.clock.monotonic(), this.#realm.random.fraction()]));
    return {
      scenario: this.#scenario,
      ledger: this.#stage.ledger,
      looks,
      regressions: this.#stage.regressions,
      settledMs,
      accidents: this.#stage.accidents,
      sizes,
      trace: this.#stage.trace,
      hash: hash.digest('hex').slice(0, 16),
      situations: this.#stage.situations,
    };
  }

  async #fault(fault: Fault): Promise<void> {
    // A session ends with its gateway.
    if (fault.do === 'kill')
      for (const by of [...this.#chains.keys()]) if (by.startsWith(`${fault.at}/`)) this.#chains.delete(by);
    await this.#faults.happen(fault);
  }

  async #step(step: Step): Promise<void> {
    if (isDeed(step)) this.#submit(step);
    else await this.#fault(step);
    if (step.ms > 0) await this.#realm.clock.advance(step.ms);
    this.#room?.look();
    if (this.#stage.group !== undefined) this.#stage.watchReplicas();
  }

  /** A session does one thing after the other; sessions do not wait for each other. */
  #submit(deed: Deed): void {
    const [gateway = ''] = deed.by.split('/');
    if (!this.#realm.isUp(gateway)) return;
    const chain = this.#chain(deed.by, gateway);
    chain.last = chain.last.then(() => this.#carryOut(chain.session, this.#attempt(deed, gateway)));
  }

  async #carryOut(session: Session, attempt: Attempt): Promise<void> {
    await session.carryOut(attempt);
    const { deed, outcome, message } = attempt;
    this.#stage.note(`${wordsOf(deed)}: ${outcome}${message === '' ? '' : ` (${message.split('\n')[0]})`}`);
    if (outcome === 'broken') this.#stage.accidents.push(`${wordsOf(deed)}: ${message}`);
  }

  #attempt(deed: Deed, gateway: string): Attempt {
    const { ledger, generations } = this.#stage;
    return ledger.begin(deed, gateway, this.#stage.now(), generations.get(gateway) ?? 0);
  }

  #chain(by: string, gateway: string): Chain {
    let chain = this.#chains.get(by);
    if (chain === undefined) {
      const [, user = ''] = authorOf(by).split('/');
      chain = { session: this.#session(user, gateway), last: Promise.resolve() };
      this.#chains.set(by, chain);
    }
    return chain;
  }

  #session(user: string, gateway: string): Session {
    const { ledger, ways } = this.#stage;
    return new Session(user, {
      venus: this.#realm.gateway(gateway),
      ledger,
      now: () => this.#stage.now(),
      random: this.#realm.random,
      used: (volume) => this.#stage.usedBytes(volume),
      count: (situation) => this.#stage.situations.count(situation),
      isQuiet: (server, since) => ways.isQuiet(gateway, server, since),
    });
  }

  async #heal(): Promise<void> {
    this.#stage.note('heal everything');
    this.#stage.isHealed = true;
    const { network } = this.#realm;
    const names = [...this.#stage.servers, ...this.#stage.gateways];
    for (const name of names) {
      network.resume(name);
      network.setWallOffset(name, 0);
      for (const other of names) {
        network.delay(name, other, 0);
        // One that has not struck yet would strike who looks at the end.
        network.loseReplies(name, other, 0);
        network.loseRequests(name, other, 0);
        network.repeatRequests(name, other, 0, 0);
        network.repeatPushes(name, other, 0, 0);
        if (name !== other) network.heal(name, other);
      }
      const { store, containers } = this.#realm.disk(name);
      store.mend();
      containers.mend();
      // Whoever looks after it restarts what says that its disk has failed.
      const killed = { do: 'kill', at: name, silent: false, keepsRunning: true } as const;
      if (store.isBroken) await this.#fault(killed);
    }
    for (const name of names) await this.#stage.start(name);
    for (const name of this.#stage.gateways) {
      await this.#realm.finish(this.#realm.gateway(name).reconnect([]));
      await this.#realm.finish(this.#realm.gateway(name).setVolumeMode(null, 'write-through'));
    }
    await this.#awaitAnswers();
    await this.#replaceRestored();
    if (isAdministered(this.#scenario)) {
      await this.#realm.finish(this.#faults.administered);
      this.#room?.look();
      await putInOrder(this.#stage);
    }
    for (const server of this.#stage.rotten.keys()) await this.#scrub(server);
    const open = this.#stage.ledger.troubles.at(-1);
    if (open?.end === Infinity) open.end = this.#stage.now() + aftermathMs;
  }

  /** What is damaged and nobody has met is found and healed. */
  async #scrub(server: string): Promise<void> {
    const left = await this.#realm.finish(
      this.#stage.orders.scrub(server, () => this.#realm.server(server).scrub()),
    );
    for (const { fault, fid, reason } of left)
      if (fid !== null && isLivingElsewhere(this.#stage, server, fid))
        this.#stage.accidents.push(`${server}: a scrub does not heal ${fault} of ${fid}: ${reason}`);
  }

  async #awaitAnswers(): Promise<void> {
    const all = Promise.all([...this.#chains.values()].map(({ last }) => last));
    let isDone = false;
    void all.then(() => (isDone = true));
    for (let waited = 0; !isDone && waited < answerMost; waited += 500) await this.#realm.clock.advance(500);
    if (isDone) return;
    for (const { deed, outcome, gateway, begin } of this.#stage.ledger.attempts) {
      const hangs = outcome === 'pending' && this.#realm.isUp(gateway) && this.#chains.has(deed.by);
      if (hangs) this.#stage.accidents.push(`${wordsOf(deed)}, begun at ${begin}, is never answered`);
    }
  }

  /** A gateway that has found that its disk is an old copy does not go on with it: it gets an empty one. */
  async #replaceRestored(): Promise<void> {
    await this.#realm.clock.advance(6000);
    for (const name of this.#stage.gateways) {
      const fault = this.#realm.gateway(name).state().volumes[0]?.lastError;
      const isFound = fault !== null && /is an old copy|first came here as/.test(fault ?? '');
      const isClone = this.#stage.clones.has(name);
      const isRestored = this.#stage.restored.has(name);
      if (isRestored) {
        const which = `${isClone ? 'cloned' : 'restored'} gateway ${isFound ? 'refuses' : 'goes on'}`;
        this.#stage.situations.count(which);
      }
      if (!isFound) continue;
      this.#stage.note(`${name} has found that its disk is an old copy`);
      if (!isRestored)
        this.#stage.accidents.push(`${name} takes its own disk for an old copy: ${fault ?? ''}`);
      this.#stage.ledger.forgive(this.#stage.logOf(name));
      this.#stage.kill(name, { silent: false, keepsRunning: false });
      this.#realm.wipe(name);
      this.#stage.clones.delete(name);
      this.#stage.renew(name);
      await this.#stage.start(name);
    }
  }

  /** Lets time pass until all logs are empty and all replicas equal. */
  async #settle(): Promise<number | undefined> {
    const begin = this.#stage.now();
    for (let pause = 1000; this.#stage.now() - begin < settleMost; pause = Math.min(pause * 1.5, 10_000)) {
      await this.#realm.clock.advance(pause);
      let isDecided = true;
      for (const name of this.#stage.gateways) if (await this.#giveUpRefused(name)) isDecided = false;
      // What was brought back just now the other gateways have not heard of.
      if (!isDecided || this.#stage.gateways.some((name) => this.#stage.logOf(name).length > 0)) continue;
      if ((await this.#isGroupSettled()) && (await this.#isEqual())) return this.#stage.now() - begin;
    }
    return undefined;
  }

  /**
   * What servers refuse for good, since lists have changed meanwhile, a person gives up. What there was no room for he
   * saves first, and brings back when there is: contents may be under another name then, and are objects of their own.
   * Resolves with whether anything was refused.
   */
  async #giveUpRefused(gateway: string): Promise<boolean> {
    const refused = this.#stage.logOf(gateway).filter(({ state }) => state === 'kept');
    const unjust = refused.filter(({ reason }) => !this.#stage.ledger.explains(reason));
    // Of a refusal that nothing explains the law of convergence tells, as of whatever stays in a log.
    if (refused.length === 0 || unjust.length > 0) return false;
    const roomless = refused.filter(({ reason }) => reason?.includes('quota') === true);
    const others = refused.filter((change) => !roomless.includes(change));
    this.#stage.situations.count('refused for good', others.length);
    const { log } = this.#realm.gateway(gateway);
    const sequencesOf = (changes: typeof refused): readonly number[] =>
      changes.map(({ sequence }) => sequence);
    const archive = roomless.length === 0 ? [] : await this.#saved(log.checkpoint(sequencesOf(roomless)));
    await this.#realm.finish(log.discard(sequencesOf(refused)));
    this.#stage.ledger.forgive(others);
    if (roomless.length === 0) return true;
    this.#stage.ledger.forgive(roomless, !this.#stage.ledger.hasLists);
    const { restored, present, notes } = await this.#realm.finish(log.restore(Readable.from(archive)));
    this.#stage.situations.count('kept for want of room', roomless.length);
    this.#stage.situations.count('restored for want of room', restored);
    this.#stage.note(`${gateway}: ${restored} changes restored, ${present} present ${notes.join('; ')}`);
    return true;
  }

  #saved(archive: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
    return this.#realm.finish(collect(archive));
  }

  async #isGroupSettled(): Promise<boolean> {
    const { group } = this.#stage;
    return group === undefined || this.#realm.finish(group.isSettled());
  }

  async #isEqual(): Promise<boolean> {
    for (const volume of this.#stage.volumes) {
      const digests = this.#stage.membersOf(volume).map((name) => {
        const replica = this.#realm.server(name).replica(idOf(volume));
        return JSON.stringify([...(replica?.digests('') ?? [])]);
      });
      if (digests.some((digest) => digest !== digests[0])) return false;
    }
    const { isConverged } = await this.#look('healed', []);
    return isConverged;
  }

  /** A server with damaged contents gives out good ones all the same: a gateway that knows it alone sees everything. */
  async #ask(): Promise<Look['views']> {
    const [server] = this.#stage.spoilt;
    // It alone has not both volumes.
    if (server === undefined || this.#stage.volumes.length > 1 || !this.#stage.servers.includes(server))
      return [];
    const probe = 'probe';
    for (const other of this.#stage.servers) if (other !== server) this.#realm.network.cut(probe, other);
    await this.#stage.start(probe);
    await this.#realm.clock.advance(3000);
    const { views } = await this.#look('healed', [probe]);
    this.#stage.kill(probe, { silent: false, keepsRunning: false });
    return views;
  }

  #look(when: Look['when'], gateways: readonly string[]): ReturnType<typeof lookAt> {
    const { flipped } = this.#stage;
    const [members, annex] = [this.#stage.membersOf('root'), this.#stage.membersOf('annex')];
    return lookAt(this.#realm, when, { gateways, members, annex, flipped });
  }

  /** Every conflict that is left is decided through the first gateway, in one of the ways that people have. */
  async #repair(): Promise<void> {
    const [gateway = 'g1'] = this.#stage.gateways;
    const venus = this.#realm.gateway(gateway);
    const by = `${gateway}/ann`;
    const session = this.#session('ann', gateway);
    const reports = (await this.#realm.finish(collect(venus.conflicts.list({ user: 'ann' })))).flat();
    // Of access lists one is kept: until then all of a directory cannot be.
    const isList = ({ kind }: ConflictReport): boolean => kind === 'protection';
    for (const report of [...reports.filter(isList), ...reports.filter((each) => !isList(each))]) {
      const pick = this.#realm.random.fraction() < 0.5 ? 'all' : this.#realm.random.fraction();
      const path = report.path?.join('/') ?? report.fid;
      const attempt = this.#attempt({ do: 'repair', by, path, pick }, gateway);
      try {
        await this.#realm.finish(session.decide(report, pick, attempt));
        attempt.outcome = 'ok';
      } catch (error) {
        // One decision can settle two conflicts of an object.
        if (!isFailure(error, 'not-found')) throw error;
        attempt.outcome = error.kind;
      }
      attempt.end = this.#stage.now();
      this.#stage.note(`repair ${report.kind} of ${path} ${pick}: ${attempt.outcome}`);
    }
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
