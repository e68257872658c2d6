/** Operations that two people can do apart, each against each, in a folder of its own for every pair. */
import type { WebdavClient } from '../webdav-client.js';
import { listMembers, markNamespace } from '../crash/folder-reader.js';
import { escaped, move, read, succeed } from './exchange.js';

/** What one of the two does in `folder`; `who` tells their contents apart. */
export interface Operation {
  readonly name: string;
  run(client: WebdavClient, folder: string, who: string, access: AccessLists): Promise<void>;
}

/** The access lists of one gateway, which WebDAV has no words for. */
export interface AccessLists {
  /** Gives a folder a list that tells who set it. */
  set(path: string, who: string): Promise<void>;
  /** The lists of a folder's own, in words; '': it has none. */
  of(path: string): Promise<string>;
}

export const operations: readonly Operation[] = [
  { name: 'store f', run: (client, folder, who) => succeed(client, 'PUT', `${folder}/f.txt`, `f of ${who}`) },
  {
    name: 'create n',
    run: (client, folder, who) => succeed(client, 'PUT', `${folder}/n.txt`, `n of ${who}`),
  },
  { name: 'mkdir n', run: (client, folder) => succeed(client, 'MKCOL', `${folder}/n.txt`) },
  { name: 'copy f to n', run: (client, folder) => copy(client, `${folder}/f.txt`, `${folder}/n.txt`) },
  { name: 'remove f', run: (client, folder) => succeed(client, 'DELETE', `${folder}/f.txt`) },
  { name: 'rename f to g', run: (client, folder) => move(client, `${folder}/f.txt`, `${folder}/g.txt`) },
  { name: 'rename f to n', run: (client, folder) => move(client, `${folder}/f.txt`, `${folder}/n.txt`) },
  { name: 'rename f into e', run: (client, folder) => move(client, `${folder}/f.txt`, `${folder}/e/f.txt`) },
  { name: 'set property of f', run: (client, folder, who) => mark(client, `${folder}/f.txt`, who) },
  { name: 'remove d', run: (client, folder) => succeed(client, 'DELETE', `${folder}/d`) },
  {
    name: 'store in d',
    run: (client, folder, who) => succeed(client, 'PUT', `${folder}/d/in.txt`, `in of ${who}`),
  },
  {
    name: 'create in d',
    run: (client, folder, who) => succeed(client, 'PUT', `${folder}/d/new.txt`, `new of ${who}`),
  },
  { name: 'rename d into e', run: (client, folder) => move(client, `${folder}/d`, `${folder}/e/d`) },
  { name: 'rename e into d', run: (client, folder) => move(client, `${folder}/e`, `${folder}/d/e`) },
  { name: 'set property of d', run: (client, folder, who) => mark(client, `${folder}/d`, who) },
  { name: 'set list of d', run: (_client, folder, who, access) => access.set(`${folder}/d`, who) },
];

export interface Pair {
  readonly folder: string;
  readonly first: Operation;
  readonly second: Operation;
}

export const pairs: readonly Pair[] = operations.flatMap((first, row) =>
  operations.map((second, column) => ({ folder: `/${row + 1} ${column + 1}`, first, second })),
);

/** A file, a folder with a file in it, an empty folder. */
export async function prepare(client: WebdavClient, folder: string): Promise<void> {
  for (const path of [folder, `${folder}/d`, `${folder}/e`]) await succeed(client, 'MKCOL', path);
  await succeed(client, 'PUT', `${folder}/f.txt`, 'f');
  await succeed(client, 'PUT', `${folder}/d/in.txt`, 'in');
}

/**
 * What a gateway shows in `folder`, in an order and in words that do not depend on when it happened: contents behind
 * the name, then a property in braces, access lists in brackets. Who could not keep a name is told by his gateway.
 */
export async function outcome(
  client: WebdavClient,
  folder: string,
  access: AccessLists,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const visit = async (path: string): Promise<void> => {
    for (const member of (await listMembers(client, escaped(path))) ?? []) {
      const name = decodeURIComponent(member.path);
      const shown = name.slice(folder.length + 1).replace(/\(conflict \S+ (\S+) [^)]*\)/g, '(conflict $1)');
      const property = member.mark === '' ? '' : ` {${member.mark}}`;
      if (member.folder) {
        lines.push(`${shown}/${property}${await access.of(name)}`);
        await visit(name);
      } else lines.push(`${shown}: ${String(await read(client, name))}${property}`);
    }
  };
  await visit(folder);
  return lines.sort();
}

function copy(client: WebdavClient, from: string, to: string): Promise<void> {
  return succeed(client, 'COPY', from, undefined, { destination: client.absolute(escaped(to)) });
}

async function mark(client: WebdavClient, path: string, who: string): Promise<void> {
  const property = `<M:mark xmlns:M="${markNamespace}">${who}</M:mark>`;
  const body = `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>${property}</D:prop></D:set></D:propertyupdate>`;
  await succeed(client, 'PROPPATCH', path, body, { 'content-type': 'application/xml' });
}
