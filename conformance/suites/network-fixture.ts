/** What the Network suite stands on: two hosts, a server that does as the test wants, and ways to wait. */
import type { Test } from 'tap';
import { Failure, rootFid, volumeId, type FailureKind, type Peer } from '../../vice/interface/index.js';
import type {
  CallOptions,
  DialOptions,
  Link,
  Listener,
  Network,
  Service,
  Session,
} from '../../vice/seam/network.js';

/** Two hosts with a network between them, and its clock. */
export interface NetworkUnderTest {
  readonly client: Network;
  readonly server: Network;
  /** Where the server listens; port 0. */
  readonly address: string;
  /** The address that the client must dial to reach `address`. */
  route(address: string): Promise<string>;
  /** Lets `ms` of the network's time pass, with all that happens in it. */
  pass(ms: number): Promise<void>;
  /** Waits for `promise`; a simulated network lets time pass meanwhile. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** From now on nothing passes between the two, and neither is told: a stopped process, a pulled cable. */
  mute(): void;
  close(): Promise<void>;
}

export const credential = 'open-sesame';
export const peer: Peer = { role: 'gateway', name: 'g1/0123456789abcdef' };
const volume = volumeId('7f000001');
export const fid = volume === undefined ? undefined : rootFid(volume);

/** A service that answers calls by name and remembers what happened. */
export class TestService implements Service {
  readonly hello = { protocol: 1, server: 's1', realm: 'test' };
  readonly sessions: Session[] = [];
  readonly closedSessions: Session[] = [];
  readonly files = new Map<string, Uint8Array>();
  readonly handlers: Record<string, (session: Session, argument: unknown) => unknown> = {
    echo: (_session, argument) => argument,
    never: () => new Promise(() => undefined),
  };
  /** Sources of replies and downloads that have ended, in whatever way. */
  ended = 0;
  /** What uploads ended with. */
  readonly uploads: string[] = [];

  authenticate(given: string): Peer | undefined {
    return given === credential ? peer : undefined;
  }

  opened(session: Session): void {
    this.sessions.push(session);
  }

  closed(session: Session): void {
    this.closedSessions.push(session);
  }

  async call(session: Session, name: string, argument: unknown): Promise<unknown> {
    return this.handlers[name]?.(session, argument);
  }

  async download(by: Peer, path: string, start: number): Promise<AsyncIterable<Uint8Array>> {
    if (by !== peer) throw new Error('another peer');
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new Failure('not-found', 'test', `no ${path} here`);
    return this.#read(path, bytes.subarray(start));
  }

  async upload(_by: Peer, path: string, start: number, source: AsyncIterable<Uint8Array>): Promise<void> {
    if (path === 'full') throw new Failure('no-space', 'test', 'the disk is full');
    if (path === 'known') return;
    try {
      const before = this.files.get(path)?.subarray(0, start) ?? new Uint8Array();
      const chunks: Uint8Array[] = [before];
      for await (const chunk of source) chunks.push(chunk);
      this.files.set(path, Buffer.concat(chunks));
      this.uploads.push('whole');
    } catch (error) {
      this.uploads.push(error instanceof Failure ? error.kind : 'error');
      throw error;
    }
  }

  async *#read(path: string, bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    try {
      for (let at = 0; at < bytes.length; at += 100_000) {
        if (path === 'damaged' && at > 0) {
          throw new Failure('damaged', 'test', 'a block does not match', { fid });
        }
        yield bytes.subarray(at, at + 100_000);
      }
      if (path === 'endless') for (;;) yield bytes;
    } finally {
      this.ended += 1;
    }
  }
}

export interface Pair {
  readonly net: NetworkUnderTest;
  readonly service: TestService;
  readonly listener: Listener;
  readonly link: Link;
  readonly pushes: unknown[];
  /** A call, waited for. */
  call(name: string, argument?: unknown, options?: CallOptions): Promise<unknown>;
}

export type MakeNetwork = () => Promise<NetworkUnderTest>;

export async function listening(t: Test, make: MakeNetwork): Promise<Omit<Pair, 'link' | 'pushes' | 'call'>> {
  const net = await make();
  const service = new TestService();
  const listener = await net.settle(net.server.listen(net.address, service));
  t.teardown(async () => {
    await net.settle(listener.close());
    await net.close();
  });
  return { net, service, listener };
}

export async function linked(t: Test, make: MakeNetwork): Promise<Pair> {
  const { net, service, listener } = await listening(t, make);
  const pushes: unknown[] = [];
  const options: DialOptions = { credential: () => credential, onPush: (push) => pushes.push(push) };
  const link = await net.settle(net.client.dial(await net.route(listener.address), options));
  t.teardown(() => link.close());
  return {
    ...{ net, service, listener, link, pushes },
    call: (name, argument, callOptions) => net.settle(link.call(name, argument, callOptions)),
  };
}

/** Lets time pass until `condition` holds. @throws Error when it does not within 5 s */
export async function eventually(
  net: NetworkUnderTest,
  what: string,
  condition: () => boolean,
): Promise<void> {
  for (let passed = 0; !condition(); passed += 50) {
    if (passed > 5000) throw new Error(`within 5 s it did not come to this: ${what}`);
    await net.pass(50);
  }
}

export async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function* chunksOf(bytes: Uint8Array, size = 50_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 1) bytes[at] = (at * 31 + (at >> 8)) & 0xff;
  return bytes;
}

export async function failsWith(
  t: Test,
  promise: Promise<unknown>,
  kind: FailureKind,
  what: string,
): Promise<void> {
  await t.rejects(promise, { name: 'Failure', kind }, what);
}
