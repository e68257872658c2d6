/** Who belongs to a realm on several machines, and its document at the beginning. Pure. */
import { isIP } from 'node:net';
import { administrators, type RealmDocument, type VolumeId } from '../../vice/interface/index.js';
import { formatListenAddress, parseListenAddress, type ListenAddress } from '../config/listen-address.js';
import { OperatorError } from '../config/operator-error.js';
import { roleName } from '../config/role-config.js';

/** A server or a gateway. */
export interface Member {
  readonly role: 'server' | 'gateway';
  readonly name: string;
  readonly listen: ListenAddress;
}

/** Files that are in every folder of a realm. */
const reserved = new Set(['ca', 'people', 'realm', 'systemd', 'administrator', 'door']);
/** Addresses at which a gateway serves its own machine alone: without TLS. */
const loopback = new Set(['127.0.0.1', '::1', 'localhost']);
const ownMachine: ListenAddress = { host: '127.0.0.1', port: 8080 };

/** `s1=10.0.0.1:7001`. @throws OperatorError usage */
export function parseServer(text: string): Member {
  const [name = '', address = ''] = splitOnce(text);
  const listen = parseListenAddress(address);
  if (listen === undefined || listen.port === 0) {
    throw new OperatorError('usage', `--server ${text}: write NAME=HOST:PORT, as s1=10.0.0.1:7001.`);
  }
  return { role: 'server', name: checkName(name), listen };
}

/** `g1`, which serves its own machine, or `g1=10.0.0.9:8443`, which serves others, too. @throws OperatorError usage */
export function parseGateway(text: string): Member {
  const [name = '', address] = splitOnce(text);
  const listen = address === undefined ? ownMachine : parseListenAddress(address);
  if (listen === undefined || listen.port === 0) {
    throw new OperatorError(
      'usage',
      `--gateway ${text}: write NAME, or NAME=HOST:PORT, as g1=10.0.0.9:8443.`,
    );
  }
  return { role: 'gateway', name: checkName(name), listen };
}

/** @throws OperatorError usage */
export function checkName(name: string): string {
  const parsed = roleName.safeParse(name);
  if (!parsed.success) throw new OperatorError('usage', `"${name}" is no name: 1 to 40 of a-z, 0-9 and -.`);
  if (reserved.has(name))
    throw new OperatorError('usage', `"${name}" is the name of a file. Choose another.`);
  return name;
}

/** @throws OperatorError usage: a name twice */
export function checkMembers(members: readonly Member[]): void {
  const seen = new Set<string>();
  for (const { name } of members) {
    if (seen.has(name))
      throw new OperatorError('usage', `Two are named "${name}". Every one needs its own name.`);
    seen.add(name);
  }
}

export function serverAddress({ listen }: Member): string {
  return `wss://${formatListenAddress(listen)}`;
}

/** The realm at its beginning: the root volume on all servers, one administrator. `id` is random. */
export function newDocument(
  id: string,
  name: string,
  servers: readonly Member[],
  administrator: string,
): RealmDocument {
  const root = '7f000001' as VolumeId;
  return {
    format: 1,
    version: 1,
    realm: id,
    name,
    servers: servers.map((server) => ({ name: server.name, address: serverAddress(server) })),
    volumes: [
      {
        id: root,
        name: 'root',
        replicas: servers.map((server) => ({ id: server.name, server: server.name })),
      },
    ],
    rootVolume: root,
    groups: { [administrators]: [administrator] },
    people: { version: 1 },
  };
}

/** Whether clients reach its door from other machines, so that it needs a certificate. */
export function hasDoor({ role, listen }: Member): boolean {
  return role === 'gateway' && !loopback.has(listen.host);
}

/** What the door is called in its certificate. */
export function doorHost({ listen }: Member): string {
  return isIP(listen.host) === 0 ? listen.host.toLowerCase() : listen.host;
}

export interface KitRealm {
  readonly document: RealmDocument;
  /** Whether the people at the beginning are in a file of the kit. */
  readonly hasPeople: boolean;
}

function splitOnce(text: string): readonly string[] {
  const at = text.indexOf('=');
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
