/**
 * The two configuration files of real deployments: one for a Vice server (`coda vice --config F`), one for a
 * gateway (`coda gateway --config F`). Relative paths are relative to the file itself.
 */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import {
  identityText,
  isFailure,
  peopleDocumentSchema,
  realmDocumentSchema,
  type PeopleDocument,
  type RealmDocument,
} from '../../vice/interface/index.js';
import { readCertificates, type CertificateFiles } from '../../vice/seam/real/realm-certificates.js';
import { readRealmKeys } from '../../vice/seam/real/realm-key-file.js';
import { differenceModes, type DifferenceMode } from '../../venus/difference/worth.js';
import { rulesSchema, type ResolverRule } from '../resolver/rules.js';
import { ConfigFile, readConfigFile, readNamed } from './config-file.js';
import { listenAddressSchema, requireProtected, type ListenAddress } from './listen-address.js';
import { OperatorError } from './operator-error.js';

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export const roleName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be 1 to 40 lower-case letters, digits or hyphens');
const path = z.string().min(1);

const shared = {
  name: roleName,
  /** Folder of this role alone; made if it is missing. */
  data: path,
  /** The realm document. */
  realm: path,
  /** 32 secret bytes that every server and gateway of the realm holds; several times 32 while they are renewed. */
  realmKey: path,
  /** This role's certificate, its key, and the authority of the realm: PEM files, read again when they change. */
  realmTls: z.strictObject({ certificate: path, key: path, authority: path }).optional(),
  logLevel: z.enum(logLevels).default('info'),
};

const viceFile = z.strictObject({
  ...shared,
  /** `ws://host:port`, as the realm document has it for this server. */
  listen: z
    .string()
    .regex(/^wss?:\/\/[^\s/]+:\d{1,5}\/?$/, 'must be ws://HOST:PORT, or wss://HOST:PORT with "realmTls"'),
  /** The people to start from, where the servers keep them; servers that come later fetch them. */
  people: path.optional(),
  /** How often the server checks all that it holds (0: when asked), and how many bytes a second it reads then. */
  scrub: z
    .strictObject({
      everyDays: z.number().min(0).max(3650).default(7),
      bytesPerSecond: z
        .number()
        .int()
        .min(64 * 1024)
        .default(8 * 1024 * 1024),
    })
    .prefault({}),
  /** How many snapshots of each volume are kept, taken by themselves at an hour of UTC; absent: none is. */
  snapshots: z
    .strictObject({
      daily: z.number().int().min(0).max(60).default(0),
      weekly: z.number().int().min(0).max(60).default(0),
      hour: z.number().int().min(0).max(23).default(0),
    })
    .optional(),
});

const gatewayFile = z.strictObject({
  ...shared,
  listen: listenAddressSchema,
  /** The users and their password hashes, where the realm's servers do not keep them; `coda user` writes it. */
  users: path.optional(),
  tls: z.strictObject({ key: path, cert: path }).optional(),
  allowPlainHttp: z.boolean().default(false),
  cacheBytes: z
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .default(10 * 1024 * 1024 * 1024),
  differences: z.enum(differenceModes).default('measured'),
  prefix: z
    .string()
    .regex(/^(\/[A-Za-z0-9._~-]+)*$/, 'must be empty or a path as "/share", without a slash at its end')
    .default(''),
  hosts: z.array(z.string().min(1)).optional(),
  /** The rule file of resolvers; absent: no command is ever run. */
  resolvers: path.optional(),
});

export interface RoleConfig {
  readonly name: string;
  readonly data: string;
  readonly realm: RealmDocument;
  /** The file, looked at. */
  readonly realmKey: string;
  /** Absent: links to servers are not encrypted. */
  readonly realmTls: CertificateFiles | undefined;
  readonly logLevel: LogLevel;
}

export interface ViceConfig extends RoleConfig {
  readonly people: PeopleDocument | undefined;
  readonly listen: string;
  readonly scrub: { readonly everyDays: number; readonly bytesPerSecond: number };
  /** Absent: snapshots are taken when they are asked for. */
  readonly snapshots: { readonly daily: number; readonly weekly: number; readonly hour: number } | undefined;
}

export interface GatewayConfig extends RoleConfig {
  readonly listen: ListenAddress;
  /** Undefined: the realm's servers keep them. */
  readonly users: string | undefined;
  /** PEM texts. */
  readonly tls: { readonly key: string; readonly cert: string } | undefined;
  /** Bytes of the disk that the cache may fill. */
  readonly cacheBytes: number;
  /** Whether new versions of large files move as what is new in them. */
  readonly differences: DifferenceMode;
  /** '' or '/share': where the share begins in the gateway's URLs. */
  readonly prefix: string;
  /** Further names under which clients reach this gateway. */
  readonly hosts: readonly string[];
  /** Commands that decide about files changed apart; none: none is ever run. */
  readonly resolvers: readonly ResolverRule[];
}

/** @throws OperatorError usage */
export function readViceConfig(file: string): ViceConfig {
  const read = new ConfigFile(file, viceFile);
  const config = read.value;
  const shared = loadShared(read, 'server');
  const { realm } = shared;
  if (!realm.servers.some((server) => server.name === config.name)) {
    const names = realm.servers.map((server) => server.name).join(', ');
    const how = 'Correct "name", or add the server to the realm document.';
    const message = `the realm document lists no server "${config.name}" (it lists ${names}). ${how}`;
    throw read.fault(['name'], message);
  }
  if (config.listen.startsWith('wss:') !== (shared.realmTls !== undefined)) {
    const message =
      shared.realmTls === undefined
        ? '"listen" is wss://, so "realmTls" must name a certificate (or TLS ends at a proxy: then write ws://).'
        : '"realmTls" is given, so "listen" must be wss://HOST:PORT.';
    throw read.fault(['listen'], message);
  }
  if (realm.people !== undefined && shared.realmTls === undefined) {
    const message =
      'the realm document has "people", so "realmTls" must name a certificate: without it a gateway could ask for ' +
      'the people as if it were a server.';
    throw read.fault(['realm'], message);
  }
  const { name, listen, scrub, snapshots, logLevel } = config;
  const people = config.people === undefined ? undefined : read.named(['people'], config.people, readPeople);
  return { ...shared, name, people, listen, scrub, snapshots, logLevel };
}

/** @throws OperatorError usage */
export function readPeople(file: string): PeopleDocument {
  return readConfigFile<PeopleDocument>(file, peopleDocumentSchema);
}

/** @throws OperatorError usage */
export function readGatewayConfig(file: string): GatewayConfig {
  const read = new ConfigFile(file, gatewayFile);
  const config = read.value;
  requireProtected(
    config.listen,
    config.tls !== undefined || config.allowPlainHttp,
    `Give "tls": {"key", "cert"} in ${read.place(['listen'])}, or "allowPlainHttp": true if something else protects ` +
      'the way.',
  );
  const from = (path: string): string => resolve(dirname(file), path);
  const tls = config.tls && {
    key: read.named(['tls', 'key'], config.tls.key, readNamed).toString('utf8'),
    cert: read.named(['tls', 'cert'], config.tls.cert, readNamed).toString('utf8'),
  };
  const shared = loadShared(read, 'gateway');
  if (config.users === undefined && shared.realm.people === undefined) {
    const why = 'the realm document has no "people", so the gateway keeps its users itself';
    throw read.fault([], `"users" is missing: ${why}.`);
  }
  return {
    ...shared,
    name: config.name,
    listen: config.listen,
    users: config.users === undefined ? undefined : from(config.users),
    tls,
    cacheBytes: config.cacheBytes,
    differences: config.differences,
    prefix: config.prefix,
    hosts: config.hosts ?? [],
    resolvers: config.resolvers === undefined ? [] : read.named(['resolvers'], config.resolvers, readRules),
    logLevel: config.logLevel,
  };
}

function readRules(file: string): readonly ResolverRule[] {
  return readConfigFile(file, rulesSchema).rules;
}

interface SharedKeys {
  readonly name: string;
  readonly data: string;
  readonly realm: string;
  readonly realmKey: string;
  readonly realmTls?: CertificateFiles | undefined;
}

function loadShared(read: ConfigFile<SharedKeys>, role: 'server' | 'gateway') {
  const { file, value: config } = read;
  const from = (path: string): string => resolve(dirname(file), path);
  const { realmTls: tls } = config;
  const realm = read.named(['realm'], config.realm, readRealmDocument);
  const files = tls && {
    certificate: from(tls.certificate),
    key: from(tls.key),
    authority: from(tls.authority),
  };
  if (files !== undefined) checkRealmTls(read.place(['realmTls']), files, { role, name: config.name, realm });
  return {
    data: from(config.data),
    realm,
    realmKey: read.named(['realmKey'], config.realmKey, checkRealmKey),
    realmTls: files,
  };
}

interface Owner {
  readonly role: 'server' | 'gateway' | 'operator';
  /** Undefined: anybody of that role. */
  readonly name: string | undefined;
  readonly realm: RealmDocument;
}

/**
 * Whose certificate it is; `place` says where it is named.
 * @throws OperatorError usage: it cannot be used, or is not that of `owner`
 */
export function checkRealmTls(place: string, files: CertificateFiles, { role, name, realm }: Owner): string {
  const wrong = (message: string): OperatorError =>
    new OperatorError('usage', `${place}: "realmTls": ${message}`);
  try {
    const { identity } = readCertificates(files, Date.now());
    const wanted = identityText({ role, name: name ?? identity.name });
    if (identityText(identity) !== wanted) {
      throw wrong(`${files.certificate} is the certificate of ${identityText(identity)}, not of ${wanted}.`);
    }
    if (identity.realm !== realm.realm) {
      throw wrong(
        `${files.certificate} is of realm ${identity.realm}, the realm document of ${realm.realm}.`,
      );
    }
    return identity.name;
  } catch (error) {
    throw isFailure(error) ? wrong(error.message) : error;
  }
}

/** Whoever took it away would take away what the realm wants. */
const newer = 'if a newer version of coda wrote it, leave it there and update this one';

/** @throws OperatorError usage */
export function readRealmDocument(file: string): RealmDocument {
  const read = new ConfigFile<RealmDocument>(file, realmDocumentSchema, newer);
  const realm = read.value;
  const servers = new Set(realm.servers.map((server) => server.name));
  for (const [at, { name, replicas }] of realm.volumes.entries()) {
    const lost = replicas.findIndex(({ server }) => !servers.has(server));
    const server = replicas[lost]?.server;
    if (server === undefined) continue;
    const message = `volume "${name}" has a replica on "${server}", which is not in "servers".`;
    throw read.fault(['volumes', at, 'replicas', lost, 'server'], message);
  }
  return realm;
}

/** `file`, if it holds realm keys. @throws OperatorError usage */
export function checkRealmKey(file: string): string {
  readNamed(file);
  try {
    readRealmKeys(file);
  } catch (error) {
    if (!isFailure(error)) throw error;
    const how = 'Make one with: head -c 32 /dev/urandom > realm.key; chmod 600 realm.key';
    throw new OperatorError('usage', `${error.message}. ${how}`);
  }
  return file;
}
