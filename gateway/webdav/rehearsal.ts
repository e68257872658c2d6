/**
 * A share without a socket, for tests: requests are made by hand, methods are called directly, time stands
 * still unless it is set. Venus is handed in, so that nothing here knows its twin.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Caller, ObjectStatus, Place, Venus } from '../../venus/interface.js';
import type { Clock } from '../../vice/seam/clock.js';
import { silentLog } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import { DavError, type Client, type Exchange, type Method, type Share } from './exchange.js';
import { createLocks, type LockTable } from './lock-table.js';
import { UnfinishedMoves } from './unfinished-moves.js';
import { lock } from './lock.js';
import { propfind } from './propfind.js';
import { proppatch } from './proppatch.js';
import { childOf, elementsOf, parseXml, textOf, type Element } from './xml-reader.js';

/** Everything has a default; the user is ann. */
export interface RehearsedRequest {
  readonly user?: string;
  readonly headers?: Exchange['headers'];
  readonly body?: string;
  readonly client?: Client['kind'];
  /** The Depth header. */
  readonly depth?: string;
}

export interface LockWish extends RehearsedRequest {
  readonly scope?: string;
  /** The owner element. */
  readonly owner?: string;
}

/** An answer, or the DavError that stands for one. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly condition: string | undefined;
  readonly hrefs: readonly string[];
  readonly body: Buffer;
  readonly text: string;
  /** The Lock-Token header, '' if none. */
  readonly token: string;
}

/** One DAV:response: which properties have which status, and those that were found, by Clark name. */
export interface Listed {
  readonly href: string;
  readonly byStatus: Readonly<Record<string, readonly string[]>>;
  readonly found: ReadonlyMap<string, Element>;
}

/** Milliseconds since 1970. */
export const rehearsalStart = Date.UTC(2026, 0, 2, 3, 4, 5);

export const ann: Caller = { user: 'ann' };

export class Rehearsal {
  /** Milliseconds since 1970. */
  now = rehearsalStart;
  share: Share;
  locks: LockTable;
  readonly moves: UnfinishedMoves;
  readonly #venus: Venus;
  #draws = 0;

  /** `clock`: instead of `now`, where the two times of a clock are to differ. */
  constructor(venus: Venus, prefix = '/s', clock = this.#clock()) {
    this.#venus = venus;
    const random: Random = { bytes: (count) => this.#bytes(count), fraction: () => 0.5 };
    this.locks = createLocks({ venus, clock, random, log: silentLog });
    const isOwnHost = (host: string): boolean => host === 'h';
    this.moves = new UnfinishedMoves({ venus, clock, random, log: silentLog });
    const { moves } = this;
    this.share = { venus, locks: this.locks, moves, clock, random, log: silentLog, prefix, isOwnHost };
  }

  /** The gateway's process ends and another one begins over what Venus has kept. */
  restart(clock = this.share.clock): void {
    const { random, log } = this.share;
    this.locks = createLocks({ venus: this.#venus, clock, random, log });
    this.share = { ...this.share, clock, locks: this.locks };
  }

  exchange(method: string, path: string, request: RehearsedRequest = {}): Exchange {
    const { user = 'ann', headers = {}, body = '', client = 'other', depth } = request;
    return {
      method,
      headers: depth === undefined ? headers : { ...headers, depth },
      path: namesOf(path),
      trailingSlash: path.endsWith('/'),
      body: Readable.from(body === '' ? [] : [Buffer.from(body)]),
      caller: { user },
      client: { kind: client, userAgent: '' },
      share: this.share,
    };
  }

  async send(method: Method, name: string, path: string, request: RehearsedRequest = {}): Promise<Reply> {
    try {
      const { status, headers = {}, body = '' } = await method(this.exchange(name, path, request));
      const pieces: Uint8Array[] = [];
      if (typeof body === 'string' || body instanceof Uint8Array) pieces.push(Buffer.from(body as string));
      else for await (const piece of body) pieces.push(Buffer.from(piece as string));
      const whole = Buffer.concat(pieces);
      const token = headers['Lock-Token'] ?? '';
      return {
        status,
        headers,
        condition: undefined,
        hrefs: [],
        body: whole,
        text: whole.toString(),
        token,
      };
    } catch (error) {
      if (!(error instanceof DavError)) throw error;
      const { status, condition, hrefs, message } = error;
      return { status, headers: {}, condition, hrefs, body: Buffer.alloc(0), text: message, token: '' };
    }
  }

  /** LOCK with a body. */
  lock(path: string, wish: LockWish = {}): Promise<Reply> {
    const { scope = 'exclusive', owner = '' } = wish;
    const kind = `<lockscope><${scope}/></lockscope><locktype><write/></locktype>`;
    return this.send(lock, 'LOCK', path, {
      ...wish,
      body: `<lockinfo xmlns="DAV:">${kind}${owner}</lockinfo>`,
    });
  }

  /** The answer's body, or the status and the condition of a refusal. Depth is 0 unless one is given. */
  async propfind(path: string, request: RehearsedRequest = {}): Promise<string> {
    const depth = 'depth' in (request.headers ?? {}) ? {} : { depth: '0' };
    return told(await this.send(propfind, 'PROPFIND', path, { ...depth, ...request }));
  }

  async listed(path: string, request: RehearsedRequest = {}): Promise<readonly Listed[]> {
    return readMultistatus(await this.propfind(path, request));
  }

  /** What one object has of `properties`, which are empty elements with the prefixes of `propfindBody`. */
  async found(path: string, properties: string): Promise<ReadonlyMap<string, Element>> {
    const [self] = await this.listed(path, { body: propfindBody(`<D:prop>${properties}</D:prop>`) });
    return self?.found ?? new Map();
  }

  /** PROPPATCH with the D:set and D:remove elements of `inner`: names by status, or what a refusal says. */
  async patch(
    path: string,
    inner: string,
    request: RehearsedRequest = {},
  ): Promise<Listed['byStatus'] | string> {
    const body = `<D:propertyupdate ${prefixes}>${inner}</D:propertyupdate>`;
    const text = told(await this.send(proppatch, 'PROPPATCH', path, { body, ...request }));
    return text.startsWith('<') ? (readMultistatus(text)[0]?.byStatus ?? {}) : text;
  }

  place(path: string): Promise<Place> {
    return this.#venus.lookup(ann, namesOf(path));
  }

  async status(path: string): Promise<ObjectStatus> {
    const { object } = await this.place(path);
    if (object === null) throw new Error(`there is no ${path}`);
    return object;
  }

  /** Makes folders (names that end in a slash) and files of four bytes. */
  async tree(...paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      const { parent, name } = await this.place(path);
      if (parent === null) throw new Error('the root is there');
      if (path.endsWith('/')) {
        await this.#venus.makeDirectory(ann, parent, name);
        continue;
      }
      const writer = await this.#venus.write(ann);
      await writer.write(Buffer.from('four'));
      await writer.close({ parent, name });
    }
  }

  /** As another gateway does it: without a word to the locks. */
  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [await this.place(from), await this.place(to)];
    if (source.parent === null || target.parent === null) throw new Error('the root stays');
    const [{ name }, { name: newName }] = [source, target];
    await this.#venus.rename(
      ann,
      { parent: source.parent, name },
      { parent: target.parent, name: newName },
      { replace: false },
    );
  }

  /** As another gateway does it. */
  async remove(path: string): Promise<void> {
    const { parent, name } = await this.place(path);
    if (parent !== null) await this.#venus.remove(ann, parent, name);
  }

  #clock(): Clock {
    return {
      wall: () => this.now,
      monotonic: () => this.now,
      after: (_, task) => {
        queueMicrotask(task);
        return { cancel() {} };
      },
    };
  }

  #bytes(count: number): Uint8Array {
    this.#draws += 1;
    return createHash('sha256').update(String(this.#draws)).digest().subarray(0, count);
  }
}

const prefixes = 'xmlns:D="DAV:" xmlns:z="urn:z" xmlns:w="urn:schemas-microsoft-com:"';

export function propfindBody(inner: string): string {
  return `<D:propfind ${prefixes}>${inner}</D:propfind>`;
}

function told({ status, condition, text }: Reply): string {
  if (status === 207) return text;
  return condition === undefined ? String(status) : `${status} ${condition}`;
}

function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

/** What a multistatus says, response by response; an error if it is not of the form that clients rely on. */
export function readMultistatus(text: string): readonly Listed[] {
  const root = parseXml(text);
  if (root.name !== '{DAV:}multistatus') throw new Error(`answered ${root.tag}`);
  return elementsOf(root).map((response) => {
    const [href, ...propstats] = elementsOf(response);
    if (href?.name !== '{DAV:}href') throw new Error('a response begins with its href');
    const byStatus: Record<string, string[]> = {};
    const found = new Map<string, Element>();
    for (const propstat of propstats) {
      const prop = childOf(propstat, '{DAV:}prop');
      const line = childOf(propstat, '{DAV:}status');
      if (prop === undefined || line === undefined) throw new Error('a propstat has a prop and a status');
      const [, status = ''] = textOf(line).split(' ');
      for (const property of elementsOf(prop)) {
        (byStatus[status] ??= []).push(property.name);
        if (status === '200') found.set(property.name, property);
      }
    }
    return { href: textOf(href), byStatus, found };
  });
}
