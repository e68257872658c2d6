/**
 * The servers of an embedded realm: as many children as the realm document has servers. The document is the servers'
 * own; what stands in `realm.json` follows it, so that the next start knows what this one has come to.
 */
import type { RealmDocument } from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { Administration } from '../administration/administration.js';
import { messageOf, OperatorError } from '../config/operator-error.js';
import { freePort } from './port.js';
import { portsOf, serverAddress, writeDocument } from './realm-folder.js';
import type { ServerStatus } from './status.js';
import type { ChildPlan, Supervisor } from './supervisor.js';

const lookMs = 2000;

export interface RealmServersOptions {
  readonly folder: string;
  readonly document: RealmDocument;
  readonly administration: Administration;
  readonly supervisor: Supervisor;
  /** No server gets one, also while that gateway is just starting again. */
  readonly gatewayPorts: readonly number[];
  readonly clock: Clock;
  planOf(document: RealmDocument, name: string): Promise<ChildPlan>;
  progress(line: string): void;
}

export class RealmServers {
  readonly #options: RealmServersOptions;
  readonly #stop = new AbortController();
  #written: number;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RealmServersOptions) {
    this.#options = options;
    this.#written = options.document.version;
  }

  /** Follows the document until `close`. */
  async follow(): Promise<void> {
    const { clock, progress } = this.#options;
    for (let told = ''; !this.#stop.signal.aborted;) {
      await sleep(clock, lookMs, this.#stop.signal).catch(() => undefined);
      if (this.#stop.signal.aborted) return;
      try {
        await this.#look();
      } catch (error) {
        // Servers are away; there is nothing to follow then.
        if (messageOf(error) !== told) progress(`the realm document: ${(told = messageOf(error))}`);
      }
    }
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the realm stops'));
    await this.#turn.catch(() => undefined);
    await this.#options.administration.close();
  }

  /** A server of that name, running. @throws Failure unreachable, exists; OperatorError */
  async add(name: string): Promise<ServerStatus> {
    const { administration, gatewayPorts, supervisor } = this.#options;
    if (/^g\d+$/.test(name)) {
      throw new OperatorError(
        'refused',
        `"${name}" is the name of a gateway here; call the server otherwise.`,
      );
    }
    const document = await administration.document();
    if (!document.servers.some((server) => server.name === name)) {
      const port = await freePort('127.0.0.1', new Set([...gatewayPorts, ...portsOf(document)]));
      await administration.publish({ change: 'add-server', name, address: serverAddress(port) });
    }
    await this.#look();
    return supervisor.startServer(name);
  }

  /** No server of that name; whether there was one. @throws Failure unreachable, refused */
  async remove(name: string): Promise<boolean> {
    const { administration } = this.#options;
    const changed = await administration.publish({ change: 'remove-server', name });
    await this.#look();
    return changed;
  }

  #look(): Promise<void> {
    const look = this.#turn.catch(() => undefined).then(() => this.#adopt());
    this.#turn = look;
    return look;
  }

  async #adopt(): Promise<void> {
    const { administration, folder, supervisor, planOf } = this.#options;
    const document = await administration.document();
    if (document.version > this.#written) {
      await writeDocument(folder, document);
      this.#written = document.version;
    }
    const running = supervisor.servers().map(({ name }) => name);
    const wanted = document.servers.map(({ name }) => name);
    for (const name of wanted) {
      if (!running.includes(name) && !this.#stop.signal.aborted) supervisor.add(await planOf(document, name));
    }
    for (const name of running) if (!wanted.includes(name)) await supervisor.remove(name);
  }
}
