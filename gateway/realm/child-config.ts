/** The configuration files that the children of an embedded realm are started with: of the usual form. */
import { dirname, relative } from 'node:path';
import type { RealmDocument } from '../../vice/interface/index.js';
import { formatListenAddress, type ListenAddress } from '../config/listen-address.js';
import { makeFolder } from './data-folder.js';
import { realmPaths } from './realm-folder.js';
import { writeWhole } from './whole-file.js';

export interface GatewayPlace {
  readonly name: string;
  readonly listen: ListenAddress;
}

/** How the gateways' doors are protected, and what commands they may run. */
export interface Protection {
  readonly tls: { readonly key: string; readonly cert: string } | undefined;
  readonly allowPlainHttp: boolean;
  /** The rule file of resolvers. */
  readonly resolvers: string | undefined;
}

/** Paths inside the files are relative: the data folder can be moved. @returns the file for each child */
export async function writeChildConfigs(
  folder: string,
  document: RealmDocument,
  gateways: readonly GatewayPlace[],
  protection: Protection,
): Promise<Map<string, string>> {
  const paths = realmPaths(folder);
  await makeFolder(dirname(paths.config('s1')));
  await makeFolder(dirname(paths.log('s1')));
  const files = new Map<string, string>();
  const write = async (name: string, data: string, config: object): Promise<void> => {
    const file = paths.config(name);
    const from = (path: string): string => relative(dirname(file), path);
    const shared = { name, data: from(data), realm: from(paths.realm), realmKey: from(paths.realmKey) };
    await writeWhole(file, `${JSON.stringify({ ...shared, ...config }, null, 2)}\n`);
    files.set(name, file);
  };
  for (const server of document.servers) {
    await write(server.name, paths.server(server.name), { listen: server.address });
  }
  for (const { name, listen } of gateways) {
    await write(name, paths.gateway(name), {
      listen: formatListenAddress(listen),
      users: relative(dirname(paths.config(name)), paths.users),
      ...(protection.tls !== undefined && { tls: protection.tls }),
      ...(protection.allowPlainHttp && { allowPlainHttp: true }),
      ...(protection.resolvers !== undefined && { resolvers: protection.resolvers }),
    });
  }
  return files;
}
