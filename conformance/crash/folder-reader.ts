/** Reads a folder through WebDAV into the oracle's model: every name, every byte, every mark. */
import { createHash } from 'node:crypto';
import type { WebdavClient } from '../webdav-client.js';
import type { Item, World } from './world.js';

export const markNamespace = 'urn:coda-gateway:conformance';

const question =
  '<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/>' +
  `<D:getetag/><D:getcontentlength/><M:mark xmlns:M="${markNamespace}"/></D:prop></D:propfind>`;

export interface Member {
  readonly path: string;
  readonly folder: boolean;
  readonly length: number;
  readonly etag: string;
  readonly mark: string;
}

/**
 * @param folder percent-encoded, from the share's root. @throws Error when something cannot be read, or does
 * not fit
 */
export async function readFolder(client: WebdavClient, folder: string): Promise<World | undefined> {
  const world = new Map<string, Item>();
  const pending = [folder];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const members = await listMembers(client, next);
    if (members === undefined) {
      if (next === folder) return undefined;
      throw new Error(`${next} was listed but is not there`);
    }
    for (const member of members) {
      const name = decodeURIComponent(member.path.slice(folder.length + 1));
      if (member.folder) {
        world.set(name, { kind: 'folder', digest: '', mark: member.mark });
        pending.push(member.path);
      } else {
        world.set(name, { kind: 'file', digest: await readDigest(client, member), mark: member.mark });
      }
    }
  }
  return world;
}

async function readDigest(client: WebdavClient, member: Member): Promise<string> {
  const { status, headers, body } = await client.request('GET', member.path);
  if (status !== 200)
    throw new Error(`GET ${member.path} answered ${status}: ${body.toString('utf8', 0, 200)}`);
  if (body.length !== member.length) {
    throw new Error(`${member.path} has ${body.length} bytes, its getcontentlength says ${member.length}`);
  }
  if (headers['etag'] !== member.etag) {
    throw new Error(
      `${member.path} has the ETag ${String(headers['etag'])}, its getetag says ${member.etag}`,
    );
  }
  return createHash('sha256').update(body).digest('hex');
}

/** Of one folder, in one request; undefined when there is no such folder. */
export async function listMembers(client: WebdavClient, folder: string): Promise<Member[] | undefined> {
  const { status, body } = await client.request('PROPFIND', `${folder}/`, {
    headers: { depth: '1', 'content-type': 'application/xml' },
    body: question,
  });
  if (status === 404) return undefined;
  if (status !== 207)
    throw new Error(`PROPFIND ${folder} answered ${status}: ${body.toString('utf8', 0, 300)}`);
  const base = client.url.pathname.replace(/\/$/, '');
  return body
    .toString()
    .split(/<\/[^<>:]*:?response>/)
    .flatMap((part) => {
      const href = textOf(part, 'href');
      if (href === undefined) return [];
      const path = new URL(href, client.url).pathname.slice(base.length).replace(/\/$/, '');
      if (path === folder) return [];
      const found = part.slice(0, part.search(/<\/[^<>:]*:?propstat>/));
      return [
        {
          path,
          folder: /<[^<>/]*:?collection\b/.test(found),
          length: Number(textOf(found, 'getcontentlength') ?? 0),
          etag: (textOf(found, 'getetag') ?? '').replaceAll('&quot;', '"'),
          mark: textOf(found, 'mark') ?? '',
        },
      ];
    });
}

/** Text of the first element with this local name; our values hold no markup. */
function textOf(xml: string, name: string): string | undefined {
  return new RegExp(`<(?:[^<>/ ]*:)?${name}(?: [^<>]*)?>([^<]*)</`).exec(xml)?.[1];
}
