/** Plays a scenario on a simulated realm: safety while things fail, then everything is healed, then it must come together. */
import { createHash } from 'node:crypto';
import { isFailure, type Fid, type VnodeStatus } from '../../../vice/interface/index.js';
import type { CountingNetwork } from '../counting-network.js';
import { rootVolume, SimulatedRealm, type Disk } from '../simulated-realm.js';
import { lookAt, measure } from './inspector.js';
import { Ledger, type Attempt } from './ledger.js';
import type { Look, Regression, Run } from './outcome.js';
import { isDeed, wordsOf, type Deed, type Fault, type Scenario, type Step } from './scenario.js';
import { Session } from './session.js';
import { Situations } from './situations.js';

/** As long as a message is under way: a crash often comes before the flush. */
const slowFlushMs = 4;
/** Simulated time in which everything must have come together again. */
const settleMost = 240_000;
/** No request may take longer than this once everything is healed. */
const answerMost = 120_000;
/** What a fault may still have to do with after it is over. */
const aftermathMs = 20_000;

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
  readonly #realm: SimulatedRealm;
  readonly #ledger = new Ledger();
  readonly #situations = new Situations();
  readonly #trace: string[] = [];
  readonly #accidents: string[] = [];
  readonly #regressions: Regression[] = [];
  readonly #chains = new Map<string, Chain>();
  readonly #generations = new Map<string, number>();
  readonly #backups = new Map<string, Disk>();
  /** Digests in the logs of gateways when they died. */
  readonly #atDeath = new Map<string, readonly string[]>();
  /** By server: every object as it was when the server last told of it. */
  readonly #told = new Map<string, Map<Fid, Pick<VnodeStatus, 'vv' | 'known'>>>();
  /** Digests of containers of which one copy was damaged. */
  readonly #flipped = new Set<string>();
  readonly #servers: readonly string[];
  readonly #gateways: readonly string[];

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#realm = new SimulatedRealm({
      seed: scenario.seed + 77_000,
      servers: scenario.servers,
      flushMs: slowFlushMs,
      logOf: () => this.#situations.log(),
      onTraffic: (_gateway, traffic) => this.#watchTraffic(traffic),
    });
    this.#servers = this.#realm.serverNames;
    this.#gateways = Array.from({ length: scenario.gateways }, (_, index) => `g${index + 1}`);
  }

  async play(): Promise<Played> {
    const looks: Look[] = [];
    let settledMs: number | undefined;
    const accident = (error: unknown): void => void this.#accidents.push(stackOf(error));
    process.on('unhandledRejection', accident);
    try {
      for (const name of [...this.#servers, ...this.#gateways]) await this.#start(name);
      await this.#realm.clock.advance(1000);
      for (const step of this.#scenario.steps) await this.#step(step);
      await this.#heal();
      settledMs = await this.#settle();
      looks.push(await this.#look('healed', this.#gateways));
      if (settledMs !== undefined) {
        await this.#repair();
        await this.#settle();
        looks.push(await this.#look('repaired', this.#gateways));
      }
    } catch (error) {
      accident(error);
    } finally {
      process.off('unhandledRejection', accident);
    }
    return this.#played(looks, settledMs);
  }

  async #played(looks: readonly Look[], settledMs: number | undefined): Promise<Played> {
    for (const { deed, outcome } of this.#ledger.attempts) this.#situations.count(`${deed.do} ${outcome}`);
    for (const { kind } of looks[0]?.views[0]?.conflicts ?? []) this.#situations.count(`conflict ${kind}`);
    const sizes = await measure(this.#realm, [...this.#servers, ...this.#gateways]);
    const hash = createHash('sha256').update(this.#trace.join('\n'));
    for (const look of looks) hash.update(JSON.stringify([[...look.dumps], look.views]));
    hash.update(JSON.stringify([sizes, this.#realm.clock.monotonic(), this.#realm.random.fraction()]));
    return {
      scenario: this.#scenario,
      ledger: this.#ledger,
      looks,
      regressions: this.#regressions,
      settledMs,
      accidents: this.#accidents,
      sizes,
      trace: this.#trace,
      hash: hash.digest('hex').slice(0, 16),
      situations: this.#situations,
    };
  }

  #now(): number {
    return this.#realm.clock.monotonic();
  }

  #note(text: string): void {
    this.#trace.push(`${(this.#now() / 1000).toFixed(3).padStart(9)} ${text}`);
  }

  async #step(step: Step): Promise<void> {
    if (isDeed(step)) this.#submit(step);
    else await this.#fault(step);
    if (step.ms > 0) await this.#realm.clock.advance(step.ms);
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
    this.#note(`${wordsOf({ ...deed, ms: 0 })}: ${outcome}${message === '' ? '' : ` (${message.split('\n')[0]})`}`);
    if (outcome === 'broken') this.#accidents.push(`${wordsOf({ ...deed, ms: 0 })}: ${message}`);
  }

  #attempt(deed: Deed, gateway: string): Attempt {
    const attempt: Attempt = {
      number: this.#ledger.attempts.length,
      deed,
      by: deed.by,
      gateway,
      generation: this.#generations.get(gateway) ?? 0,
      begin: this.#now(),
      end: undefined,
      outcome: 'pending',
      message: '',
      givesUp: new Set(),
      takes: new Set(),
      removes: new Set(),
    };
    this.#ledger.attempts.push(attempt);
    return attempt;
  }

  #chain(by: string, gateway: string): Chain {
    let chain = this.#chains.get(by);
    if (chain === undefined) {
      const [, user = ''] = by.split('/');
      const world = { venus: this.#realm.gateway(gateway), ledger: this.#ledger, now: () => this.#now() };
      chain = { session: new Session(user, world), last: Promise.resolve() };
      this.#chains.set(by, chain);
    }
    return chain;
  }

  async #fault(fault: Fault & { readonly ms: number }): Promise<void> {
    this.#note(wordsOf(fault));
    this.#situations.count(`fault ${fault.do}`);
    this.#trouble();
    const { network } = this.#realm;
    switch (fault.do) {
      case 'kill':
        return this.#kill(fault.at, fault);
      case 'start':
        return this.#start(fault.at);
      case 'pause':
        if (this.#realm.isUp(fault.at)) network.pause(fault.at);
        return;
      case 'resume':
        return network.resume(fault.at);
      case 'cut':
        return network.cutOneWay(fault.from, fault.to);
      case 'heal':
        return network.healOneWay(fault.from, fault.to);
      case 'delay':
        return network.delay(fault.from, fault.to, fault.late);
      case 'reset':
        return network.reset(fault.from, fault.to);
      case 'lose-reply':
        return network.loseReplies(fault.from, fault.to, 1);
      case 'wall':
        return network.setWallOffset(fault.at, fault.ahead);
      case 'mode':
      case 'disconnect':
      case 'reconnect':
        return this.#operate(fault);
      default:
        return this.#spoil(fault);
    }
  }

  /** From now on, until it is known to be healed, something may be wrong. */
  #trouble(): void {
    const open = this.#ledger.troubles.at(-1);
    if (open?.end !== Infinity) this.#ledger.troubles.push({ begin: this.#now(), end: Infinity });
  }

  /** What an operator does at a gateway; nobody waits for it. */
  #operate(fault: Extract<Fault, { do: 'mode' | 'disconnect' | 'reconnect' }>): void {
    if (!this.#realm.isUp(fault.at)) return;
    const venus = this.#realm.gateway(fault.at);
    const done =
      fault.do === 'mode'
        ? venus.setVolumeMode(null, fault.mode)
        : fault.do === 'disconnect'
          ? venus.disconnect([])
          : venus.reconnect([]);
    done.catch((error: unknown) => {
      if (!isFailure(error)) this.#accidents.push(stackOf(error));
    });
  }

  #spoil(fault: Extract<Fault, { at: string }>): void {
    const { store, containers } = this.#realm.disk(fault.at);
    switch (fault.do) {
      case 'flush-fails':
        return store.failNext(fault.fault);
      case 'commit-fails':
        return containers.failNext();
      case 'flip': {
        const { digests } = containers;
        const digest = digests[digests.length - 1 - Math.floor(fault.pick * digests.length)];
        if (digest === undefined) return this.#situations.count('fault flip', -1);
        this.#flipped.add(digest);
        return containers.damage(digest, 0);
      }
      case 'wipe':
        if (this.#realm.isUp(fault.at)) return;
        this.#told.delete(fault.at);
        return this.#realm.wipe(fault.at);
      case 'backup':
        if (!this.#realm.isUp(fault.at)) this.#backups.set(fault.at, this.#realm.copyDisk(fault.at));
        return;
      case 'restore':
        return this.#restore(fault.at);
    }
  }

  #restore(gateway: string): void {
    const backup = this.#backups.get(gateway);
    if (backup === undefined || this.#realm.isUp(gateway)) return;
    this.#realm.replaceDisk(gateway, { store: backup.store.reopen(), containers: backup.containers.reopen() });
    for (const digest of this.#atDeath.get(gateway) ?? []) this.#ledger.forgiven.add(digest);
    this.#renew(gateway);
  }

  /** Its disk is not the one that it had. */
  #renew(gateway: string): void {
    this.#generations.set(gateway, (this.#generations.get(gateway) ?? 0) + 1);
  }

  #kill(name: string, death: { readonly silent: boolean; readonly keepsRunning: boolean }): void {
    if (!this.#realm.isUp(name)) return;
    if (this.#gateways.includes(name)) {
      const digests = this.#logOf(name).flatMap(({ records }) => records.flatMap(({ digest }) => digest ?? []));
      this.#atDeath.set(name, digests);
      if (this.#logOf(name).length > 0) this.#situations.count('log pending at kill');
      for (const by of [...this.#chains.keys()]) if (by.startsWith(`${name}/`)) this.#chains.delete(by);
    }
    this.#realm.kill(name, death);
  }

  #logOf(gateway: string): ReturnType<ReturnType<SimulatedRealm['gateway']>['log']['changes']> {
    return this.#realm.gateway(gateway).log.changes();
  }

  async #start(name: string): Promise<void> {
    if (this.#realm.isUp(name)) return;
    try {
      if (this.#servers.includes(name)) {
        await this.#realm.startServer(name);
        this.#watchReplica(name);
      } else {
        await this.#realm.startGateway(name);
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#note(`${name} does not start: ${error.kind}`);
      this.#situations.count(`start ${error.kind}`);
      this.#realm.kill(name);
    }
  }

  #watchTraffic(traffic: CountingNetwork): void {
    traffic.onCall = (name, argument) => {
      if (name === 'mutate') this.#ledger.sentRecords((argument as { records: never[] }).records);
    };
    traffic.falsify = (name, reply) => {
      if (name === 'mutate') this.#countMutation(reply as { outcome: string; failure?: { kind: string } });
      return reply;
    };
  }

  #countMutation({ outcome, failure }: { outcome: string; failure?: { kind: string } }): void {
    this.#situations.count(`mutate ${outcome}${failure === undefined ? '' : ` ${failure.kind}`}`);
  }

  /** What a replica has flushed and told never goes back, also over a crash: no count, no known update. */
  #watchReplica(server: string): void {
    const replica = this.#realm.server(server).replica(rootVolume);
    if (replica === undefined) return;
    let told = this.#told.get(server);
    if (told === undefined) this.#told.set(server, (told = new Map()));
    const before = told;
    const compare = (fid: Fid): void => {
      const status = replica.held(fid);
      const old = before.get(fid);
      for (const what of ['vv', 'known'] as const) {
        if (old === undefined || contains(status?.[what] ?? {}, old[what])) continue;
        const text = `${what} ${JSON.stringify(old[what])} became ${JSON.stringify(status?.[what])}`;
        this.#regressions.push({ server, fid, what: text });
      }
      if (status !== undefined) before.set(fid, status);
    };
    for (const fid of before.keys()) compare(fid);
    replica.onChange(({ fids }) => fids.forEach(compare));
  }

  async #heal(): Promise<void> {
    this.#note('heal everything');
    const { network } = this.#realm;
    const names = [...this.#servers, ...this.#gateways];
    for (const name of names) {
      network.resume(name);
      network.setWallOffset(name, 0);
      for (const other of names) {
        network.delay(name, other, 0);
        if (name !== other) network.heal(name, other);
      }
      const { store, containers } = this.#realm.disk(name);
      store.mend();
      containers.mend();
    }
    for (const name of names) await this.#start(name);
    for (const name of this.#gateways) {
      await this.#realm.finish(this.#realm.gateway(name).reconnect([]));
      await this.#realm.finish(this.#realm.gateway(name).setVolumeMode(null, 'write-through'));
    }
    await this.#awaitAnswers();
    await this.#replaceRestored();
    const open = this.#ledger.troubles.at(-1);
    if (open?.end === Infinity) open.end = this.#now() + aftermathMs;
  }

  async #awaitAnswers(): Promise<void> {
    const all = Promise.all([...this.#chains.values()].map(({ last }) => last));
    let isDone = false;
    void all.then(() => (isDone = true));
    for (let waited = 0; !isDone && waited < answerMost; waited += 500) await this.#realm.clock.advance(500);
    if (isDone) return;
    for (const { deed, outcome, gateway, begin } of this.#ledger.attempts) {
      const hangs = outcome === 'pending' && this.#realm.isUp(gateway) && this.#chains.has(deed.by);
      if (hangs) this.#accidents.push(`${wordsOf({ ...deed, ms: 0 })}, begun at ${begin}, is never answered`);
    }
  }

  /** A gateway that has found that its disk is an old copy does not go on with it: it gets an empty one. */
  async #replaceRestored(): Promise<void> {
    await this.#realm.clock.advance(6000);
    for (const name of this.#gateways) {
      const fault = this.#realm.gateway(name).state().volumes[0]?.lastError;
      if (fault?.includes('is an old copy') !== true) continue;
      this.#note(`${name} has found that its disk is an old copy`);
      this.#situations.count('restored gateway refuses');
      for (const { records } of this.#logOf(name)) {
        for (const { digest } of records) if (digest !== null) this.#ledger.forgiven.add(digest);
      }
      this.#kill(name, { silent: false, keepsRunning: false });
      this.#realm.wipe(name);
      this.#renew(name);
      await this.#start(name);
    }
  }

  /** Lets time pass until all logs are empty and all replicas equal. */
  async #settle(): Promise<number | undefined> {
    const begin = this.#now();
    for (let pause = 1000; this.#now() - begin < settleMost; pause = Math.min(pause * 1.5, 10_000)) {
      await this.#realm.clock.advance(pause);
      if (this.#gateways.some((name) => this.#logOf(name).length > 0)) continue;
      if (await this.#isEqual()) return this.#now() - begin;
    }
    return undefined;
  }

  async #isEqual(): Promise<boolean> {
    const digests = this.#servers.map((name) => {
      const replica = this.#realm.server(name).replica(rootVolume);
      return JSON.stringify([...(replica?.digests('') ?? [])]);
    });
    if (digests.some((digest) => digest !== digests[0])) return false;
    const { isConverged } = await this.#look('healed', []);
    return isConverged;
  }

  #look(when: Look['when'], gateways: readonly string[]): ReturnType<typeof lookAt> {
    return lookAt(this.#realm, when, { gateways, flipped: this.#flipped });
  }

  /** Every conflict that is left is decided through the first gateway, in one of the ways that people have. */
  async #repair(): Promise<void> {
    const [gateway = 'g1'] = this.#gateways;
    const venus = this.#realm.gateway(gateway);
    const by = `${gateway}/ann`;
    const session = new Session('ann', { venus, ledger: this.#ledger, now: () => this.#now() });
    const reports = (await this.#realm.finish(collect(venus.conflicts.list({ user: 'ann' })))).flat();
    for (const report of reports) {
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
      attempt.end = this.#now();
      this.#note(`repair ${report.kind} of ${path} ${pick}: ${attempt.outcome}`);
    }
  }
}

function contains(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>): boolean {
  return Object.entries(before).every(([key, count]) => (now[key] ?? 0) >= count);
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
