/** `coda up`: the embedded realm, from its first start to Ctrl-C. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { conflictPolicies, type ConflictPolicy } from '../../vice/interface/index.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { commandName, shellQuoted } from '../config/command-name.js';
import { readConfigFile, readText } from '../config/config-file.js';
import { parseListenAddress, type ListenAddress } from '../config/listen-address.js';
import { OperatorError } from '../config/operator-error.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { openRealm, type ReadyReport, type RunningRealm } from '../realm/embedded-realm.js';
import { rulesSchema } from '../resolver/rules.js';
import { davfsConfigText, mountLines, mountText } from './mount-lines.js';
import { ownName } from './own-name.js';
import { print, progress, type CommonOptions } from './output.js';
import { readPassword } from './password-file.js';
import { dataOption } from './status.js';

interface UpOptions extends CommonOptions {
  readonly data?: string;
  readonly listen?: ListenAddress;
  readonly servers?: number;
  readonly gateways: number;
  readonly user?: string;
  readonly passwordFile?: string;
  readonly readyFile?: string;
  readonly tlsKey?: string;
  readonly tlsCert?: string;
  readonly allowPlainHttp?: boolean;
  readonly conflicts?: ConflictPolicy;
  readonly resolvers?: string;
}

export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description('run a whole realm on this machine: Vice servers, gateways, a WebDAV share')
    .option(...dataOption)
    .option('--listen <host:port>', 'address of the first gateway (default: 127.0.0.1:8080)', listenAddress)
    .option('--servers <n>', 'Vice servers of a new realm, 1 to 9 (default: 3)', count(1, 9))
    .option('--gateways <n>', 'gateways; the others get the following ports', count(1, 9), 1)
    .option('--user <name>', 'the user of the share (default: yours; later the one of the first start)')
    .option('--password-file <file>', 'holds the password (default: one is made at the first start and kept)')
    .option('--ready-file <file>', 'written, whole, when all is up; removed at the end')
    .option('--tls-key <file>', 'PEM key: serve https')
    .option('--tls-cert <file>', 'PEM certificate')
    .option('--allow-plain-http', 'allow plain HTTP on an address that other machines reach')
    .addOption(
      new Option(
        '--conflicts <policy>',
        'of a file changed apart: see all versions, or the last one',
      ).choices(conflictPolicies),
    )
    .option('--resolvers <file>', 'rules: which command merges which files that were changed apart')
    .option('--json', 'print the ready report as one JSON object')
    .addHelpText(
      'after',
      `
Ready report (--json and --ready-file):
  {"url", "user", "password", "data",
   "servers": [{"name", "pid", "url"}], "gateways": [{"name", "pid", "url"}]}
"url" is the first gateway's. The file is written again when a process that died has been started again.

Ctrl-C or SIGTERM stops everything cleanly; the next start finds everything as it was.

--conflicts is kept until it is given again: "keep" (at first) or "last-writer-wins".

Examples:
  coda up
  coda up --data ~/realm --listen 127.0.0.1:9000 --gateways 2
  coda up --listen 0.0.0.0:8443 --tls-key tls.key --tls-cert tls.crt`,
    )
    .action(async (_options: unknown, command: Command) => {
      await up(command.optsWithGlobals<UpOptions>());
    });
}

async function up(options: UpOptions): Promise<void> {
  const stopped = stopSignal();
  const realm = await openRealm(
    {
      data: options.data ?? defaultDataFolder(),
      listen: options.listen ?? { host: '127.0.0.1', port: 8080 },
      servers: options.servers,
      gateways: options.gateways,
      user: options.user,
      newUser: ownName(),
      password: options.passwordFile === undefined ? undefined : readPassword(options.passwordFile),
      readyFile: options.readyFile === undefined ? undefined : resolve(options.readyFile),
      tls: tlsFiles(options),
      allowPlainHttp: options.allowPlainHttp === true,
      conflicts: options.conflicts,
      resolvers: options.resolvers === undefined ? undefined : rulesFile(options.resolvers),
    },
    systemClock(),
    progress,
  );
  try {
    const ready = await Promise.race([realm.start(), stopped]);
    if (ready !== undefined) {
      writeFileSync(davfsConfig(ready.data), davfsConfigText);
      print(options, ready, () => readyText(ready, realm.notes));
      await stopped;
    }
  } finally {
    await stopAll(realm);
  }
}

async function stopAll(realm: RunningRealm): Promise<void> {
  progress('stopping everything (Ctrl-C again: at once)');
  process.on('SIGINT', () => {
    realm.kill();
  });
  await realm.stop();
  progress('stopped');
}

function readyText(ready: ReadyReport, notes: readonly string[]): string {
  const command = commandName();
  const where = ready.data === defaultDataFolder() ? '' : ` --data ${shellQuoted(ready.data)}`;
  const [server] = ready.servers;
  const others = ready.gateways.slice(1).map(({ name, url }) => `\n  ${name.padEnd(9)} ${url}`);
  return `
The share is up.

  address   ${ready.url}${others.join('')}
  user      ${ready.user}
  password  ${ready.password}
  data      ${ready.data}

Mount it:

${mountText(mountLines(ready.url, ready.user, ready.password, davfsConfig(ready.data)))}

Next: copy a file into the mount, then, in another terminal, take a server away; the share goes on without it:
  ${command} servers stop ${server?.name ?? 's1'}${where}
  ${command} status${where}
Logs are in ${join(ready.data, 'log')}. Ctrl-C stops everything.
${notes.map((note) => `Note: ${note}\n`).join('')}`;
}

function davfsConfig(data: string): string {
  return join(data, 'davfs2.conf');
}

function stopSignal(): Promise<undefined> {
  return new Promise((done) => {
    process.once('SIGINT', () => done(undefined));
    process.once('SIGTERM', () => done(undefined));
    process.once('SIGHUP', () => done(undefined));
    if (process.env['npm_lifecycle_event'] !== undefined) whenParentEnds(() => done(undefined));
  });
}

/** npm gives a signal to its shell alone, which dies of it and passes nothing on. */
function whenParentEnds(act: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) act();
  }, 500);
  timer.unref();
}

function tlsFiles(options: UpOptions): { key: string; cert: string } | undefined {
  const { tlsKey, tlsCert } = options;
  if (tlsKey === undefined && tlsCert === undefined) return undefined;
  if (tlsKey === undefined || tlsCert === undefined) {
    throw new OperatorError('usage', 'Give both --tls-key and --tls-cert.');
  }
  readText(tlsKey);
  readText(tlsCert);
  return { key: resolve(tlsKey), cert: resolve(tlsCert) };
}

/** @throws OperatorError usage: it is no rule file */
function rulesFile(file: string): string {
  readConfigFile(file, rulesSchema);
  return resolve(file);
}

function listenAddress(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address !== undefined) return address;
  throw new InvalidArgumentError('It must be HOST:PORT, as 127.0.0.1:8080 or [::1]:8080.');
}

function count(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (Number.isInteger(number) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
