/** The servers of a realm, asked without a gateway: to fill a volume fast, and to see whether replicas are the same. */
import { readFile } from 'node:fs/promises';
import { realmPaths } from '../../gateway/realm/realm-folder.js';
import {
  calls,
  isFailure,
  realmDocumentSchema,
  signCredential,
  type Argument,
  type CallName,
  type RealmDocument,
  type Result,
  type Role,
} from '../../vice/interface/index.js';
import type { z } from 'zod';
import { silentLog } from '../../vice/seam/log.js';
import type { Link } from '../../vice/seam/network.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import { until } from '../program.js';

const credentialMs = 24 * 3_600_000;
const sameWithinMs = 600_000;
const lookEveryMs = 100;

export class DirectServers {
  readonly document: RealmDocument;
  /** Calls that were made here, by server: no part of what is measured. */
  readonly asked = new Map<string, number>();
  readonly #key: Uint8Array;
  readonly #network = wsNetwork({ clock: systemClock(), log: silentLog });
  readonly #links = new Map<string, Link>();

  private constructor(document: RealmDocument, key: Uint8Array) {
    this.document = document;
    this.#key = key;
  }

  /** @param data folder of the realm */
  static async of(data: string): Promise<DirectServers> {
    const paths = realmPaths(data);
    const document = realmDocumentSchema.parse(JSON.parse(await readFile(paths.realm, 'utf8')));
    return new DirectServers(document, await readFile(paths.realmKey));
  }

  get names(): readonly string[] {
    return this.document.servers.map(({ name }) => name);
  }

  /** @throws Failure */
  async call<C extends CallName>(
    server: string,
    role: Role,
    name: C,
    argument: Argument<C>,
  ): Promise<Result<C>> {
    this.asked.set(server, (this.asked.get(server) ?? 0) + 1);
    const link = await this.#link(server, role);
    const reply = await link.call(name, argument, { timeoutMs: 60_000 });
    return (calls[name].result as unknown as z.ZodType<Result<C>>).parse(reply);
  }

  /** What the replica of the root volume at `server` comes to. */
  async digestAt(server: string): Promise<string> {
    const { digests } = await this.call(server, 'server', 'digests', {
      volume: this.document.rootVolume,
      prefix: '',
    });
    return JSON.stringify(Object.entries(digests).sort());
  }

  /** Waits until all replicas hold the same; a server that is just starting is asked again. @returns questions asked */
  async same(): Promise<number> {
    let looks = 0;
    const look = (): Promise<true | undefined> => {
      looks += 1;
      return this.#look();
    };
    await until('the replicas to be the same', sameWithinMs, look, lookEveryMs);
    return looks;
  }

  /** Every server takes note that it has all that the others have: in a real realm a minute has passed long ago. */
  async settle(): Promise<void> {
    const argument = { volume: this.document.rootVolume, fids: null };
    for (const server of this.names) await this.call(server, 'gateway', 'resolve', argument);
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }

  async #look(): Promise<true | undefined> {
    try {
      const [first, ...others] = await Promise.all(this.names.map((server) => this.digestAt(server)));
      return others.every((other) => other === first) ? true : undefined;
    } catch (error) {
      if (!isFailure(error)) throw error;
      return undefined;
    }
  }

  async #link(server: string, role: Role): Promise<Link> {
    const key = `${role} ${server}`;
    const open = this.#links.get(key);
    if (open !== undefined) return open;
    const entry = this.document.servers.find(({ name }) => name === server);
    if (entry === undefined) throw new Error(`the realm has no server ${server}`);
    const peer = { role, name: role === 'gateway' ? 'bench/00000000000000be' : 'bench' };
    const credential = signCredential(this.#key, this.document.realm, peer, Date.now() + credentialMs);
    const link = await this.#network.dial(entry.address, {
      credential: () => credential,
      onPush: () => undefined,
    });
    this.#links.set(key, link);
    void link.closed.then(() => this.#links.delete(key));
    return link;
  }
}
