/**
 * One WebDAV request and its answer, as every method of this folder sees them, and the locks in its way (RFC 4918
 * sections 6 and 7): no Koa, no webdav-server. What implements the locks is lock-table.ts.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import type { Caller, Fid, Name, Place, Venus } from '../../venus/interface.js';

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
  /** Where trees on their way to another volume are noted; without it what a crash leaves of them stays. */
  readonly moves?: NotedMoves | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Path under which the share is mounted, '' or '/share': first part of every href. */
  readonly prefix: string;
  /** Whether the host is closing: then what would go on for ever ends. */
  isClosing?(): boolean;
  /** Whether `host` (of a Destination or If URI) is this gateway; ports and user names are ignored. */
  isOwnHost(host: string): boolean;
}

/** A tree that is to move to another volume. */
export interface NotedMove {
  readonly user: string;
  readonly moved: Fid;
  readonly source: Name;
  /** Where its copy grows, and where the original is taken apart: names of its own. */
  readonly beside: Name;
  readonly aside: Name;
}

export interface MoveNote {
  /** The copy has taken its place. Durable when it resolves. */
  placed(copy: Fid): Promise<void>;
  /** `isClean`: nothing bears a name of its own any more; else that is seen to later. */
  end(isClean: boolean): Promise<void>;
}

/** Moves that are noted while they are under way: see unfinished-moves.ts. */
export interface NotedMoves {
  /** Durable when it resolves. */
  begin(move: NotedMove): Promise<MoveNote>;
}

/** A WebDAV lock, kept as a lease of Venus. */
export interface Lock {
  /** `urn:uuid:...` */
  readonly token: string;
  readonly fid: Fid;
  readonly principal: string;
  readonly scope: 'exclusive' | 'shared';
  readonly depth: '0' | 'infinity';
  /** The owner element's inner XML as the client sent it; '' if none. */
  readonly owner: string;
  /** Seconds granted at the last lock or refresh. */
  readonly timeout: number;
  /** When it lapses, in milliseconds of the clock's monotonic time. */
  readonly ends: number;
  /** Path of the lock's root when it was made, for lockroot. */
  readonly root: readonly string[];
}

/** What a method is about to change; the locks in its way depend on it. */
export interface Intent {
  readonly place: Place;
  readonly path: readonly string[];
  /**
   * `content`: the object itself (PUT on an existing file, PROPPATCH).
   * `membership`: a name appears in or vanishes from the parent (PUT on a new name, MKCOL, destination of COPY/MOVE).
   * `tree`: the object and everything below it goes away or moves (DELETE, source of MOVE, overwritten target).
   */
  readonly kind: 'content' | 'membership' | 'tree';
}

export interface Locks {
  /** Every live lock on the object itself or, with depth infinity, on one of its ancestors. */
  covering(place: Place): readonly Lock[];
  /**
   * Evaluates the If header (RFC 4918 10.4) and checks that for every lock in the way of `intents` its principal has
   * submitted the token (If, or Lock-Token as Office sends it). Call after authentication, before the change.
   * @throws DavError 412 (If is false), 423 lock-token-submitted with hrefs, 400 (If is malformed)
   */
  guard(exchange: Exchange, intents: readonly Intent[]): Promise<void>;
  /** The objects are gone: their locks with them. */
  dropAll(fids: readonly Fid[]): Promise<void>;
  /** What was `former` is `fid` now: its locks go on. */
  adopt(former: Fid, fid: Fid): Promise<void>;
  /** Whether `caller` may see the tokens of `lock`. */
  mayShowToken(caller: Caller, lock: Lock): boolean;
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
