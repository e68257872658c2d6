/**
 * What TLS costs on the links of a realm: two realms that are alike but for that, one on `ws://`, one on `wss://` with
 * certificates on both sides, each of two servers and two gateways. What is written at one gateway is read at the
 * other, which has never seen it, so all bytes pass the links. The people's side is plain HTTP in both, and who they
 * are the gateways know themselves: servers that keep the people take no plain links.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { codaCommand } from '../coda-command.js';
import { run, until } from '../program.js';
import { freePorts } from '../realm.js';
import { WebdavClient } from '../webdav-client.js';
import { drive, makeFolder, names, perSecond, type Target } from './generator.js';
import { median, say, type Row, type Table } from './report.js';

export interface TlsScale {
  readonly rounds: number;
  readonly files: number;
  readonly smallBytes: number;
  readonly largeBytes: number;
}

const schemes = ['ws', 'wss'] as const;
type Scheme = (typeof schemes)[number];
const roles = ['s1', 's2', 'g1', 'g2'] as const;
const initSchema = z.object({ user: z.string() });
const patienceMs = 20_000;

export async function tls(scale: TlsScale): Promise<Table[]> {
  const realms: LinkedRealm[] = [];
  const rounds = new Map<string, Map<Scheme, number[]>>();
  try {
    for (const scheme of schemes) realms.push(await LinkedRealm.start(scheme));
    for (let round = 0; round < scale.rounds; round += 1) {
      for (const realm of realms) {
        for (const [what, figure] of Object.entries(await measured(realm, scale, `round${round}`))) {
          const all = rounds.get(what) ?? new Map<Scheme, number[]>();
          rounds.set(what, all.set(realm.scheme, [...(all.get(realm.scheme) ?? []), figure]));
        }
      }
      say(`round ${round + 1} of ${scale.rounds} done`);
    }
  } finally {
    for (const realm of realms) await realm.stop();
  }
  const rows = [...rounds].map(([key, all]): Row => {
    const [what = '', unit = ''] = key.split(' | ');
    return {
      what,
      unit,
      figures: Object.fromEntries(schemes.map((each) => [each, median(all.get(each) ?? [])])),
    };
  });
  const title =
    `TLS on the links of two servers and two gateways, medians of ${scale.rounds} interleaved rounds; a GET is of ` +
    'what the other gateway has written; in brackets the ratio to plain links';
  return [{ title, columns: [...schemes], base: 'ws', rows }];
}

async function measured(
  { writer, reader }: LinkedRealm,
  { files, smallBytes, largeBytes }: TlsScale,
  folder: string,
): Promise<Record<string, number>> {
  await makeFolder(writer, folder);
  const small = names(folder, files);
  const put = await drive(writer, { method: 'PUT', paths: small, bodyBytes: smallBytes });
  const get = await drive(reader, { method: 'GET', paths: small });
  const large = { paths: [`/${folder}/large`], connections: 1 };
  const putLarge = await drive(writer, { method: 'PUT', ...large, bodyBytes: largeBytes });
  const getLarge = await drive(reader, { method: 'GET', ...large });
  const rate = ({ seconds }: { readonly seconds: number }): number => largeBytes / 1e6 / seconds;
  const [few, many] = [`${smallBytes / 1024} KiB`, `${largeBytes / 1024 / 1024} MiB`];
  return {
    [`PUT ${few} | requests/s`]: perSecond(put),
    [`GET ${few} | requests/s`]: perSecond(get),
    [`PUT ${many} | MB/s`]: rate(putLarge),
    [`GET ${many} | MB/s`]: rate(getLarge),
  };
}

/** A realm of `coda realm init` on the loopback, with its certificates or, on `ws://`, without them. */
class LinkedRealm {
  readonly scheme: Scheme;
  readonly writer: Target;
  readonly reader: Target;
  readonly #folder: string;
  readonly #processes: readonly ChildProcess[];

  private constructor(
    scheme: Scheme,
    folder: string,
    processes: readonly ChildProcess[],
    [writer, reader]: readonly [Target, Target],
  ) {
    this.scheme = scheme;
    this.#folder = folder;
    this.#processes = processes;
    this.writer = writer;
    this.reader = reader;
  }

  static async start(scheme: Scheme): Promise<LinkedRealm> {
    const folder = await mkdtemp(join(tmpdir(), 'coda-tls-'));
    const port = await freePorts(roles.length);
    const servers = ['s1', 's2'].flatMap((name, at) => ['--server', `${name}=127.0.0.1:${port + at}`]);
    const gateways = ['--gateway', 'g1', '--gateway', 'g2', '--data-root', join(folder, 'data')];
    const words = ['realm', 'init', join(folder, 'realm'), ...servers, ...gateways, '--json'];
    const { code, stdout, output } = await run(process.execPath, [codaCommand, ...words]);
    if (code !== 0) throw new Error(`coda realm init: ${output}`);
    const login = { ...initSchema.parse(JSON.parse(stdout)), password: 'bench-password' };
    const [users, passwords] = [join(folder, 'users'), join(folder, 'password.txt')];
    await writeFile(passwords, `${login.password}\n`);
    const add = ['user', 'add', login.user, '--users', users, '--password-file', passwords];
    const added = await run(process.execPath, [codaCommand, ...add]);
    if (added.code !== 0) throw new Error(`coda user add: ${added.output}`);
    const processes: ChildProcess[] = [];
    for (const [at, name] of roles.entries()) {
      const own = join(folder, 'realm', name);
      const isGateway = name.startsWith('g');
      const config = join(own, `${name}.yaml`);
      const dropped = scheme === 'ws' ? ['people', 'realmTls'] : ['people'];
      await change(join(own, 'realm.json'), scheme, ['people']);
      await change(config, scheme, dropped, isGateway ? { listen: `127.0.0.1:${port + at}`, users } : {});
      const order = [codaCommand, isGateway ? 'gateway' : 'vice', '--config', config];
      processes.push(spawn(process.execPath, order, { stdio: 'ignore' }));
    }
    const target = (at: number): Target => ({ url: `http://127.0.0.1:${port + at}/`, ...login });
    const targets = [target(2), target(3)] as const;
    const realm = new LinkedRealm(scheme, folder, processes, targets);
    for (const each of targets) await until(`${each.url} to answer`, patienceMs, () => answers(each));
    return realm;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.toReversed()) {
      if (child.exitCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Both servers are reached and the root can be listed. */
async function answers({ url, user, password }: Target): Promise<true | undefined> {
  const client = new WebdavClient(url, user, password);
  const reply = await client.request('PROPFIND', '/', { headers: { depth: '1' } }).catch(() => undefined);
  return reply?.status === 207 ? true : undefined;
}

/** Changes a file of JSON: addresses, what is not to be in it, and what else is. */
async function change(
  file: string,
  scheme: Scheme,
  dropped: readonly string[],
  added: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const text = (await readFile(file, 'utf8')).replaceAll('wss://', `${scheme}://`);
  const said = z.record(z.string(), z.unknown()).parse(parse(text));
  const kept = Object.entries(said).filter(([name]) => !dropped.includes(name));
  await writeFile(file, JSON.stringify({ ...Object.fromEntries(kept), ...added }));
}
