/** What operators, disks, processes and the network do in a scenario. */
import { isFailure } from '../../../vice/interface/index.js';
import type { Disk } from '../simulated-realm.js';
import { wordsOf, type Fault } from './scenario.js';
import type { Stage } from './stage.js';

export class Faults {
  readonly #stage: Stage;
  readonly #backups = new Map<string, Disk>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async happen(fault: Fault): Promise<void> {
    this.#stage.note(wordsOf(fault));
    this.#stage.situations.count(`fault ${fault.do}`);
    this.#trouble();
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
    const open = this.#stage.ledger.troubles.at(-1);
    if (open?.end !== Infinity) this.#stage.ledger.troubles.push({ begin: this.#stage.now(), end: Infinity });
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
    done.catch((error: unknown) => {
      if (!isFailure(error)) this.#stage.accident(error);
    });
  }

  #spoil(fault: Extract<Fault, { at: string }>): void {
    const { store, containers } = this.#stage.realm.disk(fault.at);
    switch (fault.do) {
      case 'flush-fails':
        return store.failNext(fault.fault);
      case 'commit-fails':
        return containers.failNext();
      case 'flip': {
        const { digests } = containers;
        const digest = digests[digests.length - 1 - Math.floor(fault.pick * digests.length)];
        if (digest === undefined) return this.#stage.situations.count('fault flip', -1);
        this.#stage.flipped.add(digest);
        return containers.damage(digest, 0);
      }
      case 'wipe':
        if (this.#stage.realm.isUp(fault.at)) return;
        this.#stage.told.delete(fault.at);
        return this.#stage.realm.wipe(fault.at);
      case 'backup':
        if (!this.#stage.realm.isUp(fault.at))
          this.#backups.set(fault.at, this.#stage.realm.copyDisk(fault.at));
        return;
      case 'restore':
        return this.#restore(fault.at);
    }
  }

  #restore(gateway: string): void {
    const backup = this.#backups.get(gateway);
    if (backup === undefined || this.#stage.realm.isUp(gateway)) return;
    this.#stage.realm.replaceDisk(gateway, {
      store: backup.store.reopen(),
      containers: backup.containers.reopen(),
      hoard: backup.hoard.reopen(),
    });
    for (const digest of this.#stage.atDeath.get(gateway) ?? []) this.#stage.ledger.forgiven.add(digest);
    this.#stage.renew(gateway);
  }
}
