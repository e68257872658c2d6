/** A `coda` command as a process that has read its modules already, so that a kill hits what it does, not Node. */
import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { codaCommand } from '../realm.js';

export interface CommandEnded {
  /** Null: it was killed. */
  readonly code: number | null;
  readonly output: string;
  /** Milliseconds. */
  readonly took: number;
}

const withinMs = 120_000;
const standby = join(import.meta.dirname, 'standby.js');
const assembly = resolve(import.meta.dirname, '../../gateway/cli/volume.js');

export class SpareCommand {
  readonly #child: ChildProcess;
  readonly #loaded: Promise<void>;
  #output = '';

  constructor() {
    // tap gives every child its module hooks by NODE_OPTIONS: a slow start that no user has.
    const { NODE_OPTIONS: _hooks, ...env } = process.env;
    this.#child = spawn(process.execPath, [standby, codaCommand, assembly], {
      env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    }
    this.#loaded = new Promise((done) => {
      this.#child.once('message', () => done());
      this.#child.once('exit', () => done());
    });
  }

  /** Says the words to it; `underway` runs beside it. @throws Error: it does not come to an end */
  async run(words: readonly string[], underway: () => Promise<void> = async () => {}): Promise<CommandEnded> {
    await this.#loaded;
    const started = performance.now();
    const ended = new Promise<number | null>((done) => this.#child.once('close', done));
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      this.kill();
    }, withinMs);
    this.#child.send([...words]);
    const [code] = await Promise.all([ended, underway()]);
    clearTimeout(deadline);
    if (isLate) throw new Error(`coda ${words.join(' ')} does not end:\n${this.#output}`);
    return { code, output: this.#output, took: performance.now() - started };
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
