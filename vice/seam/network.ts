/**
 * Seam: the network between gateways and servers. A link is one connection that the client opens (it works behind
 * NAT): calls are multiplexed on it, the server pushes on it, and it is the lease of every callback promise.
 * Container bytes go beside it, with flow control of their own, under the same credential.
 *
 * NW-1  Frames of one link arrive in order: a push sent before a reply is delivered before it.
 * NW-2  A link that has been silent for `silenceMs` is closed by both ends, each by its own monotonic clock; both
 *       send a beat every `beatMs`. An end whose own clock jumped by more than silenceMs / 2 between two of its
 *       beats was asleep itself: it grants the peer one more beat before it judges.
 * NW-3  When a link closes, every call on it fails with `unreachable`; its outcome is unknown.
 * NW-4  A Failure thrown by the server's handler arrives as the same kind, message and fid; any other error as
 *       `incompatible` with no details (and is logged at the server).
 * NW-5  Frames are at most `frameBytes`; longer replies are sent in parts.
 */
import type { Peer, ShownCertificate } from '../interface/index.js';

export const linkTiming = { beatMs: 500, silenceMs: 2500, dialMs: 2500 } as const;
export const frameBytes = 16 * 1024 * 1024;

export interface Network {
  /** @throws Failure unreachable, not-authenticated, incompatible */
  dial(address: string, options: DialOptions): Promise<Link>;
  /** @throws Failure invalid when the address is in use or not ours */
  listen(address: string, service: Service): Promise<Listener>;
}

export interface DialOptions {
  /** Asked for the link and for each transfer. */
  readonly credential: () => string;
  /** The server that is meant: where there are certificates, the one at the address must be this one. */
  readonly server?: string;
  /** Why a certificate that is good otherwise is not accepted; undefined: it is. Asked where there are certificates. */
  readonly refuses?: (shown: ShownCertificate) => string | undefined;
  /** Called in order of arrival; must not throw. */
  readonly onPush: (push: unknown) => void;
}

/** What the server says of itself when a link opens. */
export interface Hello {
  readonly protocol: number;
  readonly server: string;
  readonly realm: string;
}

export interface Link {
  readonly hello: Hello;
  /** The server's, where there are certificates. */
  readonly shown?: ShownCertificate | undefined;
  /**
   * Sends a call and waits for its reply. A reply in parts arrives as one value whose `entries` are concatenated.
   * @throws Failure unreachable, timeout (outcome unknown), or what the server answered
   */
  call(name: string, argument: unknown, options?: CallOptions): Promise<unknown>;
  /** The bytes at `path` from byte `start` on. @throws Failure unreachable, not-found, timeout, damaged */
  download(path: string, start: number, signal?: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Sends all of `source` to `path`, behind the `start` bytes that are there. @throws Failure unreachable, no-space */
  upload(path: string, start: number, source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /** Settles, never rejects, once the link is closed, with the reason. */
  readonly closed: Promise<string>;
  /** Milliseconds since the peer was last heard. */
  silence(): number;
  /** Idempotent. */
  close(): void;
}

export interface CallOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /**
   * Given each part of a reply in parts as it arrives, which so needs not be looked at as a whole. Gives what shall
   * stand in its place; what it throws ends the call.
   */
  readonly takePart?: (part: unknown) => unknown;
}

/** What a server does with what arrives. */
export interface Service {
  readonly hello: Hello;
  /** Who the credential proves, or undefined: then the link is refused. */
  authenticate(credential: string): Peer | undefined;
  /** As in DialOptions; asked for links and for transfers. */
  refuses?(shown: ShownCertificate): string | undefined;
  opened(session: Session): void;
  closed(session: Session): void;
  /** One call; an AsyncIterable result is sent in parts (each part an object of the result's shape). */
  call(session: Session, name: string, argument: unknown): Promise<unknown>;
  download(peer: Peer, path: string, start: number): Promise<AsyncIterable<Uint8Array>>;
  upload(peer: Peer, path: string, start: number, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Plain HTTP GETs without a credential, such as `/metrics`; undefined is 404. */
  page?(path: string): Promise<{ readonly type: string; readonly body: string } | undefined>;
}

export interface Session {
  readonly id: number;
  readonly peer: Peer;
  /** The peer's, where there are certificates. */
  readonly shown?: ShownCertificate | undefined;
  /** Queues a push. A session whose unsent pushes exceed 8 MiB is closed: its promises end with it. */
  push(push: unknown): void;
  close(reason?: string): void;
}

export interface Listener {
  /** The address with the real port, to be dialled. */
  readonly address: string;
  close(): Promise<void>;
}
