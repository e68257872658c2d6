/** One WebDAV request and its answer, as every method of this folder sees them: no Koa, no webdav-server. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import type { Caller, Venus } from '../../venus/interface.js';
import type { Locks } from './locks.js';

export interface Exchange {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Decoded, checked names from the share's root down; [] is the root. */
  readonly path: readonly string[];
  /** Whether the request's path ended in a slash. */
  readonly trailingSlash: boolean;
  /** The request's body; every method reads it or leaves it: the host drains or closes. */
  readonly body: Readable;
  readonly caller: Caller;
  readonly client: Client;
  readonly share: Share;
}

/** What does not change from request to request. */
export interface Share {
  readonly venus: Venus;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Path under which the share is mounted, '' or '/share': first part of every href. */
  readonly prefix: string;
  /** Whether `host` (of a Destination or If URI) is this gateway; ports and user names are ignored. */
  isOwnHost(host: string): boolean;
}

/** Which program asks, as far as answers must differ (gateway/webdav/client.ts). */
export interface Client {
  readonly kind: 'windows' | 'macos' | 'office' | 'kio' | 'gvfs' | 'davfs2' | 'other';
  readonly userAgent: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent with its length; an iterable is streamed with back-pressure. */
  readonly body?: string | Uint8Array | AsyncIterable<string | Uint8Array>;
}

export type Method = (exchange: Exchange) => Promise<Answer>;

/** An answer that is a failure of the protocol (the table of Venus' failures is gateway/webdav/status.ts). */
export class DavError extends Error {
  override readonly name = 'DavError';
  readonly status: number;
  /** Local name of the RFC 4918 precondition element in the error body, as `lock-token-submitted`. */
  readonly condition: string | undefined;
  /** Hrefs inside that element. */
  readonly hrefs: readonly string[];

  constructor(status: number, message: string, condition?: string, hrefs: readonly string[] = []) {
    super(message);
    this.status = status;
    this.condition = condition;
    this.hrefs = hrefs;
  }
}
