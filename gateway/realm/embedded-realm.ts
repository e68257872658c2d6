/** `coda up`: a whole realm on this machine, made at the first start and found again at every later one. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  administrators,
  type ConflictPolicy,
  type RealmDocument,
  type ServerEntry,
} from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import { silentLog } from '../../vice/seam/log.js';
import { RealmKeyFile } from '../../vice/seam/real/realm-key-file.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import { Administration } from '../administration/administration.js';
import { formatListenAddress, requireProtected, type ListenAddress } from '../config/listen-address.js';
import { OperatorError } from '../config/operator-error.js';
import { writeChildConfigs, type GatewayPlace, type Protection } from './child-config.js';
import { callControlDoor, isClaimed, openControlDoor } from './control-door.js';
import { makeFolder } from './data-folder.js';
import { launchRole } from './launch.js';
import { LogFile } from './log-file.js';
import { prepareLogin } from './login.js';
import { addressRefused, freePort, whyNotFree } from './port.js';
import {
  createRealm,
  knownGateways,
  portOf,
  portsOf,
  readRealm,
  realmPaths,
  withPolicy,
  withPorts,
  writeDocument,
  type EmbeddedRealm,
  type Login,
} from './realm-folder.js';
import { RealmServers } from './realm-servers.js';
import { Supervisor, type ChildPlan } from './supervisor.js';
import { writeWhole } from './whole-file.js';

const orphanPatienceMs = 10_000;

export interface RealmOptions extends Protection {
  readonly data: string;
  /** Of the first gateway; the others get the following ports. */
  readonly listen: ListenAddress;
  /** Undefined: as many as there are, three in a new realm. */
  readonly servers: number | undefined;
  readonly gateways: number;
  /** Undefined: the one that was made at the first start, `newUser` in a new realm. */
  readonly user: string | undefined;
  readonly newUser: string;
  /** Undefined: the one that was made at the first start, a random one in a new realm. */
  readonly password: string | undefined;
  readonly readyFile: string | undefined;
  /** Of the root volume. Undefined: as it is; `keep` in a new realm. */
  readonly conflicts: ConflictPolicy | undefined;
}

/** What the ready file says. A stable shape: scripts rely on it. */
export interface ReadyReport {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly data: string;
  readonly servers: readonly ProcessReport[];
  readonly gateways: readonly ProcessReport[];
}

export interface ProcessReport {
  readonly name: string;
  readonly pid: number | null;
  readonly url: string;
}

export interface RunningRealm {
  /** Resolves when all children are up. @throws OperatorError, or Error, when one fails: then call `stop` */
  start(): Promise<ReadyReport>;
  /** Ends all children and gives the folder free; in at most ten seconds. */
  stop(): Promise<void>;
  /** Ends all children at once. */
  kill(): void;
  /** Things worth knowing that forbid nothing. */
  readonly notes: readonly string[];
}

/** Reads or makes the realm; nothing is started yet. @throws OperatorError */
export async function openRealm(
  options: RealmOptions,
  clock: Clock,
  progress: (line: string) => void,
): Promise<RunningRealm> {
  const folder = resolve(options.data);
  const how = 'Give --tls-key and --tls-cert, or --allow-plain-http if something else protects the way.';
  requireProtected(options.listen, options.tls !== undefined || options.allowPlainHttp, how);
  // Before the claim: into a folder of a newer version, or of another role, nothing is written at all.
  await readRealm(folder);
  await makeFolder(folder);
  const supervised: Running = {};
  const door = await openControlDoor(folder, (method, path) => answer(supervised, method, path), clock, 0);
  try {
    // A killed predecessor may have left it.
    if (options.readyFile !== undefined) await rm(options.readyFile, { force: true });
    const gateways = await placeGateways(folder, options, clock);
    const prepared = await prepare(folder, options, gateways, clock, progress);
    const login = await prepareLogin(prepared, options);
    const realm = await withAdministrator(prepared, login.user);
    const configs = await writeChildConfigs(folder, realm.document, gateways, options);
    const parts = { realm, login, gateways, configs, options };
    const supervisor = supervise(folder, parts, clock, progress);
    const servers = await followServers(folder, parts, supervisor, clock, progress);
    Object.assign(supervised, { supervisor, servers });
    let following: Promise<void> | undefined;
    return {
      notes: await notes(folder, gateways),
      async start() {
        await supervisor.start();
        following = servers.follow();
        return readyReport(folder, login, supervisor);
      },
      async stop() {
        await servers.close();
        await following;
        await supervisor.stop();
        if (options.readyFile !== undefined) await rm(options.readyFile, { force: true });
        await door.close();
      },
      kill: () => supervisor.kill(),
    };
  } catch (error) {
    await door.close();
    throw error;
  }
}

/** What the door speaks to, once it is there. */
interface Running {
  readonly supervisor?: Supervisor;
  readonly servers?: RealmServers;
}

interface Parts {
  readonly realm: EmbeddedRealm;
  readonly login: Login;
  readonly gateways: readonly GatewayPlace[];
  readonly configs: Map<string, string>;
  readonly options: RealmOptions;
}

function supervise(folder: string, parts: Parts, clock: Clock, progress: (line: string) => void): Supervisor {
  const { realm, login, gateways, configs, options } = parts;
  const paths = realmPaths(folder);
  const scheme = options.tls === undefined ? 'http' : 'https';
  const plans: ChildPlan[] = [
    ...realm.document.servers.map(serverPlan),
    ...gateways.map(({ name, listen }) => ({
      name,
      role: 'gateway' as const,
      url: `${scheme}://${formatListenAddress(listen)}/`,
    })),
  ];
  const logs = new Map<string, LogFile>();
  let written: Promise<void> = Promise.resolve();
  return new Supervisor({
    clock,
    plans,
    launch(plan, report) {
      const config = configs.get(plan.name);
      if (config === undefined) throw new Error(`${plan.name} has no configuration`);
      const log = logs.get(plan.name) ?? new LogFile(paths.log(plan.name));
      logs.set(plan.name, log);
      return launchRole(plan.role, config, log, report);
    },
    ask: ({ role, name }) =>
      callControlDoor(role === 'vice' ? paths.server(name) : paths.gateway(name), 'GET', '/status'),
    progress,
    allRunning(supervisor) {
      const file = options.readyFile;
      if (file === undefined) return;
      const report = JSON.stringify(readyReport(folder, login, supervisor));
      written = written
        .then(() => writeWhole(file, `${report}\n`, 0o600))
        .catch((error: unknown) => progress(`the ready file cannot be written: ${String(error)}`));
    },
  });
}

function serverPlan({ name, address }: ServerEntry): ChildPlan {
  return { name, role: 'vice', url: `http://127.0.0.1:${portOf(address)}/` };
}

async function followServers(
  folder: string,
  { realm: { document }, gateways, configs, options }: Parts,
  supervisor: Supervisor,
  clock: Clock,
  progress: (line: string) => void,
): Promise<RealmServers> {
  const keys = new RealmKeyFile(realmPaths(folder).realmKey, { clock, log: silentLog });
  const network = wsNetwork({ clock, log: silentLog });
  const administration = new Administration(document, keys, 'coda up', { clock, network });
  return new RealmServers({
    folder,
    document,
    administration,
    supervisor,
    gatewayPorts: gateways.map(({ listen }) => listen.port),
    clock,
    progress,
    async planOf(next, name) {
      for (const [child, file] of await writeChildConfigs(folder, next, [], options))
        configs.set(child, file);
      const entry = next.servers.find((server) => server.name === name);
      if (entry === undefined) throw new Error(`${name} is no server of the document`);
      return serverPlan(entry);
    },
  });
}

function readyReport(folder: string, login: Login, supervisor: Supervisor): ReadyReport {
  const report = ({ name, pid, url }: ProcessReport): ProcessReport => ({ name, pid, url });
  const gateways = supervisor.gateways().map(report);
  return {
    url: gateways[0]?.url ?? '',
    user: login.user,
    password: login.password,
    data: folder,
    servers: supervisor.servers().map(report),
    gateways,
  };
}

async function answer({ supervisor, servers }: Running, method: string, path: string): Promise<unknown> {
  if (supervisor === undefined || servers === undefined) {
    throw new OperatorError('unreachable', 'The realm is just starting. Try again in a moment.');
  }
  if (method === 'GET' && path === '/status') return supervisor.status();
  const command = /^\/servers\/([^/]+)\/(start|stop|add|remove)$/.exec(path);
  if (method !== 'POST' || command?.[1] === undefined) return undefined;
  const name = decodeURIComponent(command[1]);
  switch (command[2]) {
    case 'start':
      return supervisor.startServer(name);
    case 'stop':
      return supervisor.stopServer(name);
    case 'add':
      return servers.add(name);
    default:
      return { changed: await servers.remove(name) };
  }
}

/** The realm, with each server on a port that is free. */
async function prepare(
  folder: string,
  options: RealmOptions,
  gateways: readonly GatewayPlace[],
  clock: Clock,
  progress: (line: string) => void,
): Promise<EmbeddedRealm> {
  const promised = new Set(gateways.map(({ listen }) => listen.port));
  const found = await readRealm(folder);
  if (found === undefined) {
    progress(`making a new realm in ${folder}`);
    return createRealm(folder, options.servers ?? 3, promised, options.conflicts);
  }
  requireSameServers(found.document, options.servers);
  const moved = new Map<string, number>();
  for (const { name, address } of found.document.servers) {
    const place = { host: '127.0.0.1', port: portOf(address) };
    const byGateway = promised.has(place.port);
    if (!byGateway && (await whyNotFreeFor(realmPaths(folder).server(name), place, clock)) === undefined)
      continue;
    const port = await freePort(
      '127.0.0.1',
      new Set([...promised, ...portsOf(found.document), ...moved.values()]),
    );
    moved.set(name, port);
    const holder = byGateway ? 'a gateway' : 'another program';
    progress(`${name}: port ${place.port} is taken by ${holder}, using ${port} from now on`);
  }
  const document = withPolicy(withPorts(found.document, moved), options.conflicts);
  if (document !== found.document) await writeDocument(folder, document);
  return { ...found, document };
}

/** The first user may set access lists: somebody must. */
async function withAdministrator(realm: EmbeddedRealm, user: string): Promise<EmbeddedRealm> {
  const { folder, document } = realm;
  if (document.groups?.[administrators] !== undefined) return realm;
  const groups = { ...document.groups, [administrators]: [user] };
  const next = { ...document, version: document.version + 1, groups };
  await writeDocument(folder, next);
  return { ...realm, document: next };
}

function requireSameServers(document: RealmDocument, asked: number | undefined): void {
  const count = document.servers.length;
  if (asked === undefined || asked === count) return;
  throw new OperatorError(
    'refused',
    `This realm has ${count} servers. Leave --servers out, and change that while it runs: ` +
      'coda server add NAME, coda server remove NAME.',
  );
}

/** The gateways' addresses, each of them free. @throws OperatorError refused */
async function placeGateways(folder: string, options: RealmOptions, clock: Clock): Promise<GatewayPlace[]> {
  const places: GatewayPlace[] = [];
  const found = await readRealm(folder);
  const promised = new Set(found === undefined ? [] : portsOf(found.document));
  for (let index = 0; index < options.gateways; index += 1) {
    const { host, port: first } = options.listen;
    // Chosen here, not by the gateway itself: it must come back on the same port when it is started again.
    let port = first + index;
    if (port > 65_535) {
      throw new OperatorError('usage', `There is no port ${port}. Choose a lower one with --listen.`);
    }
    if (first === 0) port = await freePort(host, promised);
    promised.add(port);
    const name = `g${index + 1}`;
    const listen = { host, port };
    const why = await whyNotFreeFor(realmPaths(folder).gateway(name), listen, clock);
    if (why !== undefined) throw addressRefused(listen, why);
    places.push({ name, listen });
  }
  return places;
}

/** As whyNotFree, but waits for the child of a killed `coda up`: it ends by itself and leaves `folder`. */
async function whyNotFreeFor(
  folder: string,
  address: ListenAddress,
  clock: Clock,
): Promise<string | undefined> {
  const deadline = clock.monotonic() + orphanPatienceMs;
  for (;;) {
    const why = await whyNotFree(address);
    if (why !== 'EADDRINUSE' || clock.monotonic() >= deadline || !(await isClaimed(folder))) return why;
    await sleep(clock, 100);
  }
}

async function notes(folder: string, started: readonly GatewayPlace[]): Promise<string[]> {
  const names = new Set(started.map(({ name }) => name));
  const idle = (await knownGateways(folder)).filter((name) => !names.has(name));
  if (idle.length === 0) return [];
  return [
    `not started: ${idle.join(', ')}, of an earlier start with more gateways. ` +
      'What has not been sent to the servers from there yet, waits (--gateways N starts more).',
  ];
}
