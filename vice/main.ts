/** A Vice server on this machine: the real disk, network, clock. */
import { join } from 'node:path';
import type { PeopleDocument, RealmDocument } from './interface/index.js';
import { packedBytesMost } from './seam/packed-containers.js';
import { openFileContainers } from './seam/real/file-containers.js';
import { openLmdbStore } from './seam/real/lmdb-store.js';
import { RealmCertificates, type CertificateFiles } from './seam/real/realm-certificates.js';
import { RealmKeyFile } from './seam/real/realm-key-file.js';
import { pinoLog, type PinoLogOptions } from './seam/real/pino-log.js';
import { scryptPasswords } from './seam/real/scrypt-passwords.js';
import { systemClock } from './seam/real/system-clock.js';
import { systemRandom } from './seam/real/system-random.js';
import { wsNetwork } from './seam/real/ws-network.js';
import type { ScrubSettings } from './scrub/scrub-world.js';
import type { SnapshotSchedule } from './volume/snapshots-due.js';
import { startServer, type ViceServer } from './server/vice-server.js';

export interface ViceConfig {
  /** As the realm document names this server. */
  readonly name: string;
  /** `ws://host:port` to listen on, with certificates `wss://`; port 0 for any. */
  readonly listen: string;
  /** Folder of this server alone: its metadata in `store`, the contents of files in `containers`. */
  readonly data: string;
  /** The file of the realm key, which every server and gateway of the realm has; read again when it changes. */
  readonly realmKey: string;
  /** This server's certificate; absent: no TLS. */
  readonly realmTls?: CertificateFiles | undefined;
  /** The document to start from; a newer one that the server has learned of wins. */
  readonly realm: RealmDocument;
  /** The people to start from, where the servers keep them. */
  readonly people?: PeopleDocument | undefined;
  readonly logLevel: PinoLogOptions['level'];
  /** How often everything is checked, and how gently. */
  readonly scrub?: ScrubSettings;
  /** Of all volumes; absent: when they are asked for. */
  readonly snapshots?: SnapshotSchedule | undefined;
}

export interface Vice {
  /** With the real port. */
  readonly address: string;
  /** Catch-ups with other servers that are under way. */
  catchUps(): ReturnType<ViceServer['catchUps']>;
  scrub(): ReturnType<ViceServer['scrub']>;
  /** Finishes what is under way and lets go of the data folder. */
  close(): Promise<void>;
}

/** Serves when it resolves. @throws Failure invalid, damaged, no-space */
export async function startVice(config: ViceConfig): Promise<Vice> {
  const log = pinoLog({ level: config.logLevel, name: config.name });
  const clock = systemClock();
  const store = await openLmdbStore(join(config.data, 'store'));
  try {
    const containers = await openFileContainers(join(config.data, 'containers'));
    try {
      const { realmTls } = config;
      const certificates = realmTls && new RealmCertificates(realmTls, { clock, log });
      const network = wsNetwork({ clock, log, certificates });
      const passwords = scryptPasswords();
      const world = { clock, random: systemRandom(), network, store, containers, passwords, log };
      const { name, realm, people, listen, snapshots } = config;
      const realmKeys = new RealmKeyFile(config.realmKey, { clock, log });
      const packedBytes = packedBytesMost;
      const scrub = config.scrub && { scrub: config.scrub };
      const server = await startServer(
        { name, realm, people, realmKeys, listen, packedBytes, snapshots, ...scrub },
        world,
      );
      return {
        address: server.address,
        catchUps: () => server.catchUps(),
        scrub: () => server.scrub(),
        async close() {
          await server.close();
          await containers.close();
          await store.close();
        },
      };
    } catch (error) {
      await containers.close();
      throw error;
    }
  } catch (error) {
    await store.close();
    throw error;
  }
}
