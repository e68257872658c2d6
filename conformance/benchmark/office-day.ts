/**
 * What people do with a shared folder, one request after another, in the manner of the Andrew benchmark and of office
 * programs: make folders, save files, save them again beside and over the old ones, rename, remove, look at all of it.
 */
import { randomBytes } from 'node:crypto';
import type { WebdavClient } from '../webdav-client.js';

const filesPerFolder = 5;
const fileBytes = 11_000;
/** In each folder: itself, its files, one of them saved again in two steps, one renamed, one removed. */
export const changesPerFolder = 1 + filesPerFolder + 2 + 1 + 1;

/** @throws Error when a request is not answered as it should be */
export async function workInOffice(client: WebdavClient, name: string, folders: number): Promise<void> {
  for (let index = 0; index < folders; index += 1) await workInFolder(client, `/${name}-${index}`);
}

async function workInFolder(client: WebdavClient, folder: string): Promise<void> {
  const file = (index: number): string => `${folder}/report-${index}.odt`;
  const put = (path: string): Promise<void> => request(client, 'PUT', path, { body: randomBytes(fileBytes) });
  const move = (from: string, to: string): Promise<void> => {
    return request(client, 'MOVE', from, { headers: { destination: client.absolute(to), overwrite: 'T' } });
  };
  await request(client, 'MKCOL', folder, {});
  for (let index = 0; index < filesPerFolder; index += 1) await put(file(index));
  await put(`${folder}/lu2041.tmp`);
  await move(`${folder}/lu2041.tmp`, file(0));
  await move(file(1), `${folder}/final report.odt`.replace(' ', '%20'));
  await request(client, 'DELETE', file(2), {});
  await request(client, 'PROPFIND', `${folder}/`, { headers: { depth: '1' } });
  for (const index of [0, 3, 4]) await request(client, 'GET', file(index), {});
}

async function request(
  client: WebdavClient,
  method: string,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly body?: Buffer },
): Promise<void> {
  const { status, body } = await client.request(method, path, options);
  if (status >= 300)
    throw new Error(`${method} ${path} answered ${status}: ${body.toString('utf8', 0, 300)}`);
}
