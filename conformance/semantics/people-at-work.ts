/** People at work while a realm is changed under them: what they see of it. */
import { writeFileSync } from 'node:fs';
import { run } from '../program.js';
import type { Machines } from './machines.js';

/** Somebody who saves at one gateway and reads at the other, again and again. */
export class People {
  readonly #machines: Machines;
  readonly #trusted: string;
  readonly #faults: string[] = [];
  readonly #working: Promise<void>;
  #rounds = 0;
  #isOver = false;

  /** `trusted`: the file of the authority of the doors. */
  constructor(machines: Machines, trusted = 'office/ca.crt') {
    this.#machines = machines;
    this.#trusted = trusted;
    this.#working = this.#work();
  }

  /** Some rounds more. */
  async workOn(): Promise<void> {
    const until = this.#rounds + 5;
    while (this.#rounds < until) await this.#round();
  }

  /** What went wrong. */
  async stop(): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#working;
    return this.#faults;
  }

  async #work(): Promise<void> {
    while (!this.#isOver) await this.#round();
  }

  async #round(): Promise<void> {
    this.#rounds += 1;
    const name = `note ${this.#rounds}`.replace(' ', '-');
    // Too large to travel in a call: a transfer beside the link is proved anew.
    writeFileSync(this.#machines.at(name), Buffer.alloc(300_000, this.#rounds));
    await this.#curl('-T', name, `https://10.0.0.4:8443/${name}`);
    await this.#curl(`https://10.0.0.5:8443/${name}`);
  }

  async #curl(...words: readonly string[]): Promise<void> {
    const { password } = this.#machines;
    const plain = this.#machines.here(words.join(' '));
    const known = [
      '-sS',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '--cacert',
      this.#trusted,
      '--user',
      `ada:${password}`,
    ];
    const { stdout, output } = await run('curl', [...known, ...plain], { cwd: this.#machines.folder });
    if (!/^20\d$/.test(stdout)) this.#faults.push(`${words.join(' ')}: ${output}`);
  }
}
