/** `coda realm certificate`: for a new server, gateway or administrator; again, with a new key, for one that exists. */
import type { Command } from 'commander';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { revokedBefore, type RealmDocument, type RealmIdentity } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { readRealmDocument } from '../config/role-config.js';
import {
  doorSubject,
  issue,
  listCertificates,
  memberSubject,
  readAuthority,
  type Listed,
} from '../setup/issued.js';
import { checkName, parseGateway, parseServer, type Member } from '../setup/member.js';
import { configName } from '../setup/member-config.js';
import { addAdministrator, addMember } from '../setup/realm-kit.js';
import type { Certified } from '../x509/certificate.js';
import { print, type CommonOptions } from './output.js';

interface CertificateOptions extends CommonOptions {
  readonly realm: string;
  readonly gateway?: string | boolean;
  readonly administrator?: boolean;
  readonly dataRoot: string;
}

interface Realm {
  readonly folder: string;
  readonly document: RealmDocument;
  readonly authority: Certified;
}

export function addCertificateCommand(realm: Command): void {
  realm
    .command('certificate <name>')
    .description('issue a certificate: for somebody new, or a new one in place of that which is there')
    .option('--realm <dir>', 'the folder of `coda realm init`', '.')
    .option(
      '--gateway [host:port]',
      'somebody new is a gateway; without an address it serves its own machine',
    )
    .option('--administrator', 'somebody new is a person who changes the realm')
    .option('--data-root <dir>', 'where somebody new keeps data on its machine', '/srv/coda')
    .option('--json', 'print one JSON object: {"name", "made"}')
    .addHelpText(
      'after',
      `
Of a server or gateway that is running, copy the key first and then the certificate to its machine: it uses both within
seconds, and no link is closed. A new server must be in the realm: coda server add.

Examples:
  coda realm certificate s1 --realm office
  coda realm certificate g3 --gateway 10.0.0.12:8443 --realm office
  coda realm certificate ada --administrator --realm office`,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      await certificate(name, command.optsWithGlobals<CertificateOptions>());
    });
}

async function certificate(name: string, options: CertificateOptions): Promise<void> {
  const realm = await realmIn(options.realm);
  const found = (await listCertificates(realm.folder)).find(({ identity }) => identity?.name === name);
  const made =
    found?.identity === undefined
      ? await forSomebodyNew(realm, name, options)
      : await again(realm, found, found.identity, revokedBefore(realm.document.revoked, found.identity));
  const news =
    found === undefined ? 'Copy the folder to its machine' : 'Copy them to its machine, the key first';
  print(options, { name, made }, () => [...made.map((file) => `made ${file}`), `${news}.`].join('\n'));
}

/** @throws OperatorError usage, refused */
async function realmIn(folder: string): Promise<Realm> {
  const document = readRealmDocument(join(folder, 'realm.json'));
  const authority = await readAuthority(folder);
  if (authority !== undefined) return { folder, document, authority };
  const message = `${folder} has no authority (ca.crt, ca.key). Give the folder that \`coda realm init\` has made.`;
  throw new OperatorError('refused', message);
}

async function again(
  { folder, authority }: Realm,
  { file }: Listed,
  identity: RealmIdentity,
  notBefore: number,
): Promise<string[]> {
  const made: string[] = [];
  const [own, base] = splitFile(folder, file);
  await issue(authority, { folder: own, base }, memberSubject(identity), made, notBefore);
  const door = (await listCertificates(own)).find((each) => each.file === 'door.crt');
  if (door !== undefined)
    await issue(authority, { folder: own, base: 'door' }, doorSubject(door.subject), made);
  return made;
}

async function forSomebodyNew(
  { folder, document, authority }: Realm,
  name: string,
  options: CertificateOptions,
): Promise<readonly string[]> {
  checkName(name);
  if (existsSync(join(folder, name, configName(name)))) {
    // Its certificate was lost, its configuration says who it is; only that is certain to fit.
    throw new OperatorError(
      'refused',
      `${join(folder, name)} has no certificate. Remove it, and say this again.`,
    );
  }
  const { dataRoot } = options;
  if (options.administrator === true) return addAdministrator(folder, name, { document, authority });
  if (options.gateway !== undefined) {
    const text = typeof options.gateway === 'string' ? `${name}=${options.gateway}` : name;
    return addMember(folder, { document, authority, member: parseGateway(text), dataRoot });
  }
  const member = serverIn(document, name, folder);
  return addMember(folder, { document, authority, member, dataRoot });
}

function serverIn(document: RealmDocument, name: string, folder: string): Member {
  const entry = document.servers.find((server) => server.name === name);
  if (entry !== undefined) return parseServer(`${name}=${new URL(entry.address).host}`);
  const how =
    `Is it a gateway (--gateway) or an administrator (--administrator)? ` +
    `A server is added first: coda server add ${name} wss://HOST:PORT --realm ${folder}.`;
  throw new OperatorError('refused', `The realm in ${folder} has no "${name}". ${how}`);
}

/** `s1/s1.crt` -> the folder, and the name without its end. */
function splitFile(folder: string, file: string): [string, string] {
  const parts = file.split(/[\\/]/);
  const base = (parts.pop() ?? '').replace(/\.crt$/, '');
  return [join(folder, ...parts), base];
}
