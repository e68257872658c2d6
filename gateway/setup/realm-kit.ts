/**
 * The folder of a realm on several machines, as its administrator keeps it:
 *
 *   realm.json, realm.key                   what every party of the realm has
 *   people.json                             the people at the beginning, and what signs logins: servers alone have it
 *   ca.crt, ca.key                          its authority; the key never leaves this folder
 *   administrator.crt, administrator.key    for commands with `--realm FOLDER`
 *   s1/ ... g1/ ...                         what goes to the machine of each server and gateway, whole
 *   systemd/                                units that start them
 *
 * What is there stays: whoever makes it again, also after a crash in the middle, gets what is missing.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  checkedPassword,
  checkedUserName,
  type PeopleDocument,
  type RealmDocument,
} from '../../vice/interface/index.js';
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { OperatorError } from '../config/operator-error.js';
import { readRealmDocument } from '../config/role-config.js';
import { readIfThere, writeWhole } from '../realm/whole-file.js';
import type { Certified } from '../x509/certificate.js';
import { authorityOf, doorSubject, issue, memberSubject, type Place } from './issued.js';
import { checkMembers, doorHost, hasDoor, newDocument, serverAddress, type Member } from './member.js';
import { configName, configOf } from './member-config.js';
import { systemdUnits } from './systemd-units.js';

const peopleFile = 'people.json';

export interface Wish {
  readonly folder: string;
  /** Undefined: as it is, or `realm`. */
  readonly name: string | undefined;
  readonly servers: readonly Member[];
  readonly gateways: readonly Member[];
  /** Of a new realm: its first user, an administrator. */
  readonly first: FirstUser;
  /** Folder on each machine in which each role has its data. */
  readonly dataRoot: string;
}

export interface FirstUser {
  readonly name: string;
  readonly password: string;
}

export interface Kit {
  /** Whether the first user was made with this password; else he was there. */
  readonly isFirstMade: boolean;
  readonly document: RealmDocument;
  readonly made: readonly string[];
  readonly exists: readonly string[];
}

/** Paths that were made and that were there. */
class KitRecord {
  readonly made: string[] = [];
  readonly exists: string[] = [];

  async once(file: string, contents: () => string | Uint8Array, mode?: number): Promise<void> {
    if ((await readIfThere(file)) !== undefined) {
      this.exists.push(file);
      return;
    }
    await writeWhole(file, contents(), mode);
    this.made.push(file);
  }
}

/** @throws OperatorError usage, refused: the folder has another realm than the one that is wanted */
export async function makeRealm(wish: Wish): Promise<Kit> {
  const { folder, servers, gateways } = wish;
  checkMembers([...servers, ...gateways]);
  const record = new KitRecord();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const document = await documentOf(wish, record);
  await record.once(join(folder, 'realm.key'), () => randomBytes(32), 0o600);
  const isFirstMade = await makePeople(wish, document, record);
  const before = record.made.length;
  const authority = await authorityOf(folder, authorityName(document), record.made);
  if (record.made.length === before) record.exists.push(join(folder, 'ca.crt'));
  const operator = { realm: document.realm, role: 'operator', name: 'administrator' } as const;
  await issueOnce(record, authority, { folder, base: 'administrator' }, memberSubject(operator));
  for (const member of [...servers, ...gateways]) {
    await makeMember(folder, { document, authority, member, dataRoot: wish.dataRoot }, record);
  }
  await mkdir(join(folder, 'systemd'), { recursive: true });
  for (const [name, text] of Object.entries(systemdUnits(wish.dataRoot))) {
    await record.once(join(folder, 'systemd', name), () => text);
  }
  return { document, isFirstMade, made: record.made, exists: record.exists };
}

export interface NewMember {
  readonly document: RealmDocument;
  readonly authority: Certified;
  readonly member: Member;
  readonly dataRoot: string;
}

/** Everything that goes to the machine of one server or gateway. @returns paths that were made */
export async function addMember(folder: string, member: NewMember): Promise<readonly string[]> {
  const record = new KitRecord();
  await makeMember(folder, member, record);
  return record.made;
}

/** What an administrator takes along: the folder can be given as `--realm`. @returns paths that were made */
export async function addAdministrator(
  folder: string,
  name: string,
  { document, authority }: Pick<NewMember, 'document' | 'authority'>,
): Promise<readonly string[]> {
  const record = new KitRecord();
  const own = join(folder, name);
  await copyShared(folder, own, document, record);
  const identity = { realm: document.realm, role: 'operator', name } as const;
  await issueOnce(record, authority, { folder: own, base: 'administrator' }, memberSubject(identity));
  return record.made;
}

async function makeMember(folder: string, wanted: NewMember, record: KitRecord): Promise<void> {
  const { document, authority, member, dataRoot } = wanted;
  const { role, name } = member;
  const own = join(folder, name);
  await copyShared(folder, own, document, record);
  // Where the people were gateways' before there is none: the other servers have them, and this one fetches them.
  const people = document.people && (await readIfThere(join(folder, peopleFile)));
  const hasPeople = people !== undefined;
  await record.once(join(own, configName(name)), () => configOf(member, { document, hasPeople }, dataRoot));
  if (role === 'server' && people !== undefined) {
    await record.once(join(own, peopleFile), () => people, 0o600);
  }
  const identity = { realm: document.realm, role, name } as const;
  await issueOnce(record, authority, { folder: own, base: name }, memberSubject(identity));
  if (!hasDoor(member)) return;
  await issueOnce(record, authority, { folder: own, base: 'door' }, doorSubject(doorHost(member)));
}

async function copyShared(
  folder: string,
  own: string,
  document: RealmDocument,
  record: KitRecord,
): Promise<void> {
  await mkdir(own, { recursive: true, mode: 0o700 });
  await record.once(join(own, 'realm.json'), () => documentText(document));
  const key = await readFile(join(folder, 'realm.key'));
  await record.once(join(own, 'realm.key'), () => key, 0o600);
  const authority = await readFile(join(folder, 'ca.crt'));
  await record.once(join(own, 'ca.crt'), () => authority);
}

async function issueOnce(
  record: KitRecord,
  authority: Certified,
  place: Place,
  subject: Parameters<typeof issue>[2],
): Promise<void> {
  const certificate = join(place.folder, `${place.base}.crt`);
  if ((await readIfThere(certificate)) !== undefined) record.exists.push(certificate);
  // A key without its certificate is of a run that was ended: nobody has it.
  else await issue(authority, place, subject, record.made);
}

/** Whether they were made now. */
async function makePeople(
  { folder, first }: Wish,
  { realm, version, people }: RealmDocument,
  record: KitRecord,
): Promise<boolean> {
  if (people === undefined) return false;
  const file = join(folder, peopleFile);
  if ((await readIfThere(file)) !== undefined) record.exists.push(file);
  // Later on the people are those of the servers.
  else if (version === 1) {
    const verifier = await scryptPasswords().hash(checkedPassword(first.password));
    const user = { name: checkedUserName(first.name), verifier, changed: Date.now() };
    const tokenKey = randomBytes(32).toString('hex');
    const made: PeopleDocument = { format: 1, version: 1, realm, tokenKey, users: [user] };
    await writeWhole(file, `${JSON.stringify(made, null, 2)}\n`, 0o600);
    record.made.push(file);
    return true;
  }
  return false;
}

async function documentOf(wish: Wish, record: KitRecord): Promise<RealmDocument> {
  const file = join(wish.folder, 'realm.json');
  if ((await readIfThere(file)) === undefined) {
    if (wish.servers.length === 0)
      throw new OperatorError('usage', 'Give one --server NAME=HOST:PORT at least.');
    const id = randomBytes(8).toString('hex');
    const document = newDocument(id, wish.name ?? 'realm', wish.servers, wish.first.name);
    await writeWhole(file, documentText(document));
    await chmod(wish.folder, 0o700);
    record.made.push(file);
    return document;
  }
  const document = readRealmDocument(file);
  record.exists.push(file);
  if (wish.name !== undefined && wish.name !== document.name) {
    const message = `${wish.folder} has the realm ${document.name} already. Give another folder.`;
    throw new OperatorError('refused', message);
  }
  for (const server of wish.servers) checkKnown(wish.folder, document, server);
  return document;
}

function checkKnown(folder: string, document: RealmDocument, server: Member): void {
  const address = serverAddress(server);
  const known = document.servers.find(({ name }) => name === server.name);
  if (known?.address === address) return;
  const is =
    known === undefined
      ? `has no server ${server.name}`
      : `has ${server.name} at ${known.address}, not ${address}`;
  const how = `coda server add ${server.name} ${address} --realm ${folder}, then coda realm certificate ${server.name}`;
  throw new OperatorError(
    'refused',
    `The realm in ${folder} ${is}. A realm that runs gets a server by: ${how}.`,
  );
}

function authorityName({ name, realm }: RealmDocument): string {
  return `${name} realm authority ${realm}`;
}

function documentText(document: RealmDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
