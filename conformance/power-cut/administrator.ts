/**
 * Changes the realm itself while the power may go: takes snapshots, renews the realm's key, takes a replica away and
 * brings it back. Keeps account of what was acknowledged, and judges that.
 */
import { z } from 'zod';
import { judgeFolder } from '../crash/verdict.js';
import type { Folder, Writer } from '../crash/writer.js';
import { until } from '../program.js';
import type { Deed } from './agent.js';
import type { Laboratory } from './laboratory.js';

export const undertakings = ['snapshot', 'key', 'replica', 'copy'] as const;
export type Undertaking = (typeof undertakings)[number];

const settleMs = 240_000;

interface Snapshot {
  readonly name: string;
  /** These servers must have it, which keep their replicas; none: anyone. */
  readonly at: readonly string[];
  /** What is in it. */
  readonly folders: readonly Folder[];
}

export class Administrator {
  readonly #laboratory: Laboratory;
  readonly #writers: readonly Writer[];
  /** The server whose replica comes and goes. */
  readonly #server: string;
  /** Those that were acknowledged. */
  readonly #snapshots: Snapshot[] = [];
  #attempts = 0;
  /** Nothing was begun since `judge`. */
  #isJudged = true;
  /** What nobody works on from `prepare` on, as it is. */
  #folders: readonly Folder[] = [];
  /** How many were acknowledged. */
  readonly #acknowledged = new Map<Undertaking, number>();
  /** The keys that were acknowledged last; undefined: nobody knows how the last renewal ended. */
  #keys: readonly string[] | undefined;
  /** The server has been told to have a replica; undefined: its replica may be on its way out. */
  #isAdded: boolean | undefined = true;

  constructor(laboratory: Laboratory, writers: readonly Writer[]) {
    this.#laboratory = laboratory;
    this.#writers = writers;
    this.#server = laboratory.servers.at(-1) ?? '';
  }

  /** What must be so before `begin`. All servers must run, and nobody may work. */
  async prepare(undertaking: Undertaking): Promise<void> {
    const finished = this.#writers.flatMap((writer) => writer.finished);
    this.#folders = finished.map((folder) => ({ ...folder }));
    if (undertaking === 'replica') {
      await this.#administer('remove-replica');
      await this.#left();
    }
    if (undertaking === 'copy') await this.complete();
  }

  /** How many of an undertaking were acknowledged before the power went. */
  acknowledged(undertaking: Undertaking): number {
    return this.#acknowledged.get(undertaking) ?? 0;
  }

  /** Resolves when it is acknowledged. @throws Error when there is no answer */
  async begin(undertaking: Undertaking): Promise<void> {
    this.#isJudged = false;
    await this.#begin(undertaking);
    this.#acknowledged.set(undertaking, this.acknowledged(undertaking) + 1);
  }

  async #begin(undertaking: Undertaking): Promise<void> {
    switch (undertaking) {
      case 'snapshot':
        return this.#takeSnapshot('take-snapshot');
      case 'key':
        this.#keys = undefined;
        this.#keys = texts.parse(await this.#administer('renew-key'));
        return;
      case 'replica':
        await this.#administer('add-replica');
        this.#isAdded = true;
        return;
      case 'copy':
        // A replica leaves when others have copied the snapshots that it alone has.
        await this.#takeSnapshot('take-snapshot-at');
        this.#isAdded = undefined;
        await this.#administer('remove-replica');
        return;
    }
  }

  async #takeSnapshot(deed: 'take-snapshot' | 'take-snapshot-at'): Promise<void> {
    this.#attempts += 1;
    const name = `cut-${this.#attempts}`;
    const folders = this.#folders;
    const servers = texts.parse(await this.#administer(deed, name));
    this.#snapshots.push({ name, at: servers.filter((server) => server !== this.#server), folders });
  }

  /** What of the acknowledged is not there. The gateway and all servers must run. */
  async judge(): Promise<string[]> {
    const faults: string[] = [];
    this.#isJudged = true;
    const keys = texts.parse(await this.#administer('keys'));
    if (this.#keys !== undefined && keys.join() !== this.#keys.join())
      faults.push(`the keys are ${keys.join()}, and not ${this.#keys.join()}`);
    this.#keys = keys;
    const replicas = await this.#replicas();
    if (this.#isAdded === true && !replicas.has(this.#server)) faults.push(`${this.#server} has no replica`);
    if (this.#isAdded !== undefined) this.#isAdded = replicas.has(this.#server);
    const there = new Map(pairs(texts).parse(await this.#administer('snapshots')));
    for (const { name, at } of this.#snapshots) {
      const holders = there.get(name) ?? [];
      const lacking = at.filter((server) => !holders.includes(server));
      if (holders.length === 0) faults.push(`nobody has the snapshot ${name}`);
      else if (lacking.length > 0) faults.push(`${lacking.join()} lacks the snapshot ${name}`);
    }
    return faults;
  }

  /** The same, if something was begun since then: at each boot it would be too much. */
  async judgeNew(): Promise<string[]> {
    return this.#isJudged ? [] : this.judge();
  }

  /** What is in each snapshot, too, once all servers have their replicas again. */
  async judgeAll(): Promise<string[]> {
    const faults = await this.judge();
    for (const { name, folders } of this.#snapshots) {
      for (const folder of folders) {
        const kept = { ...folder, path: `/.coda/snapshots/${name}${folder.path}` };
        faults.push(...(await judgeFolder(this.#laboratory.client, kept)));
      }
    }
    return faults;
  }

  /** Every server has its replica, with all that is in it. */
  async complete(): Promise<void> {
    if ((await this.#replicas()).get(this.#server) === 'leaving') await this.#left();
    await this.#administer('add-replica');
    this.#isAdded = true;
    await until('all replicas to be complete', settleMs, async () => {
      const states = [...(await this.#replicas()).values()];
      return states.every((state) => state === 'member') ? true : undefined;
    });
  }

  async #left(): Promise<void> {
    await until('a replica to leave', settleMs, async () => {
      return (await this.#replicas()).has(this.#server) ? undefined : true;
    });
    this.#isAdded = false;
  }

  /** By server. */
  async #replicas(): Promise<ReadonlyMap<string, string>> {
    return new Map(pairs(z.string()).parse(await this.#administer('replicas')));
  }

  #administer(deed: Deed, name = ''): Promise<unknown> {
    return this.#laboratory.order({ order: 'administer', names: [deed, this.#server, name] });
  }
}

const texts = z.array(z.string());

function pairs<T>(value: z.ZodType<T>) {
  return z.array(z.tuple([z.string(), value]));
}
