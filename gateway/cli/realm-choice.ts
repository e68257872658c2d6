/** Which realm an administrative command means: that of a data folder, or one of a realm document and a realm key. */
import { silentLog } from '../../vice/seam/log.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { wsNetwork } from '../../vice/seam/real/ws-network.js';
import type { RealmDocument, VolumeEntry } from '../../vice/interface/index.js';
import { Administration } from '../administration/administration.js';
import { readRealmDocument, readRealmKey } from '../config/role-config.js';
import { messageOf, OperatorError } from '../config/operator-error.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { readRealm, realmPaths } from '../realm/realm-folder.js';
import { writeWhole } from '../realm/whole-file.js';
import { progress } from './output.js';
import { ownName } from './own-name.js';
import type { FolderOptions } from './status.js';
import { unknownName } from './unknown-name.js';

export interface RealmOptions extends FolderOptions {
  readonly realm?: string;
  readonly key?: string;
}

export const realmOption = ['--realm <file>', 'the realm document of a real deployment, with --key'] as const;
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
  const network = wsNetwork({ clock, log: silentLog });
  const { document, key } = await chosen(options);
  const administration = new Administration(document, key, ownName(), { clock, network });
  try {
    return await work(administration);
  } finally {
    await administration.close();
    if (options.realm !== undefined && administration.known.version > document.version) {
      await keep(options.realm, administration.known);
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
    await writeWhole(file, `${JSON.stringify(document, null, 2)}\n`);
  } catch (error) {
    progress(`${file} is of an older version, and cannot be written: ${messageOf(error)}`);
  }
}

async function chosen(options: RealmOptions): Promise<{ document: RealmDocument; key: Uint8Array }> {
  const { realm, key } = options;
  if ((realm === undefined) !== (key === undefined)) {
    throw new OperatorError('usage', 'Give both --realm and --key.');
  }
  if (realm !== undefined && key !== undefined) {
    return { document: readRealmDocument(realm), key: readRealmKey(key) };
  }
  const folder = folderOf(options) ?? '';
  const found = await readRealm(folder);
  if (found !== undefined)
    return { document: found.document, key: readRealmKey(realmPaths(folder).realmKey) };
  const how = 'Give --data DIR of a realm of `coda up`, or --realm FILE and --key FILE of a real one.';
  throw new OperatorError('refused', `There is no realm in ${folder}. ${how}`);
}
