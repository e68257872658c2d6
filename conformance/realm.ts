/** A whole realm for a test: real processes, started by `coda up` in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { whyNotFree } from '../gateway/realm/port.js';
import { run, until, type Ended } from './program.js';
import { WebdavClient } from './webdav-client.js';

/** The `coda` command, compiled. */
export const codaCommand = resolve(import.meta.dirname, '../gateway/cli/main.js');

const place = z.object({ name: z.string(), pid: z.number(), url: z.string() });

/** What `coda up --ready-file F` writes. */
const readySchema = z.object({
  url: z.string(),
  user: z.string(),
  password: z.string(),
  data: z.string(),
  servers: z.array(place),
  gateways: z.array(place),
});
export type Ready = z.infer<typeof readySchema>;

/** What we read of `coda status --json`. */
const process_ = z.object({ name: z.string(), pid: z.number().nullable(), state: z.string() });
const statusSchema = z.object({ servers: z.array(process_), gateways: z.array(process_) });

export interface RealmOptions {
  /** Default: a new folder, removed by `stop`. */
  readonly data?: string;
  readonly servers?: number;
  readonly gateways?: number;
  /** Further ones of `coda up`. */
  readonly options?: readonly string[];
  /** Of `coda up` and its children, beside this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

const readyWithinMs = 60_000;
const stopWithinMs = 20_000;
const keptLines = 400;
/** Each question is a whole process, on machines that have other work. */
const askEveryMs = 1_000;

export class Realm {
  readonly ready: Ready;
  /** The folder of all its data. */
  readonly data: string;
  readonly #up: ChildProcess;
  readonly #log: string[];
  readonly #remove: boolean;

  private constructor(ready: Ready, up: ChildProcess, log: string[], data: string, remove: boolean) {
    this.ready = ready;
    this.data = data;
    this.#up = up;
    this.#log = log;
    this.#remove = remove;
  }

  /** @throws Error with the log when the realm is not ready within a minute */
  static async start(options: RealmOptions = {}): Promise<Realm> {
    const { servers = 3, gateways = 1, options: further = [], environment = {} } = options;
    const data = options.data ?? (await mkdtemp(join(tmpdir(), 'coda-realm-')));
    const readyFile = join(data, '..', `${data.split('/').at(-1) ?? ''}.ready.json`);
    await rm(readyFile, { force: true });
    const port = await freePorts(gateways);
    const sizes = ['--servers', `${servers}`, '--gateways', `${gateways}`];
    const args = [
      'up',
      '--data',
      data,
      '--listen',
      `127.0.0.1:${port}`,
      '--ready-file',
      readyFile,
      ...sizes,
      ...further,
    ];
    // tap gives every child its module hooks by NODE_OPTIONS: 40 MB and a slow start that no user has.
    const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const plain = ['-u', 'NODE_OPTIONS', ...set, process.execPath, '--enable-source-maps', codaCommand];
    const up = spawn('env', [...plain, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const log = keepLog(up);
    // Its children end with it (they hold a channel to it), also when the test is killed.
    process.once('exit', () => up.kill('SIGKILL'));
    try {
      const ready = await until(`the ready file of coda ${args.join(' ')}`, readyWithinMs, () => {
        if (up.exitCode !== null) throw new Error(`coda up ended with exit code ${up.exitCode}`);
        return readReady(readyFile);
      });
      return new Realm(ready, up, log, data, options.data === undefined);
    } catch (cause) {
      up.kill('SIGKILL');
      throw new Error(`the realm did not start:\n${log.join('\n')}\n${await roleLogs(data)}`, { cause });
    }
  }

  get url(): string {
    return this.ready.url;
  }

  /** Asks the gateway `name`, the first one by default, as the realm's user. */
  client(name?: string): WebdavClient {
    const gateway =
      this.ready.gateways.find((candidate) => candidate.name === name) ?? this.ready.gateways[0];
    return new WebdavClient(gateway?.url ?? this.ready.url, this.ready.user, this.ready.password);
  }

  /** Runs `coda ...args --data` of this realm. */
  async coda(...args: readonly string[]): Promise<Ended> {
    return run(process.execPath, [codaCommand, ...args, '--data', this.data]);
  }

  /** Sends a signal to a server or gateway; its supervisor starts it again when it dies of it. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<number> {
    const { pid } = await this.#process(name);
    if (pid === null) throw new Error(`${name} does not run`);
    process.kill(pid, signal);
    return pid;
  }

  /** Waits until `name` runs as another process than `killed`. */
  async restarted(name: string, killed: number): Promise<void> {
    const again = async (): Promise<true | undefined> => {
      const { pid, state } = await this.#process(name);
      return pid !== null && pid !== killed && state === 'running' ? true : undefined;
    };
    await until(`${name} to run again`, readyWithinMs, again, askEveryMs);
  }

  /** Ctrl-C, and the end of everything. Idempotent. @throws Error when `coda up` does not end by itself */
  async stop(): Promise<void> {
    if (this.#up.exitCode === null && this.#up.signalCode === null) {
      const ended = new Promise<void>((done) => this.#up.once('exit', () => done()));
      this.#up.kill('SIGINT');
      const force = setTimeout(() => this.#up.kill('SIGKILL'), stopWithinMs);
      await ended;
      clearTimeout(force);
      if (this.#up.exitCode !== 0) throw new Error(`coda up ended badly on Ctrl-C:\n${this.#log.join('\n')}`);
    }
    if (this.#remove) await rm(this.data, { recursive: true, force: true });
    await rm(`${this.data}.ready.json`, { force: true });
  }

  /** The last lines of all its processes, for the report of a failed test. */
  async logs(): Promise<string> {
    return `coda up:\n${this.#log.join('\n')}\n${await roleLogs(this.data)}`;
  }

  async #process(name: string): Promise<z.infer<typeof process_>> {
    const { code, stdout, output } = await this.coda('status', '--json');
    if (code !== 0) throw new Error(`coda status ended with exit code ${code}:\n${output}`);
    const status = statusSchema.parse(JSON.parse(stdout));
    const found = [...status.servers, ...status.gateways].find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`coda status does not know ${name}:\n${stdout}`);
    return found;
  }
}

function readReady(file: string): Ready | undefined {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  // Written whole and at once: a half or foreign document is a failure, not a reason to wait.
  return readySchema.parse(JSON.parse(text));
}

function keepLog(child: ChildProcess): string[] {
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      log.push(...text.trimEnd().split('\n'));
      log.splice(0, Math.max(0, log.length - keptLines));
    });
  }
  return log;
}

async function roleLogs(data: string): Promise<string> {
  const folder = join(data, 'log');
  const names = await readdir(folder).catch(() => []);
  const texts = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8').catch(() => '');
      return `${name}:\n${text.split('\n').slice(-60).join('\n')}`;
    }),
  );
  return texts.join('\n');
}

/**
 * The first of `count` free ports in a row, outside the ranges from which the system and `coda` give ports by
 * themselves.
 */
export async function freePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const first = 10_000 + Math.floor(Math.random() * 9_900);
    const refusals = await Promise.all(
      Array.from({ length: count }, (_, index) => whyNotFree({ host: '127.0.0.1', port: first + index })),
    );
    if (refusals.every((why) => why === undefined)) return first;
  }
  throw new Error('no free port found');
}
