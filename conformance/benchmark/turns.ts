/** What `turn-watch.ts` has noted in the processes of a realm, for a stretch of time. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface LongTurns {
  /** Processor milliseconds of the main thread in the longest turn; 0: none was noted. */
  readonly longest: number;
  /** Turns that took more than 10 ms. */
  readonly over10: number;
}

/** A note may be made a little after the turn that it is about. */
const settleMs = 50;
const house = 10;

export class Turns {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async start(): Promise<Turns> {
    return new Turns(await mkdtemp(join(tmpdir(), 'coda-turns-')));
  }

  /** For the environment of `coda up`, which hands it on to its children. */
  get environment(): Readonly<Record<string, string>> {
    const watch = pathToFileURL(join(import.meta.dirname, 'turn-watch.js'));
    return { CODA_TURNS: this.#folder, NODE_OPTIONS: `--import=${watch.href}` };
  }

  /** Of all processes of a role, while `work` ran. */
  async during<T>(work: () => Promise<T>): Promise<{ readonly value: T; of(role: string): LongTurns }> {
    const from = Date.now();
    const value = await work();
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const to = Date.now();
    const noted = new Map<string, number[]>();
    for (const name of await readdir(this.#folder)) {
      const role = name.slice(0, name.lastIndexOf('-'));
      for (const line of (await readFile(join(this.#folder, name), 'utf8')).split('\n')) {
        const [at = NaN, ms = NaN] = line.split(' ').map(Number);
        if (at >= from && at <= to) noted.set(role, [...(noted.get(role) ?? []), ms]);
      }
    }
    const of = (role: string): LongTurns => {
      const turns = noted.get(role) ?? [];
      return { longest: Math.max(0, ...turns), over10: turns.filter((ms) => ms > house).length };
    };
    return { value, of };
  }

  stop(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true });
  }
}
