/**
 * One server or gateway as a process of its own, started as its supervisor starts it, but again at once after
 * it was killed: so a test can kill hundreds of times.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { join, resolve } from 'node:path';
import { codaCommand } from '../realm.js';

export type Role = 'vice' | 'gateway';

export interface RoleOptions {
  readonly role: Role;
  readonly name: string;
  readonly configFile: string;
  /** A program, with its arguments, that becomes the process: `nsenter --net=FILE`. */
  readonly through?: readonly string[];
  /** The next process reads its modules while the present one works (standby.ts). */
  readonly spare?: boolean;
}

interface Spare {
  readonly child: ChildProcess;
  /** It has read its modules, or has ended. */
  readonly loaded: Promise<void>;
}

const readyWithinMs = 60_000;
const keptBytes = 16_384;
const standby = join(import.meta.dirname, 'standby.js');
/** What a role's process loads when it starts, beside the command itself. */
const assemblies = {
  vice: resolve(import.meta.dirname, '../../vice/main.js'),
  gateway: resolve(import.meta.dirname, '../../gateway/main.js'),
} as const;

export class RoleProcess {
  readonly name: string;
  readonly #options: RoleOptions;
  #child: ChildProcess | undefined;
  #spare: Spare | undefined;
  #url = '';
  /** The last words of the present process and of the one before. */
  #log = '';

  constructor(options: RoleOptions) {
    this.#options = options;
    this.name = options.name;
  }

  /** Where it listens. */
  get url(): string {
    return this.#url;
  }

  get log(): string {
    return `${this.name}:\n${this.#log}`;
  }

  /**
   * Starts it and waits until it is ready. @throws Error with its last words when it does not become ready
   */
  async start(): Promise<void> {
    const child = await this.#begin();
    const deadline = setTimeout(() => child.kill('SIGKILL'), readyWithinMs);
    try {
      this.#url = await this.#ready(child);
    } finally {
      clearTimeout(deadline);
    }
    if (this.#options.spare === true) this.#spare ??= this.#standBy();
  }

  /** Starts it and kills it so many milliseconds later, ready or not. @throws Error when it ended by itself */
  async startInVain(ms: number): Promise<void> {
    await this.#begin();
    await new Promise((passed) => setTimeout(passed, ms));
    await this.kill();
    if (this.died) throw new Error(`${this.name} ended while it started:\n${this.#log}`);
  }

  /** SIGKILL, and the end of the process. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill('SIGKILL');
    await ended;
  }

  /** Halts it where it is: it keeps its sockets and answers nothing, until `thaw`. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Whether it ended although nobody killed it. */
  get died(): boolean {
    return this.#child?.exitCode !== null && this.#child?.exitCode !== undefined;
  }

  /** Asks it to end in order, then makes it. */
  async stop(): Promise<void> {
    this.#spare?.child.kill('SIGKILL');
    this.#spare = undefined;
    const child = this.#child;
    if (child === undefined || hasEnded(child)) return;
    const force = setTimeout(() => child.kill('SIGKILL'), 6_000);
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill('SIGTERM');
    await ended;
    clearTimeout(force);
  }

  /** A process that has the command's words; of one that stood by, not a moment earlier. */
  async #begin(): Promise<ChildProcess> {
    const words = [this.#options.role, '--config', this.#options.configFile];
    const spare = this.#spare;
    this.#spare = undefined;
    await spare?.loaded;
    const child = spare?.child ?? this.#spawn([codaCommand, ...words]);
    this.#child = child;
    this.#log = `${this.#log.slice(-keptBytes / 4)}\n--- started\n`;
    // One that ended while it read its modules is told by `start`.
    if (spare !== undefined && child.connected) child.send(words);
    return child;
  }

  #standBy(): Spare {
    const child = this.#spawn([standby, codaCommand, assemblies[this.#options.role]]);
    const loaded = new Promise<void>((done) => {
      child.once('message', () => done());
      child.once('exit', () => done());
    });
    return { child, loaded };
  }

  #spawn(words: readonly string[]): ChildProcess {
    const { through = [] } = this.#options;
    const [program, ...args] = [...through, process.execPath, '--enable-source-maps', ...words];
    if (program === undefined) throw new Error('a command has a program');
    // tap gives every child its module hooks by NODE_OPTIONS: a slow start that no user has.
    const { NODE_OPTIONS: _hooks, ...env } = process.env;
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-keptBytes);
      });
    }
    return child;
  }

  #ready(child: ChildProcess): Promise<string> {
    return new Promise<string>((ready, failed) => {
      if (hasEnded(child)) failed(new Error(`${this.name} ended before it began:\n${this.#log}`));
      child.on('message', (message) => {
        const url = readyUrl(message);
        if (url !== undefined) ready(url);
      });
      child.once('error', failed);
      child.once('exit', (code, signal) => {
        failed(new Error(`${this.name} ended (${signal ?? code}) before it was ready:\n${this.#log}`));
      });
    });
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function readyUrl(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || !('report' in message)) return undefined;
  if (message.report !== 'ready' || !('url' in message)) return undefined;
  return String(message.url);
}
