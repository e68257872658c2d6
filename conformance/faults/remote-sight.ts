/** What a person is shown at one gateway's door, and asks of it; all that is seen is recorded. */
import { parseStoreId, type Fid, type StoreId } from '../../vice/interface/index.js';
import type { Attempt } from '../simulation/world/attempt.js';
import { lastNameOf } from '../simulation/world/scenario.js';
import type { Reply, RequestOptions, WebdavClient } from '../webdav-client.js';
import type { Recording } from './recording.js';
import { outcomeOf, Refusal } from './remote-answer.js';

/** Nobody waits longer, whatever fails: with room for a process that is frozen for a while. */
const patienceMs = 45_000;

export interface Shown {
  readonly fid: Fid;
  readonly kind: 'file' | 'directory';
  readonly version: StoreId | null;
  readonly etag: string | null;
  readonly name: string;
  readonly path: string;
  /** What a person has to decide about it, by its kind. */
  readonly conflict: string | null;
  /** A version beside a file in conflict: no object of its own. */
  readonly isSibling: boolean;
  /** The name that was asked for: an object in conflict may bear another one. */
  readonly wanted: string;
}

export interface Listing {
  readonly self: Shown;
  readonly entries: readonly Shown[];
}

export interface Place {
  readonly parent: Fid;
  readonly path: string;
  readonly name: string;
  readonly object: Shown | null;
}

const question =
  '<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop><D:resourcetype/><D:getetag/>' +
  '<D:resource-id/><C:conflict xmlns:C="urn:coda-gateway"/><C:conflict-wanted xmlns:C="urn:coda-gateway"/>' +
  '</D:prop></D:propfind>';

export class RemoteSight {
  readonly #client: WebdavClient;
  readonly #gateway: string;
  readonly #recording: Recording;

  constructor(client: WebdavClient, gateway: string, recording: Recording) {
    this.#client = client;
    this.#gateway = gateway;
    this.#recording = recording;
  }

  /** @throws Refusal for anything but success */
  async ask(method: string, path: string, options: RequestOptions = {}): Promise<Reply> {
    const reply = await this.#answerOf(method, path, options);
    const { status } = reply;
    if (status < 300 && (status !== 207 || method === 'PROPFIND')) return reply;
    const body = reply.body.toString('utf8', 0, 2000);
    // Of several: what became of the first that was not done.
    const inner = status === 207 ? Number(/HTTP\/1\.1 ([345]\d\d)/.exec(body)?.[1] ?? 200) : status;
    if (inner === 200) return reply;
    const message = `${method} /${path}: ${status} ${body.slice(0, 200)}`;
    // Anything else that fails has words of its own.
    if (/The gateway failed/.test(body)) this.#recording.accidents.push(`${this.#gateway}: ${message}`);
    // A tree that was refused in part may be gone in part.
    if (status === 207 && method !== 'PROPPATCH') throw new Refusal('unreachable', message);
    throw new Refusal(outcomeOf(inner, body), message);
  }

  absolute(path: string): string {
    return this.#client.absolute(encoded(path));
  }

  /** @throws Refusal not-directory */
  async list(path: string): Promise<Listing> {
    const headers = { depth: '1', 'content-type': 'application/xml' };
    const reply = await this.ask('PROPFIND', path, { headers, body: question });
    const { url } = this.#client;
    const all = reply.body
      .toString()
      .split(/<\/[^<>:]*:?response>/)
      .flatMap((part) => shownIn(part, url));
    const self = all.find((shown) => shown.path === path);
    if (self === undefined) throw new Refusal('unreachable', `nothing is said of /${path}`);
    if (self.kind !== 'directory') throw new Refusal('not-directory', `/${path} is a file`);
    const entries = all.filter((shown) => shown !== self);
    for (const { isSibling, conflict, ...shown } of entries) {
      if (conflict !== null) this.#recording.conflicted.add(`${conflict} ${shown.fid}`);
      if (!isSibling) this.#recording.saw({ ...shown, parent: self.fid });
    }
    return { self, entries };
  }

  /** What its directory has under the last name of `path`. */
  async lookup(path: string): Promise<Place> {
    const name = lastNameOf(path);
    const { self, entries } = await this.list(path.slice(0, Math.max(path.lastIndexOf('/'), 0)));
    const object = entries.find((entry) => entry.name === name) ?? null;
    return { parent: self.fid, path, name, object };
  }

  /** Once more, after it was changed: undefined when it cannot be seen now. */
  async lookAgain(path: string): Promise<Place | undefined> {
    try {
      return await this.lookup(path);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  async read(path: string): Promise<{ readonly version: StoreId; readonly text: string }> {
    const { headers, body } = await this.ask('GET', path);
    const version = versionOf(String(headers['etag']));
    // Since it was looked up a folder may have taken its place: that has a page.
    if (version === null && String(headers['content-type']).startsWith('text/html'))
      throw new Refusal('is-directory', `GET /${path} is a folder's page`);
    if (version === null) throw new Error(`GET ${path} has the ETag ${String(headers['etag'])}`);
    const text = body.toString('latin1');
    this.#recording.read(version, text, `${this.#gateway}: /${path}`);
    return { version, text };
  }

  /** Before the change: what its author is shown may go with it. */
  async giveUp(shown: Shown, attempt: Attempt): Promise<void> {
    if (shown.kind === 'file') return this.giveUpText(shown, attempt);
    attempt.removes.add(shown.fid);
    let entries: readonly Shown[] = [];
    try {
      entries = (await this.list(shown.path)).entries;
    } catch (error) {
      if (!(error instanceof Refusal) || !['not-found', 'not-directory'].includes(error.outcome)) throw error;
    }
    for (const entry of entries) {
      if (!entry.isSibling) attempt.removes.add(entry.fid);
      await this.giveUp(entry, attempt);
    }
  }

  async giveUpText({ version, path, fid }: Shown, attempt: Attempt): Promise<void> {
    if (version === null) return;
    const { ledger } = this.#recording;
    attempt.givesUpVersions.add(version);
    for (const text of ledger.textsOver(fid)) attempt.givesUp.add(text);
    let text = ledger.texts.get(version);
    if (text === undefined) {
      try {
        const read = await this.read(path);
        if (read.version === version) text = read.text;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
    }
    if (text !== undefined) attempt.givesUp.add(text);
  }

  async #answerOf(method: string, path: string, options: RequestOptions): Promise<Reply> {
    try {
      return await this.#client.request(method, encoded(path), { timeoutMs: patienceMs, ...options });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const message = `${method} /${path} at ${this.#gateway}: ${error.message}`;
      if (error.name === 'TimeoutError')
        this.#recording.accidents.push(`${message}: no answer in ${patienceMs} ms`);
      // Nobody was there to hear it.
      const isUnheard = 'code' in error && error.code === 'ECONNREFUSED';
      throw new Refusal(isUnheard ? 'refused' : 'pending', message);
    }
  }
}

/** A StoreId has a colon where an ETag has a hyphen (gateway/webdav/etag.ts). */
export function versionOf(etag: string): StoreId | null {
  return parseStoreId(etag.replaceAll('"', '').replace('-', ':')) ?? null;
}

function encoded(path: string): string {
  return `/${path.split('/').map(encodeURIComponent).join('/')}`;
}

function shownIn(part: string, share: URL): readonly Shown[] {
  const href = textOf(part, 'href');
  if (href === undefined) return [];
  const found = part.slice(0, part.search(/<\/[^<>:]*:?propstat>/));
  const fid = /urn:uuid:[0-9a-f-]+/.exec(found)?.[0];
  // A directory that cannot be shown whole is not known.
  if (fid === undefined) throw new Refusal('unreachable', part.slice(0, 300));
  const base = share.pathname.replace(/\/$/, '');
  const path = decodeURIComponent(new URL(href, share).pathname.slice(base.length).replace(/^\/|\/$/g, ''));
  const name = lastNameOf(path);
  const etag = textOf(found, 'getetag')?.replaceAll('&quot;', '"') ?? null;
  const conflict = textOf(found, 'conflict') ?? null;
  return [
    {
      fid: fid as Fid,
      kind: /<[^<>/]*:?collection\b/.test(found) ? 'directory' : 'file',
      version: etag === null ? null : versionOf(etag),
      etag,
      name,
      path,
      conflict,
      isSibling: conflict === 'sibling',
      wanted: conflict === 'name' ? (textOf(found, 'conflict-wanted') ?? name) : name,
    },
  ];
}

/** Text of the first element with this local name; our values hold no markup. */
function textOf(xml: string, name: string): string | undefined {
  return new RegExp(`<(?:[^<>/ ]*:)?${name}(?: [^<>]*)?>([^<]*)</`).exec(xml)?.[1];
}
