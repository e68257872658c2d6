/** One gateway assembled: the real seams, Venus on top of them, WebDAV on top of Venus. */
import { mkdir } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { openVenus } from '../venus/venus.js';
import type { Fid, Venus } from '../venus/interface.js';
import { scryptPasswords } from '../vice/seam/real/scrypt-passwords.js';
import { systemClock } from '../vice/seam/real/system-clock.js';
import { systemRandom } from '../vice/seam/real/system-random.js';
import { openLmdbStore } from '../vice/seam/real/lmdb-store.js';
import { openFileContainers } from '../vice/seam/real/file-containers.js';
import { openNedbDocuments } from '../vice/seam/real/nedb-documents.js';
import { packedBytesMost } from '../vice/seam/packed-containers.js';
import { RealmCertificates } from '../vice/seam/real/realm-certificates.js';
import { RealmKeyFile } from '../vice/seam/real/realm-key-file.js';
import { wsNetwork } from '../vice/seam/real/ws-network.js';
import { pinoLog } from '../vice/seam/real/pino-log.js';
import { chosenDoorkeeper, type Doorkeeper } from './access/doorkeeper.js';
import { RealmDoorkeeper } from './access/realm-doorkeeper.js';
import { openUsers } from './access/users.js';
import { OperatorError, systemCode } from './config/operator-error.js';
import type { GatewayConfig } from './config/role-config.js';
import { addressRefused } from './realm/port.js';
import type { ResolverControl } from './realm/resolver-orders.js';
import { resolverProcesses } from './realm/resolver-process.js';
import { ResolverSwitch } from './resolver/resolver-switch.js';
import { Resolvers } from './resolver/resolvers.js';
import { venusMetrics } from './venus-metrics.js';
import { startWebdav, type RunningWebdav, type WebdavOptions } from './webdav/host.js';
import { createLocks } from './webdav/lock-table.js';
import { UnfinishedMoves } from './webdav/unfinished-moves.js';

/** A login may wait for a server; hashes are made one at a time all the same. */
const loginsAtOnce = 8;

export interface RunningGateway {
  /** Where the share is, as `http://127.0.0.1:8080/`. */
  readonly url: string;
  readonly venus: Venus;
  /** Which resolver could do nothing for a file, and why. */
  resolverFailure(fid: Fid): string | null;
  readonly resolvers: ResolverControl;
  /** Refuses new requests, finishes those under way, flushes, closes. */
  close(): Promise<void>;
}

/** Ends, last opened first, what has been opened so far. */
class Closers {
  readonly #closers: (() => Promise<void>)[] = [];

  add<T extends { close(): Promise<void> }>(part: T): T {
    this.#closers.push(() => part.close());
    return part;
  }

  async close(): Promise<void> {
    for (let close = this.#closers.pop(); close !== undefined; close = this.#closers.pop()) await close();
  }
}

/** @throws Failure or OperatorError when the data folder or the address cannot be used */
export async function startGateway(config: GatewayConfig): Promise<RunningGateway> {
  const clock = systemClock();
  const random = systemRandom();
  const log = pinoLog({ level: config.logLevel, name: config.name });
  const open = new Closers();
  try {
    await mkdir(config.data, { recursive: true, mode: 0o700 });
    const { name, realm } = config;
    const store = open.add(await openLmdbStore(join(config.data, 'store')));
    const venus = await venusOf(config, { clock, random, log, store }, open);
    const locks = createLocks({ venus, clock, random, log });
    const moves = open.add(new UnfinishedMoves({ venus, clock, random, log }));
    const remembered = open.add(await openNedbDocuments(join(config.data, 'people')));
    const users = await doorkeeperOf(config, { venus, remembered, clock, random });
    const hosts = ownHosts(config);
    const isOwnHost = (host: string): boolean => hosts.has(host.toLowerCase());
    const share = { venus, locks, moves, clock, random, log, prefix: config.prefix, isOwnHost };
    const { listen, tls } = config;
    const registry = venusMetrics(venus, clock);
    const logins = { users, loginsAtOnce };
    const webdav = open.add(
      await opened({ listen, share, ...logins, log, clock, registry, ...(tls && { tls }) }),
    );
    moves.start();
    const { resolvers: rules } = config;
    const run = resolverProcesses(clock);
    const resolverSwitch = new ResolverSwitch(store);
    const isOn = (): boolean => resolverSwitch.isOn;
    const resolvers =
      rules.length === 0
        ? null
        : open.add(new Resolvers({ venus, clock, log, gateway: name, rules, run, isOn }));
    log.info('gateway up', { url: webdav.url, realm: realm.realm });
    return {
      url: webdav.url,
      venus,
      resolverFailure: (fid) => resolvers?.failureOf(fid) ?? null,
      resolvers: {
        get isOn() {
          return isOn();
        },
        get failures() {
          return resolvers?.failures ?? 0;
        },
        rules: rules.map(({ match, command }) => ({ match, command: [...command] })),
        set: (on) => resolverSwitch.set(on),
      },
      close: () => open.close(),
    };
  } catch (error) {
    await open.close();
    throw error;
  }
}

/** What it stands on is added to `open` before it. */
async function venusOf(
  config: GatewayConfig,
  world: Pick<Parameters<typeof openVenus>[1], 'clock' | 'random' | 'log' | 'store'>,
  open: Closers,
): Promise<Venus> {
  const { name, realm, realmTls, cacheBytes, differences } = config;
  const containers = open.add(await openFileContainers(join(config.data, 'containers')));
  const hoard = open.add(await openNedbDocuments(join(config.data, 'hoard')));
  const certificates = realmTls && new RealmCertificates(realmTls, world);
  const network = wsNetwork({ ...world, certificates });
  const realmKeys = new RealmKeyFile(config.realmKey, world);
  const options = { name, realm, realmKeys, cacheBytes, packedBytes: packedBytesMost, differences };
  return open.add(await openVenus(options, { ...world, network, containers, hoard }));
}

/** @throws OperatorError refused: the address cannot be used */
async function opened(options: WebdavOptions): Promise<RunningWebdav> {
  return startWebdav(options).catch((error: unknown) => {
    const code = systemCode(error);
    throw code === undefined ? error : addressRefused(options.listen, code);
  });
}

/** @throws OperatorError usage: this gateway knows nobody; Failure damaged */
async function doorkeeperOf(
  { name, users: file }: GatewayConfig,
  world: Omit<ConstructorParameters<typeof RealmDoorkeeper>[0], 'people' | 'passwords'> & {
    readonly venus: Venus;
  },
): Promise<Doorkeeper> {
  const { people } = world.venus;
  if (file === undefined && !people.isKept) {
    const message = `Give "users" in the configuration of ${name}: the servers of its realm do not keep the people.`;
    throw new OperatorError('usage', message);
  }
  const passwords = scryptPasswords();
  const own = file === undefined ? undefined : await openUsers(file, passwords);
  return chosenDoorkeeper(people, new RealmDoorkeeper({ ...world, people, passwords }), own);
}

/** The names under which this machine knows itself, and those that the configuration gives it. */
function ownHosts(config: GatewayConfig): Set<string> {
  const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const addresses = interfaces.map(({ address }) => address);
  const names = ['localhost', hostname(), config.listen.host, ...addresses, ...config.hosts];
  return new Set(names.map((name) => name.toLowerCase()));
}
