/** Requests that must succeed, for stories. Paths are as people write them, from the share's root. */
import type { WebdavClient } from '../webdav-client.js';

/** @throws Error with the answer when it is none of success */
export async function succeed(
  client: WebdavClient,
  method: string,
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const options = { headers, ...(body !== undefined && { body }) };
  const reply = await client.request(method, escaped(path), options);
  if (reply.status < 300) return;
  throw new Error(`${method} ${path} at ${client.url.href} answered ${reply.status}: ${String(reply.body)}`);
}

export function move(client: WebdavClient, from: string, to: string): Promise<void> {
  return succeed(client, 'MOVE', from, undefined, { destination: client.absolute(escaped(to)) });
}

/** The contents of a file, or the status of the answer that did not give them. */
export async function read(client: WebdavClient, path: string): Promise<string | number> {
  const { status, body } = await client.request('GET', escaped(path));
  return status === 200 ? body.toString() : status;
}

export function escaped(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
