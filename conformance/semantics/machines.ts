/** Five machines and that of the administrator, in one folder and on the loopback: what the README does with them. */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Test } from 'tap';
import { codaCommand } from '../coda-command.js';
import { run, until, type Ended } from '../program.js';

const root = resolve(import.meta.dirname, '../../..');
const patience = 60_000;

/** The commands of the blocks between two headings of the README. */
export function commandsOf(from: string, to: string): string[] {
  const text = readFileSync(join(root, 'README.md'), 'utf8');
  const part = text.slice(text.indexOf(`\n${from}\n`), text.indexOf(`\n${to}\n`));
  const blocks = [...part.matchAll(/^```\n(.*?)^```$/gms)].map((match) => match[1] ?? '');
  const lines = blocks.join('').replaceAll('\\\n', ' ').split('\n');
  return lines.filter((line) => /^(coda|scp|curl) /.test(line));
}

interface Running {
  readonly child: ChildProcess;
  /** What it has said, ready line and log. */
  said: string;
}

/** Five machines and that of the administrator, in one folder. */
export class Machines {
  readonly folder: string;
  readonly roles = new Map<string, Running>();
  password = '';
  readonly #ports: number;
  readonly #test: Test;

  constructor(test: Test, ports: number) {
    this.#test = test;
    this.#ports = ports;
    this.folder = test.testdir({ etc: {}, 'plan.txt': 'the plan' });
  }

  at(...path: readonly string[]): string {
    return join(this.folder, ...path);
  }

  /** A line of the README as it is on these machines. */
  here(line: string): string[] {
    const text = line
      .replace(/10\.0\.0\.(\d+)/g, (_all, last: string) => `127.0.0.${Number(last) + 1}`)
      .replaceAll(':7001', `:${this.#ports}`)
      .replaceAll(':8443', `:${this.#ports + 1}`)
      .replaceAll('/etc/coda', this.at('etc'));
    return text.split(/\s+/).filter((word) => word !== '');
  }

  coda(...words: readonly string[]): Promise<Ended> {
    return run(process.execPath, [codaCommand, ...words], { cwd: this.folder, timeoutMs: patience });
  }

  /** Carries out one line; what it prints. */
  async follow(line: string): Promise<string> {
    const [program = '', ...words] = this.here(line);
    if (program === 'scp') {
      const [from = '', to = ''] = words.slice(1);
      cpSync(this.at(from), to.replace(/^[\d.]+:/, ''), { recursive: true });
      return '';
    }
    if (program === 'curl') return this.#curl(words);
    if (words[0] === 'vice' || words[0] === 'gateway') return this.start(words);
    const isInit = words[0] === 'realm' && words[1] === 'init';
    const ended = await this.coda(...words, ...(isInit ? ['--data-root', this.at('srv')] : []));
    if (ended.code !== 0) throw new Error(`${line} ended with ${ended.code}:\n${ended.output}`);
    const password = /the password is (\S+)/.exec(ended.stdout)?.[1];
    if (password !== undefined) {
      this.password = password;
      writeFileSync(this.at('password.txt'), `${password}\n`);
    }
    return ended.stdout;
  }

  /** Until it says that it is up. */
  async start(words: readonly string[]): Promise<string> {
    const name = /([a-z0-9]+)\.yaml$/.exec(words.at(-1) ?? '')?.[1] ?? '';
    const plain = ['-u', 'NODE_OPTIONS', process.execPath, codaCommand, ...words];
    const child = spawn('env', plain, { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    const running: Running = { child, said: '' };
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (running.said += text));
    }
    this.roles.set(name, running);
    process.once('exit', () => child.kill('SIGKILL'));
    this.#test.teardown(() => end(child));
    return until(`${name} to be up`, patience, () => {
      if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}:\n${running.said}`);
      return running.said.includes(`${name} is up at`) ? running.said : undefined;
    });
  }

  /** A line in the log of `name` that fits. */
  async logged(name: string, line: RegExp, after = 0): Promise<string> {
    return until(`${name} to log ${String(line)}`, patience, () => {
      const said = this.roles.get(name)?.said.slice(after) ?? '';
      return said.split('\n').find((each) => line.test(each));
    });
  }

  /** Until all who are linked, but these, speak with the newest realm key. */
  async settled(laggards: readonly string[] = []): Promise<void> {
    await until('all others to have the new realm key', patience, async () => {
      const { stdout } = await this.coda('realm', 'key', 'status', '--realm', 'office', '--json');
      return stdout.includes(`"laggards":${JSON.stringify(laggards)}`) || undefined;
    });
  }

  async #curl(words: readonly string[]): Promise<string> {
    const known = words.map((word) => (word === 'ada' ? `ada:${this.password}` : word));
    return until(`curl ${words.join(' ')}`, patience, async () => {
      const { code, stdout } = await run('curl', ['-sf', ...known], { cwd: this.folder });
      return code === 0 ? stdout : undefined;
    });
  }
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve_) => child.once('exit', resolve_));
  child.kill('SIGTERM');
  await ended;
}
