/** What goes wrong while a client works: a Vice server is killed and comes back. */
import type { Realm } from '../realm.js';

export class Disturbance {
  readonly #realm: Realm;
  readonly #killed: Promise<void>[] = [];
  /** Names of the servers that were killed, in order. */
  readonly victims: string[] = [];

  constructor(realm: Realm) {
    this.#realm = realm;
  }

  /** Kills a server now; its supervisor starts it again after a while. */
  async kill(name: string): Promise<void> {
    const pid = await this.#realm.kill(name);
    this.victims.push(name);
    const back = this.#realm.restarted(name, pid);
    back.catch(() => undefined);
    this.#killed.push(back);
  }

  /** All that were killed run again. */
  async over(): Promise<void> {
    await Promise.all(this.#killed);
  }
}
