/** Which realm an administrative command means: that of a data folder, or one of a realm document and a realm key. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../vice/seam/log.js';
import { RealmCertificates, type CertificateFiles } from '../../vice/seam/real/realm-certificates.js';
import { RealmKeyFile } from '../../vice/seam/real/realm-key-file.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import type { RealmDocument, VolumeEntry } from '../../vice/interface/index.js';
import { Administration } from '../administration/administration.js';
import { checkRealmKey, checkRealmTls, readRealmDocument } from '../config/role-config.js';
import { messageOf, OperatorError } from '../config/operator-error.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { readRealm, realmPaths } from '../realm/realm-folder.js';
import { writeWhole } from '../realm/whole-file.js';
import { removeLeftovers } from './archive-file.js';
import { progress } from './output.js';
import { ownName } from './own-name.js';
import type { FolderOptions } from './status.js';
import { unknownName } from './unknown-name.js';
import { ownMark } from './writing-process.js';

export interface RealmOptions extends FolderOptions {
  readonly realm?: string;
  readonly key?: string;
}

export const realmOption = [
  '--realm <path>',
  'a real deployment: the folder of `coda realm init`, or its realm document with --key',
] as const;
export const keyOption = ['--key <file>', 'its realm key'] as const;

/**
 * Runs `work` with a way to the realm's servers. A newer realm document than that of `--realm` takes the file's place:
 * whoever starts a server or a gateway with it begins where the realm is.
 * @throws OperatorError, Failure
 */
export async function withRealm<T>(
  options: RealmOptions,
  work: (administration: Administration) => Promise<T>,
): Promise<T> {
  const clock = systemClock();
  const { document, key, tls, file } = await chosen(options);
  const certificates = tls && new RealmCertificates(tls, { clock, log: silentLog });
  const network = wsNetwork({ clock, log: silentLog, certificates });
  const user = certificates?.current().identity.name ?? ownName();
  const keys = new RealmKeyFile(checkRealmKey(key), { clock, log: silentLog });
  const administration = new Administration(document, keys, user, { clock, network });
  try {
    return await work(administration);
  } finally {
    await administration.close();
    if (file !== undefined && administration.known.version > document.version) {
      await keep(file, administration.known);
    }
  }
}

/** The folder of a realm of `coda up`; undefined: the options name a real one. */
export function folderOf({ data, realm }: RealmOptions): string | undefined {
  return realm === undefined ? (data ?? defaultDataFolder()) : undefined;
}

/** By name, or by id. @throws OperatorError refused */
export function volumeNamed({ volumes }: RealmDocument, name: string): VolumeEntry {
  const found = volumes.find((volume) => volume.name === name) ?? volumes.find(({ id }) => id === name);
  if (found !== undefined) return found;
  throw unknownName(
    'volume',
    name,
    volumes.map((volume) => volume.name),
  );
}

async function keep(file: string, document: RealmDocument): Promise<void> {
  try {
    // Also of a command that was killed while it did this.
    await removeLeftovers(file);
    await writeWhole(file, `${JSON.stringify(document, null, 2)}\n`, 0o644, `${file}.${ownMark()}.tmp`);
  } catch (error) {
    progress(`${file} is of an older version, and cannot be written: ${messageOf(error)}`);
  }
}

interface Chosen {
  readonly document: RealmDocument;
  /** The file. */
  readonly key: string;
  readonly tls?: CertificateFiles;
  /** The realm document, where it is a file of the administrator. */
  readonly file?: string;
}

async function chosen(options: RealmOptions): Promise<Chosen> {
  const { realm, key } = options;
  if (realm !== undefined && existsSync(join(realm, 'realm.json'))) return inKit(realm);
  if ((realm === undefined) !== (key === undefined)) {
    throw new OperatorError('usage', 'Give both --realm and --key.');
  }
  if (realm !== undefined && key !== undefined) {
    return { document: readRealmDocument(realm), key, file: realm };
  }
  const folder = folderOf(options) ?? '';
  const found = await readRealm(folder);
  if (found !== undefined) return { document: found.document, key: realmPaths(folder).realmKey };
  const how = 'Give --data DIR of a realm of `coda up`, or --realm FILE and --key FILE of a real one.';
  throw new OperatorError('refused', `There is no realm in ${folder}. ${how}`);
}

/** The folder of `coda realm init`, or that of one administrator in it. @throws OperatorError usage */
function inKit(folder: string): Chosen {
  const at = (name: string): string => join(folder, name);
  const document = readRealmDocument(at('realm.json'));
  const tls = { certificate: at('administrator.crt'), key: at('administrator.key'), authority: at('ca.crt') };
  checkRealmTls(folder, tls, { role: 'operator', name: undefined, realm: document });
  return { document, key: at('realm.key'), tls, file: at('realm.json') };
}
