/** `coda realm`: a realm on several machines from nothing, and its certificates. */
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  checkedUserName,
  identityText,
  revokedBefore,
  type RealmDocument,
} from '../../vice/interface/index.js';
import { commandName, shellQuoted } from '../config/command-name.js';
import { readRealmDocument } from '../config/role-config.js';
import { formatListenAddress } from '../config/listen-address.js';
import { listCertificates, type Listed } from '../setup/issued.js';
import { hasDoor, parseGateway, parseServer, type Member } from '../setup/member.js';
import { configName } from '../setup/member-config.js';
import { newPassword } from '../realm/realm-folder.js';
import { makeRealm, type FirstUser, type Kit } from '../setup/realm-kit.js';
import { print, table, type CommonOptions } from './output.js';
import { ownName } from './own-name.js';
import { readPassword } from './password-file.js';
import { addAuditCommand } from './realm-audit.js';
import { addCertificateCommand } from './realm-certificate.js';
import { addKeyCommand } from './realm-key.js';
import { addLoginKeyCommand } from './realm-login-key.js';
import { addLoginTimeCommand } from './realm-login-time.js';
import { addPeopleCommand } from './realm-people.js';
import { addRevokeCommand } from './realm-revoke.js';

const day = 24 * 60 * 60 * 1000;
const soonDays = 30;
const defaultDataRoot = '/srv/coda';

interface InitOptions extends CommonOptions {
  readonly name?: string;
  readonly server: readonly string[];
  readonly gateway: readonly string[];
  readonly dataRoot: string;
  readonly user?: string;
  readonly passwordFile?: string;
}

export function addRealmCommand(program: Command): void {
  const realm = program
    .command('realm')
    .description('a realm on several machines: its files from nothing, its certificates');
  const several = (value: string, before: readonly string[]): readonly string[] => [...before, value];
  realm
    .command('init <dir>')
    .description('write all files of a realm: configuration, realm document, authority, certificates')
    .option('--name <name>', 'of the realm (default: realm)')
    .option('--server <name=host:port>', 'a Vice server and where it listens; once for each', several, [])
    .option(
      '--gateway <name[=host:port]>',
      'a gateway; without an address it serves its own machine',
      several,
      [],
    )
    .option('--user <name>', 'the first user, an administrator (default: you)')
    .option(
      '--password-file <file>',
      'holds the password of the first user (default: one is made and printed)',
    )
    .option(
      '--data-root <dir>',
      'where servers and gateways keep their data on their machines',
      defaultDataRoot,
    )
    .option(
      '--json',
      'print one JSON object: {"realm", "name", "user", "password", "made", "exists", "members": [{"role", "name", ' +
        '...}]}; the user if he was made now, the password only if it was made, too',
    )
    .addHelpText(
      'after',
      `
What is there is never overwritten: said again, it makes what is missing and says what exists.

Examples:
  coda realm init office --name office \\
    --server s1=10.0.0.1:7001 --server s2=10.0.0.2:7001 --server s3=10.0.0.3:7001 \\
    --gateway g1 --gateway g2=10.0.0.9:8443`,
    )
    .action(async (folder: string, _options: unknown, command: Command) => {
      await init(folder, command.optsWithGlobals<InitOptions>());
    });
  addCertificateCommand(realm);
  addKeyCommand(realm);
  addLoginKeyCommand(realm);
  addLoginTimeCommand(realm);
  addPeopleCommand(realm);
  addRevokeCommand(realm);
  addAuditCommand(realm);
  realm
    .command('list [dir]')
    .description('the certificates of a realm, and when they end')
    .option('--json', 'print one JSON object: {"certificates": [{"name", "file", "until", "state"}]}')
    .addHelpText('after', '\nExamples:\n  coda realm list office')
    .action(async (folder: string | undefined, _options: unknown, command: Command) => {
      await list(folder ?? '.', command.optsWithGlobals<CommonOptions>());
    });
}

async function init(folder: string, options: InitOptions): Promise<void> {
  const servers = options.server.map(parseServer);
  const gateways = options.gateway.map(parseGateway);
  const { name, dataRoot, passwordFile, user = ownName() } = options;
  const password = passwordFile === undefined ? newPassword() : readPassword(passwordFile);
  const first = { name: checkedUserName(user), password };
  const kit = await makeRealm({ folder, name, servers, gateways, dataRoot, first });
  const members = [...servers, ...gateways];
  const result = {
    realm: kit.document.realm,
    name: kit.document.name,
    ...(kit.isFirstMade && { user: first.name, ...(passwordFile === undefined && { password }) }),
    made: kit.made,
    exists: kit.exists,
    members: members.map((member) => ({
      role: member.role,
      name: member.name,
      listen: formatListenAddress(member.listen),
      folder: resolve(folder, member.name),
      config: resolve(folder, member.name, configName(member.name)),
    })),
  };
  print(options, result, () =>
    [
      ...madeLines(folder, kit),
      ...(kit.isFirstMade ? [firstLine(first, passwordFile === undefined), ''] : []),
      ...members.flatMap((each) => memberLines(folder, each)),
      ...lastLines(folder),
    ].join('\n'),
  );
}

function madeLines(folder: string, { document, made, exists }: Kit): string[] {
  const files = (count: number): string => `${count} ${count === 1 ? 'file' : 'files'}`;
  const kept = exists.length === 0 ? '' : `; ${files(exists.length)} existed and stay as they are`;
  const first = `The realm ${document.name} (${document.realm}) is in ${folder}: ${files(made.length)} made${kept}.`;
  return [first, ...(exists.length === 0 ? [] : made.map((file) => `  made ${file}`)), ''];
}

function firstLine({ name, password }: FirstUser, isPasswordMade: boolean): string {
  const who = `${name} is the first user, and an administrator of the share`;
  return isPasswordMade ? `${who}; the password is ${password}` : who;
}

/** What to copy where, and what starts it there. */
function memberLines(folder: string, member: Member): string[] {
  const { role, name, listen } = member;
  const coda = commandName();
  const isServer = role === 'server';
  // Where it listens is where it is, unless it serves its own machine alone.
  const machine = isServer || hasDoor(member) ? listen.host : 'MACHINE';
  const copy = `scp -r ${shellQuoted(join(folder, name))} ${machine}:/etc/coda/${name}`;
  const start = `${coda} ${isServer ? 'vice' : 'gateway'} --config /etc/coda/${name}/${configName(name)}`;
  const address = formatListenAddress(listen);
  const share = hasDoor(member)
    ? `https://${address}/, to who trusts ${join(folder, 'ca.crt')}`
    : `http://${address}/`;
  const door = isServer ? [] : [`  the share is at ${share}`];
  return [`${role} ${name} (${address})`, `  ${copy}`, `  ${start}`, ...door];
}

function lastLines(folder: string): string[] {
  const where = shellQuoted(folder);
  return [
    '',
    `or with systemd: copy ${where}/systemd/*.service to /etc/systemd/system, systemctl enable --now coda-vice@NAME`,
    `Look at it: ${commandName()} server list --realm ${where}`,
    `More users: ${commandName()} user add NAME --realm ${where}`,
    `Keep ${where} where nobody else can read it: with ca.key it makes certificates.`,
  ];
}

async function list(folder: string, options: CommonOptions): Promise<void> {
  const now = Date.now();
  const document = join(folder, 'realm.json');
  const revoked = existsSync(document) ? readRealmDocument(document).revoked : undefined;
  const certificates = (await listCertificates(folder)).map((listed) => ({
    name: nameOf(listed),
    file: listed.file,
    until: new Date(listed.until).toISOString(),
    state: isRevoked(listed, revoked) ? 'revoked' : stateOf(listed.until - now),
  }));
  print(options, { certificates }, () =>
    table([
      ['CERTIFICATE OF', 'UNTIL', '', 'FILE'],
      ...certificates.map(({ name, file, until, state }) => [name, until.slice(0, 10), state, file]),
    ]),
  );
}

function nameOf({ file, identity, subject }: Listed): string {
  if (identity !== undefined) return identityText(identity);
  return file === 'ca.crt' ? 'the authority' : `the door at ${subject}`;
}

function isRevoked({ identity, from }: Listed, revoked: RealmDocument['revoked']): boolean {
  return identity !== undefined && from < revokedBefore(revoked, identity);
}

function stateOf(left: number): string {
  if (left <= 0) return 'expired';
  return left < soonDays * day ? `${Math.floor(left / day)} days left` : '';
}
