/** WebDAV locks (RFC 4918 section 6 and 7) on top of Venus' leases: the contract; see lock-table.ts. */
import type { Caller, Fid, Place } from '../../venus/interface.js';
import type { Exchange } from './exchange.js';

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
  /** Milliseconds since 1970. */
  readonly expires: number;
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
   * Evaluates the If header (RFC 4918 10.4) and checks that for every lock in the way of `intents` its own principal has
   * submitted the token (If, or Lock-Token as Office sends it). Call after authentication, before the change.
   * @throws DavError 412 (If is false), 423 lock-token-submitted with hrefs, 400 (If is malformed)
   */
  guard(exchange: Exchange, intents: readonly Intent[]): Promise<void>;
  /** The objects are gone: their locks with them. */
  dropAll(fids: readonly Fid[]): Promise<void>;
  /** Whether `caller` may see the tokens of `lock`. */
  mayShowToken(caller: Caller, lock: Lock): boolean;
}
