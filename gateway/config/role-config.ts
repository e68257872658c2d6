/**
 * The two configuration files of real deployments: one for a Vice server (`coda vice --config F`), one for a
 * gateway (`coda gateway --config F`). Relative paths are relative to the file itself.
 */
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { realmDocumentSchema, type RealmDocument } from '../../vice/interface/index.js';
import { differenceModes, type DifferenceMode } from '../../venus/difference/worth.js';
import { rulesSchema, type ResolverRule } from '../resolver/rules.js';
import { readConfigFile, readNamed } from './config-file.js';
import { listenAddressSchema, requireProtected, type ListenAddress } from './listen-address.js';
import { OperatorError } from './operator-error.js';

const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

const roleName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be 1 to 40 lower-case letters, digits or hyphens');
const path = z.string().min(1);

const shared = {
  name: roleName,
  /** Folder of this role alone; made if it is missing. */
  data: path,
  /** The realm document. */
  realm: path,
  /** 32 secret bytes that every server and gateway of the realm holds. */
  realmKey: path,
  logLevel: z.enum(logLevels).default('info'),
};

const viceFile = z.strictObject({
  ...shared,
  /** `ws://host:port`, as the realm document has it for this server. */
  listen: z.string().regex(/^wss?:\/\/[^\s/]+:\d{1,5}\/?$/, 'must be ws://HOST:PORT'),
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
});

const gatewayFile = z.strictObject({
  ...shared,
  listen: listenAddressSchema,
  /** The users and their password hashes; `coda user` writes it. */
  users: path,
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
  readonly realmKey: Uint8Array;
  readonly logLevel: LogLevel;
}

export interface ViceConfig extends RoleConfig {
  readonly listen: string;
  readonly scrub: { readonly everyDays: number; readonly bytesPerSecond: number };
}

export interface GatewayConfig extends RoleConfig {
  readonly listen: ListenAddress;
  readonly users: string;
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
  const config = readConfigFile(file, viceFile);
  const { realm, realmKey, data } = loadShared(file, config);
  if (!realm.servers.some((server) => server.name === config.name)) {
    const names = realm.servers.map((server) => server.name).join(', ');
    throw new OperatorError(
      'usage',
      `${file}: the realm document lists no server "${config.name}" (it lists ${names}). ` +
        'Correct "name", or add the server to the realm document.',
    );
  }
  const { name, listen, scrub, logLevel } = config;
  return { name, listen, scrub, data, realm, realmKey, logLevel };
}

/** @throws OperatorError usage */
export function readGatewayConfig(file: string): GatewayConfig {
  const config = readConfigFile(file, gatewayFile);
  requireProtected(
    config.listen,
    config.tls !== undefined || config.allowPlainHttp,
    `Give "tls": {"key", "cert"} in ${file}, or "allowPlainHttp": true if something else protects the way.`,
  );
  const from = (path: string): string => resolve(dirname(file), path);
  const tls = config.tls && {
    key: readNamed(from(config.tls.key)).toString('utf8'),
    cert: readNamed(from(config.tls.cert)).toString('utf8'),
  };
  return {
    ...loadShared(file, config),
    name: config.name,
    listen: config.listen,
    users: from(config.users),
    tls,
    cacheBytes: config.cacheBytes,
    differences: config.differences,
    prefix: config.prefix,
    hosts: config.hosts ?? [],
    resolvers:
      config.resolvers === undefined ? [] : readConfigFile(from(config.resolvers), rulesSchema).rules,
    logLevel: config.logLevel,
  };
}

function loadShared(file: string, config: { data: string; realm: string; realmKey: string }) {
  const from = (path: string): string => resolve(dirname(file), path);
  return {
    data: from(config.data),
    realm: readRealmDocument(from(config.realm)),
    realmKey: readRealmKey(from(config.realmKey)),
  };
}

/** @throws OperatorError usage */
export function readRealmDocument(file: string): RealmDocument {
  const realm = readConfigFile<RealmDocument>(file, realmDocumentSchema);
  const servers = new Set(realm.servers.map((server) => server.name));
  for (const volume of realm.volumes) {
    for (const replica of volume.replicas) {
      if (servers.has(replica.server)) continue;
      throw new OperatorError(
        'usage',
        `${file}: volume "${volume.name}" has a replica on "${replica.server}", which is not in "servers".`,
      );
    }
  }
  return realm;
}

/** @throws OperatorError usage */
export function readRealmKey(file: string): Uint8Array {
  const key = readNamed(file);
  if (key.length === 32) return key;
  throw new OperatorError(
    'usage',
    `${file} must hold exactly 32 random bytes, it holds ${key.length}. ` +
      'Make one with: head -c 32 /dev/urandom > realm.key; chmod 600 realm.key',
  );
}
