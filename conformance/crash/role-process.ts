/**
 * One server or gateway as a process of its own, started as its supervisor starts it, but again at once after
 * it was killed: so a test can kill hundreds of times.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { codaCommand } from '../realm.js';

export type Role = 'vice' | 'gateway';

const readyWithinMs = 60_000;
const keptBytes = 16_384;

export class RoleProcess {
  readonly name: string;
  readonly #role: Role;
  readonly #configFile: string;
  readonly #through: readonly string[];
  #child: ChildProcess | undefined;
  #url = '';
  /** The last words of the present process and of the one before. */
  #log = '';

  /** @param through a program, with its arguments, that becomes the process: `nsenter --net=FILE` */
  constructor(role: Role, name: string, configFile: string, through: readonly string[] = []) {
    this.#role = role;
    this.name = name;
    this.#configFile = configFile;
    this.#through = through;
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
    const command = [process.execPath, '--enable-source-maps', codaCommand, this.#role];
    const [program, ...args] = [...this.#through, ...command, '--config', this.#configFile];
    if (program === undefined) throw new Error('a command has a program');
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    this.#child = child;
    this.#log = `${this.#log.slice(-keptBytes / 4)}\n--- started\n`;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-keptBytes);
      });
    }
    const deadline = setTimeout(() => child.kill('SIGKILL'), readyWithinMs);
    try {
      this.#url = await new Promise<string>((ready, failed) => {
        child.on('message', (message) => {
          const url = readyUrl(message);
          if (url !== undefined) ready(url);
        });
        child.once('error', failed);
        child.once('exit', (code, signal) => {
          failed(new Error(`${this.name} ended (${signal ?? code}) before it was ready:\n${this.#log}`));
        });
      });
    } finally {
      clearTimeout(deadline);
    }
  }

  /** SIGKILL, and the end of the process. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
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
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const force = setTimeout(() => child.kill('SIGKILL'), 6_000);
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    child.kill('SIGTERM');
    await ended;
    clearTimeout(force);
  }
}

function readyUrl(message: unknown): string | undefined {
  if (typeof message !== 'object' || message === null || !('report' in message)) return undefined;
  if (message.report !== 'ready' || !('url' in message)) return undefined;
  return String(message.url);
}
