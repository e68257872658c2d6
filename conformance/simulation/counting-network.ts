/** A network that counts: the number of calls per operation is part of the contract. */
import type { DialOptions, Link, Listener, Network, Service } from '../../vice/seam/network.js';

export interface CountedTransfer {
  readonly address: string;
  readonly path: string;
  readonly start: number;
  bytes: number;
}

export class CountingNetwork implements Network {
  readonly #inner: Network;
  /** Calls by name, `upload` and `download` among them. */
  readonly counts = new Map<string, number>();
  /** What each call carried, in order. */
  readonly calls: { readonly name: string; readonly argument: unknown }[] = [];
  /** Uploads in order, with the bytes that have been taken from their sources. */
  readonly uploads: CountedTransfer[] = [];
  /** Downloads in order, with the bytes that have come. */
  readonly downloads: CountedTransfer[] = [];
  /** Told of each call before it is made. */
  onCall: (name: string, argument: unknown) => void = () => undefined;
  /** Says something else than the server did. */
  falsify: (name: string, reply: unknown, argument: unknown) => unknown = (_name, reply) => reply;
  /** Brings other bytes than the server sent. */
  distort: (download: CountedTransfer, chunk: Uint8Array) => Uint8Array = (_download, chunk) => chunk;
  /** Brings something else than the server sent. */
  alter: (path: string, source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array> = (_path, source) =>
    source;

  constructor(inner: Network) {
    this.#inner = inner;
  }

  /** What has been counted since the last take. */
  take(): Readonly<Record<string, number>> {
    const taken = Object.fromEntries(this.counts);
    this.counts.clear();
    this.calls.length = 0;
    this.uploads.length = 0;
    this.downloads.length = 0;
    return taken;
  }

  async dial(address: string, options: DialOptions): Promise<Link> {
    const link = await this.#inner.dial(address, options);
    const count = (name: string, argument?: unknown): void => {
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      this.calls.push({ name, argument });
      this.onCall(name, argument);
    };
    return {
      hello: link.hello,
      closed: link.closed,
      silence: () => link.silence(),
      close: () => link.close(),
      call: async (name, argument, callOptions) => {
        count(name, argument);
        return this.falsify(name, await link.call(name, argument, callOptions), argument);
      },
      download: async (path, start, signal) => {
        count('download');
        const download = { address, path, start, bytes: 0 };
        this.downloads.push(download);
        const source = counted(this.alter(path, await link.download(path, start, signal)), download);
        return distorted(source, (chunk) => this.distort(download, chunk));
      },
      upload: (path, start, source, signal) => {
        count('upload');
        const upload = { address, path, start, bytes: 0 };
        this.uploads.push(upload);
        return link.upload(path, start, counted(source, upload), signal);
      },
    };
  }

  listen(address: string, service: Service): Promise<Listener> {
    return this.#inner.listen(address, service);
  }
}

async function* distorted(
  source: AsyncIterable<Uint8Array>,
  distort: (chunk: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) yield distort(chunk);
}

async function* counted(
  source: AsyncIterable<Uint8Array>,
  transfer: { bytes: number },
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of source) {
    transfer.bytes += chunk.length;
    yield chunk;
  }
}
