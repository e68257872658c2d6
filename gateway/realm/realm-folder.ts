/**
 * The data folder of an embedded realm, made at the first `coda up` and found again at every later one:
 *
 *   coda-folder.json   whose folder it is, and its format
 *   control.json       where the running `coda up` answers; gone when it is stopped
 *   realm.json         the realm document: servers with their ports, the root volume with its replicas
 *   realm.key          32 secret bytes that every server and gateway of the realm holds
 *   login.json         the first user and the password (secret)
 *   users              users and password hashes, for all gateways
 *   servers/s1 ...     data of each Vice server
 *   gateways/g1 ...    data of each gateway: cache, modify log
 *   config/            the configuration file of each child, written at every start
 *   log/               the log of each child
 *   davfs2.conf        what the printed davfs2 line refers to
 */
import { randomBytes } from 'node:crypto';
import { chmod, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  realmDocumentSchema,
  volumeEntry,
  volumeId,
  type ConflictPolicy,
  type RealmDocument,
} from '../../vice/interface/index.js';
import { checkConfig } from '../config/config-file.js';
import { OperatorError } from '../config/operator-error.js';
import { makeFolder, readOwner, takeFolder } from './data-folder.js';
import { freePort } from './port.js';
import { readIfThere, writeWhole } from './whole-file.js';

export const realmPaths = (folder: string) => ({
  realm: join(folder, 'realm.json'),
  realmKey: join(folder, 'realm.key'),
  login: join(folder, 'login.json'),
  users: join(folder, 'users'),
  log: (child: string) => join(folder, 'log', `${child}.log`),
  config: (child: string) => join(folder, 'config', `${child}.json`),
  server: (name: string) => join(folder, 'servers', name),
  gateway: (name: string) => join(folder, 'gateways', name),
});

export interface Login {
  readonly user: string;
  readonly password: string;
}

const loginSchema: z.ZodType<Login> = z.strictObject({
  user: z.string().min(1),
  password: z.string().min(1),
});

export interface EmbeddedRealm {
  readonly folder: string;
  readonly document: RealmDocument;
  /** Undefined before the first user is made. */
  readonly login: Login | undefined;
}

/** The realm in `folder`, or undefined if there is none yet. @throws OperatorError refused */
export async function readRealm(folder: string): Promise<EmbeddedRealm | undefined> {
  const owner = await readOwner(folder);
  if (owner === undefined) return undefined;
  if (owner.role !== 'realm') {
    const message = `${folder} belongs to the ${owner.role} "${owner.name}", it is no realm. Give another.`;
    throw new OperatorError('refused', message);
  }
  const paths = realmPaths(folder);
  const document = await readPart<RealmDocument>(paths.realm, realmDocumentSchema);
  if (document === undefined || (await readIfThere(paths.realmKey)) === undefined) {
    const missing = document === undefined ? paths.realm : paths.realmKey;
    const message = `${missing} is missing. Restore it from a backup; it cannot be made again.`;
    throw new OperatorError('refused', message);
  }
  return { folder, document, login: await readPart(paths.login, loginSchema) };
}

/** A new realm with `servers` Vice servers, on none of the ports `promised`, and a root volume on all of them. */
export async function createRealm(
  folder: string,
  servers: number,
  promised: ReadonlySet<number>,
  conflicts?: ConflictPolicy,
): Promise<EmbeddedRealm> {
  const paths = realmPaths(folder);
  await makeFolder(folder);
  const document = withPolicy(await newDocument(servers, promised), conflicts);
  await writeWhole(paths.realmKey, randomBytes(32), 0o600);
  await writeDocument(folder, document);
  // Last: only a folder with all its parts is a realm, a crash before leaves a new one to be made.
  await takeFolder(folder, { role: 'realm', name: document.name, realm: document.realm });
  return { folder, document, login: undefined };
}

export async function writeDocument(folder: string, document: RealmDocument): Promise<void> {
  await writeWhole(realmPaths(folder).realm, `${JSON.stringify(document, null, 2)}\n`);
}

export async function writeLogin(folder: string, login: Login): Promise<void> {
  const file = realmPaths(folder).login;
  await writeWhole(file, `${JSON.stringify(login, null, 2)}\n`, 0o600);
  await chmod(file, 0o600);
}

/** Names of the gateways that have a data folder, running or not. */
export async function knownGateways(folder: string): Promise<string[]> {
  return readdir(join(folder, 'gateways')).catch(() => []);
}

/** Easily read and typed: 20 letters and digits, none of which looks like another; 100 bits. */
export function newPassword(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  const letters = [...randomBytes(20)].map((byte) => alphabet[byte & 31] ?? '');
  return [0, 5, 10, 15].map((start) => letters.slice(start, start + 5).join('')).join('-');
}

/** `document` with other ports for the servers in `ports`, as a new publication. */
export function withPorts(document: RealmDocument, ports: ReadonlyMap<string, number>): RealmDocument {
  if (ports.size === 0) return document;
  const servers = document.servers.map((server) => {
    const port = ports.get(server.name);
    return port === undefined ? server : { ...server, address: serverAddress(port) };
  });
  return { ...document, version: document.version + 1, servers };
}

/** `document` with another policy for its root volume, as a new publication. Undefined: as it is. */
export function withPolicy(document: RealmDocument, conflicts: ConflictPolicy | undefined): RealmDocument {
  const root = volumeEntry(document, document.rootVolume);
  if (conflicts === undefined || conflicts === (root?.conflicts ?? 'keep')) return document;
  const volumes = document.volumes.map((volume) => (volume === root ? { ...volume, conflicts } : volume));
  return { ...document, version: document.version + 1, volumes };
}

/** Ports of the servers of `document`. */
export function portsOf(document: RealmDocument): number[] {
  return document.servers.map(({ address }) => portOf(address));
}

export function portOf(address: string): number {
  return Number(new URL(address).port);
}

async function newDocument(count: number, promised: ReadonlySet<number>): Promise<RealmDocument> {
  const root = volumeId('7f000001');
  if (root === undefined) throw new Error('7f000001 is a volume id');
  const names = Array.from({ length: count }, (_, index) => `s${index + 1}`);
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort('127.0.0.1', promised));
  return {
    format: 1,
    version: 1,
    realm: randomBytes(8).toString('hex'),
    name: 'embedded',
    servers: [...ports].map((port, index) => ({ name: names[index] ?? '', address: serverAddress(port) })),
    volumes: [{ id: root, name: 'root', replicas: names.map((name) => ({ id: name, server: name })) }],
    rootVolume: root,
  };
}

export function serverAddress(port: number): string {
  return `ws://127.0.0.1:${port}`;
}

async function readPart<T>(file: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OperatorError('refused', `${file} is damaged. Restore it from a backup.`);
  }
  return checkConfig(file, value, schema);
}
