/** What operators, disks, processes and the network do in a scenario. */
import type { PendingChange } from '../../../venus/interface.js';
import { sleep, type Clock } from '../../../vice/seam/clock.js';
import { isFailure, type Fid } from '../../../vice/interface/index.js';
import { pathOf } from '../share.js';
import { reopened, type Disk } from '../simulated-realm.js';
import type { GroupOrder } from './group-orders.js';
import { intentionOf, type VolumeOrder } from './orders.js';
import { wordsOf, type Fault } from './scenario.js';
import { flipRow } from './rot.js';
import type { Stage } from './stage.js';
import { idOf, nameOf } from './volumes.js';

/** What a fault may still have to do with after it is over. */
export const aftermathMs = 20_000;

/** A gateway's disk, and what waited in its log. */
interface Backup {
  readonly disk: Disk;
  readonly pending: readonly PendingChange[];
}

export class Faults {
  readonly #stage: Stage;
  readonly #backups = new Map<string, Backup>();
  #copies = 0;
  /** What is wrong at the moment. */
  readonly #reconnecting = new Set<string>();
  readonly #wrong = new Set<string>();
  /** Cuts since something else happened. */
  readonly #cuts: { readonly from: string; readonly to: string }[] = [];

  /** What an administrator has been asked for is done. */
  #administered: Promise<void> = Promise.resolve();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  get administered(): Promise<void> {
    return this.#administered;
  }

  async happen(fault: Fault): Promise<void> {
    if (fault.do !== 'cut' && fault.do !== 'heal') this.#countOneWay();
    if (fault.do === 'wait') return;
    this.#stage.note(wordsOf(fault));
    for (const kind of kindsOf(fault)) this.#stage.situations.count(`fault ${kind}`);
    this.#trouble(fault);
    this.#halt(fault);
    this.#stage.ways.note(fault, this.#stage.now());
    const { network } = this.#stage.realm;
    switch (fault.do) {
      case 'kill':
        return this.#stage.kill(fault.at, fault);
      case 'start':
        return this.#stage.start(fault.at);
      case 'pause':
        if (this.#stage.realm.isUp(fault.at)) network.pause(fault.at);
        return;
      case 'resume':
        return network.resume(fault.at);
      case 'cut':
        this.#cuts.push(fault);
        return network.cutOneWay(fault.from, fault.to);
      case 'heal':
        return network.healOneWay(fault.from, fault.to);
      case 'delay':
        return network.delay(fault.from, fault.to, fault.late);
      case 'reset':
        return network.reset(fault.from, fault.to);
      case 'lose-reply':
        return network.loseReplies(fault.from, fault.to, 1);
      case 'lose-request':
        return network.loseRequests(fault.from, fault.to, 1);
      case 'repeat-request':
        return network.repeatRequests(fault.from, fault.to, 1, fault.late);
      case 'repeat-push':
        return network.repeatPushes(fault.from, fault.to, 1, fault.late);
      case 'wall':
        return network.setWallOffset(fault.at, fault.ahead);
      case 'grow':
      case 'shrink':
      case 'move':
        return this.#order(fault);
      case 'resolve':
        return void this.#resolve(fault).catch((error: unknown) => this.#stage.accident(error));
      case 'lock-volume':
      case 'unlock-volume':
      case 'quota':
      case 'unmount':
      case 'mount':
        return this.#administer(fault);
      case 'mode':
      case 'disconnect':
      case 'reconnect':
        return this.#operate(fault);
      default:
        return this.#spoil(fault);
    }
  }

  /** Cut in both directions are hosts by two faults. */
  #countOneWay(): void {
    for (const { from, to } of this.#cuts)
      if (!this.#wrong.has(`cut ${to} ${from}`)) this.#stage.situations.count('fault one way cut');
    this.#cuts.length = 0;
  }

  /** Keeps in mind when a host makes its own people wait. */
  #halt({ do: verb, at, late }: { do: string; at?: string; late?: number }): void {
    const { ledger } = this.#stage;
    const isBegin = verb === 'pause' || (verb === 'slow-disk' && late !== 0);
    const isEnd = verb === 'resume' || verb === 'slow-disk';
    if (at === undefined || !(isBegin || isEnd)) return;
    const now = this.#stage.now();
    for (const halt of ledger.halts) if (halt.at === at) halt.end = Math.min(halt.end, now);
    if (isBegin) ledger.halts.push({ at, begin: now, end: Infinity });
  }

  /** Keeps in mind from when to when something may be wrong. */
  #trouble(fault: Fault): void {
    // What an administrator wants is no excuse for anything.
    if (isOrder(fault)) return;
    const { what, isOver } = conditionOf(fault);
    const isHeard = !('at' in fault) || fault.do === 'start' || this.#stage.realm.isUp(fault.at);
    // Killed before it was done, the gateway goes on without servers, as it was told before.
    if (fault.do === 'kill' && this.#reconnecting.delete(fault.at)) this.#wrong.add(`alone ${fault.at}`);
    if (isOver && isHeard) this.#wrong.delete(what);
    else if (!isOver && what !== '') this.#wrong.add(what);
    const { troubles } = this.#stage.ledger;
    const now = this.#stage.now();
    const last = troubles.at(-1);
    const end = this.#wrong.size > 0 ? Infinity : now + aftermathMs;
    if (last?.end === Infinity) last.end = end;
    else troubles.push({ begin: now, end });
  }

  /** What an operator does at a gateway; nobody waits for it. */
  #operate(fault: Extract<Fault, { do: 'mode' | 'disconnect' | 'reconnect' }>): void {
    if (!this.#stage.realm.isUp(fault.at)) return;
    const venus = this.#stage.realm.gateway(fault.at);
    const done =
      fault.do === 'mode'
        ? venus.setVolumeMode(null, fault.mode)
        : fault.do === 'disconnect'
          ? venus.disconnect([])
          : venus.reconnect([]);
    if (fault.do === 'reconnect') this.#reconnecting.add(fault.at);
    const settled = (): boolean => this.#reconnecting.delete(fault.at);
    done.then(settled, (error: unknown) => {
      settled();
      if (!isFailure(error)) this.#stage.accident(error);
    });
  }

  #order(order: GroupOrder): void {
    const { group, situations } = this.#stage;
    group?.give(order).then(
      (outcome) => {
        this.#stage.note(`${wordsOf(order)}: ${outcome}`);
        situations.count(`${order.do} ${outcome.split(':')[0]}`);
      },
      (error: unknown) => this.#stage.accident(error),
    );
  }

  /** One order after the other. */
  #administer(order: VolumeOrder): void {
    this.#administered = this.#administered
      .then(() => this.#carryOut(order))
      .catch((error: unknown) => this.#stage.accident(error));
  }

  /** What is at a path the first gateway that runs says. */
  async #carryOut(order: VolumeOrder): Promise<void> {
    const { orders, ledger, situations } = this.#stage;
    const span = { begin: this.#stage.now(), end: Infinity };
    ledger.ordered(order, span);
    const intention = intentionOf(
      order,
      order.do === 'mount' ? await this.#directoryAt(order.path) : undefined,
    );
    if (intention?.change === 'mount-volume') ledger.mountedOn.add(intention.directory);
    const outcome = intention === undefined ? 'no such directory' : await orders.give(intention);
    span.end = this.#stage.now();
    if (outcome === 'published' || outcome === 'nothing new') ledger.isDone(order, span);
    this.#stage.note(`${wordsOf(order)}: ${outcome}`);
    situations.count(`${order.do} ${outcome.split(':')[0]}`);
  }

  async #resolve({ at, path }: Extract<Fault, { do: 'resolve' }>): Promise<void> {
    const fid = this.#stage.ledger.madeAt(path);
    if (fid === undefined || !this.#stage.realm.isUp(at)) return;
    try {
      const { pulled } = await this.#stage.realm.server(at).resolve(idOf(nameOf(fid)), [fid]);
      this.#stage.note(`resolve ${at} ${path}: ${pulled} pulled`);
    } catch (error) {
      if (!isFailure(error)) throw error;
    }
  }

  async #directoryAt(path: string): Promise<Fid | undefined> {
    const { gateways, realm } = this.#stage;
    const gateway = gateways.find((name) => realm.isUp(name));
    if (gateway === undefined) return undefined;
    const venus = realm.gateway(gateway);
    const isGone = (): boolean => !realm.isUp(gateway) || realm.gateway(gateway) !== venus;
    try {
      const place = await answered(realm.clock, venus.lookup({ user: 'ann' }, pathOf(path)), isGone);
      return place?.object?.kind === 'directory' ? place.object.fid : undefined;
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }

  #spoil(fault: Exclude<Extract<Fault, { at: string }>, GroupOrder>): void {
    const { store, containers } = this.#stage.realm.disk(fault.at);
    switch (fault.do) {
      case 'flush-fails':
        return store.failNext(fault.fault, 1, fault.after);
      case 'room':
        store.leave(fault.bytes ?? Infinity);
        return containers.leave(fault.bytes ?? Infinity);
      case 'slow-disk':
        store.slow(fault.late);
        return containers.slow(fault.late);
      case 'commit-fails':
        return containers.failNext(1, fault.fault, fault.after);
      case 'flip':
        return this.#flip(fault.at, fault.pick, fault.where);
      case 'flip-row':
        if (!flipRow(this.#stage, fault)) this.#stage.situations.count('fault flip-row', -1);
        return;
      case 'wipe':
        if (this.#stage.realm.isUp(fault.at)) return;
        this.#stage.forgetTold(fault.at);
        this.#stage.ledger.holdsNothing(fault.at);
        this.#stage.wiped.add(fault.at);
        return this.#stage.realm.wipe(fault.at);
      case 'backup':
        if (!this.#stage.realm.isUp(fault.at)) this.#backups.set(fault.at, this.#copy(fault.at));
        return;
      case 'restore':
        if (this.#stage.servers.includes(fault.at)) return this.#putBack(fault.at);
        return this.#replace(fault.at, this.#backups.get(fault.at), fault.isElsewhere);
      case 'clone':
        if (this.#stage.realm.isUp(fault.at)) return;
        this.#stage.restored.add(fault.from);
        this.#stage.clones.set(fault.at, fault.isCalledSo === true ? fault.from : fault.at);
        return this.#replace(fault.at, this.#copy(fault.from), true);
    }
  }

  /** Of contents of which there is a good copy elsewhere: what is nowhere else nobody could bring back. */
  #flip(at: string, pick: number, where = 0): void {
    const { realm, servers, flipped, situations } = this.#stage;
    const { containers } = realm.disk(at);
    const copies = (digest: string): number =>
      servers.filter((server) => server !== at && realm.disk(server).containers.digests.includes(digest))
        .length;
    const least = servers.includes(at) ? 1 : 2;
    const digests = containers.digests.filter((digest) => !flipped.has(digest) && copies(digest) >= least);
    const digest = digests[digests.length - 1 - Math.floor(pick * digests.length)];
    if (digest === undefined) return situations.count('fault flip', -1);
    flipped.add(digest);
    if (servers.includes(at)) this.#stage.spoilt.add(at);
    const [, file] = [...containers.files()].find(([each]) => each === digest) ?? [];
    containers.damage(digest, Math.floor(where * (file?.contents.length ?? 0)));
  }

  #copy(gateway: string): Backup {
    return {
      disk: this.#stage.realm.copyDisk(gateway),
      pending: this.#stage.atDeath.get(gateway) ?? [],
    };
  }

  /** A server's disk is as it was some time ago. */
  #putBack(server: string): void {
    const backup = this.#backups.get(server);
    if (backup === undefined || this.#stage.realm.isUp(server)) return;
    this.#stage.situations.count('server with an old disk');
    this.#stage.forgetTold(server);
    this.#stage.ledger.holdsNothing(server);
    this.#stage.wiped.add(server);
    this.#stage.realm.replaceDisk(server, reopened(backup.disk));
  }

  /** `isElsewhere`: what is put there is a copy, not the folder itself as it was (the state of a whole machine). */
  #replace(gateway: string, backup: Backup | undefined, isElsewhere = false): void {
    if (backup === undefined || this.#stage.realm.isUp(gateway)) return;
    const { disk, pending } = backup;
    const place = isElsewhere ? `copy ${(this.#copies += 1)}` : undefined;
    this.#stage.realm.replaceDisk(gateway, reopened(disk, place));
    this.#stage.ledger.forgive(this.#stage.atDeath.get(gateway) ?? []);
    // What became of these since, in the log that is lost, is lost with it: made and removed again they were no more.
    this.#stage.ledger.forgive(pending);
    this.#stage.restored.add(gateway);
    this.#stage.renew(gateway);
  }
}

const orders: ReadonlySet<string> = new Set<Fault['do']>([
  ...([
    'grow',
    'shrink',
    'move',
    'resolve',
    'lock-volume',
    'unlock-volume',
    'quota',
    'unmount',
    'mount',
  ] as const),
]);

function isOrder(fault: Fault): fault is GroupOrder | VolumeOrder | Extract<Fault, { do: 'resolve' }> {
  return orders.has(fault.do);
}

/** Whoever dies meanwhile never answers: undefined then. */
async function answered<T>(clock: Clock, work: Promise<T>, isGone: () => boolean): Promise<T | undefined> {
  let isOver = false;
  const death = async (): Promise<undefined> => {
    while (!isOver && !isGone()) await sleep(clock, 500);
    return undefined;
  };
  return Promise.race([work, death()]).finally(() => (isOver = true));
}

/** What it is counted as: some of a kind are of more than one. */
function kindsOf(fault: Fault): readonly string[] {
  switch (fault.do) {
    case 'kill':
      // Peers are told nothing: their ends of the connections stay open.
      return fault.silent ? ['kill', 'half-open'] : ['kill'];
    case 'flush-fails':
    case 'commit-fails':
      return [
        fault.do,
        `${fault.do} ${fault.fault ?? 'no-space'}`,
        ...(fault.after ? ['later write fails'] : []),
      ];
    default:
      return [fault.do];
  }
}

/** What is wrong from this fault on, or not any more; '': nothing that lasts. */
function conditionOf(fault: Fault): { readonly what: string; readonly isOver: boolean } {
  switch (fault.do) {
    case 'kill':
    case 'start':
      return { what: `down ${fault.at}`, isOver: fault.do === 'start' };
    case 'pause':
    case 'resume':
      return { what: `paused ${fault.at}`, isOver: fault.do === 'resume' };
    case 'cut':
    case 'heal':
      return { what: `cut ${fault.from} ${fault.to}`, isOver: fault.do === 'heal' };
    case 'delay':
      return { what: `late ${fault.from} ${fault.to}`, isOver: fault.late === 0 };
    case 'mode':
      return { what: `mode ${fault.at}`, isOver: fault.mode === 'write-through' };
    case 'disconnect':
    case 'reconnect':
      return { what: `alone ${fault.at}`, isOver: fault.do === 'reconnect' };
    case 'flip-row':
      // What stands twice is not lost.
      return { what: fault.of === 'twice' ? '' : `rotten ${fault.at}`, isOver: false };
    case 'room':
      return { what: `full ${fault.at}`, isOver: fault.bytes === null };
    case 'slow-disk':
      return { what: `slow ${fault.at}`, isOver: fault.late === 0 };
    case 'lose-reply':
    case 'lose-request':
    case 'flush-fails':
    case 'commit-fails':
      // Nobody knows when it strikes.
      return { what: 'to come', isOver: false };
    default:
      // That something comes twice is no excuse for anything either.
      return { what: '', isOver: false };
  }
}
