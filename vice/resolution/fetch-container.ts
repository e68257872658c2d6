/**
 * Brings a container here from peers: spooled, resumed at the byte where a transfer broke (from the same
 * peer or the next), taken only if its digest is the one asked for. Many readers of one container share one
 * transfer.
 */
import { Failure, isFailure } from '../interface/index.js';
import type { Containers, Spool } from '../seam/containers.js';
import type { Link } from '../seam/network.js';

export interface ContainerFetch {
  readonly digest: string;
  /** Bytes, if known: a peer that sends more is cut off. */
  readonly length: number | null;
  /** Asked in this order, again from the first while bytes keep coming. */
  readonly sources: readonly Link[];
  readonly signal: AbortSignal;
}

/** Makes sure that a container is here. @throws Failure not-found (nobody has it), unreachable, damaged, no-space */
export type FetchContainer = (fetch: ContainerFetch) => Promise<void>;

const operation = 'resolution.fetch';

export function containerFetcher(containers: Containers, brought: (bytes: number) => void): FetchContainer {
  const underWay = new Map<string, Promise<void>>();
  return async (fetch) => {
    if (await containers.has(fetch.digest)) return;
    let transfer = underWay.get(fetch.digest);
    if (transfer === undefined) {
      transfer = bring(containers, fetch, brought).finally(() => underWay.delete(fetch.digest));
      underWay.set(fetch.digest, transfer);
    }
    await transfer;
  };
}

async function bring(
  containers: Containers,
  fetch: ContainerFetch,
  brought: (bytes: number) => void,
): Promise<void> {
  let spool = await containers.spool();
  let last: Failure | undefined;
  try {
    // Two rounds without a byte of progress, and the transfer is given up.
    for (let turn = 0, idle = 0; turn < 100 && idle < 2 * fetch.sources.length; turn += 1) {
      const source = fetch.sources[turn % fetch.sources.length];
      if (source === undefined) break;
      const from = spool.length;
      try {
        await append(spool, source, fetch);
        const stored = await spool.commit();
        if (stored.digest === fetch.digest) return;
        // Some byte of it is wrong, and nobody knows which: all again. Nothing names what was stored.
        last = new Failure('damaged', operation, `a peer sent other contents than container ${fetch.digest}`);
        spool = await containers.spool();
        idle += 1;
      } catch (error) {
        if (!isFailure(error, 'unreachable', 'timeout', 'not-found', 'damaged', 'busy')) throw error;
        fetch.signal.throwIfAborted();
        // That one has it not says nothing of those that cannot be asked.
        if (last === undefined || error.kind !== 'not-found') last = error;
        if (error.kind === 'damaged') {
          // By the peer or by our own disk, which has closed the spool: all again.
          await spool.abort();
          spool = await containers.spool();
        }
        idle = spool.length > from ? 0 : idle + 1;
      } finally {
        brought(Math.max(0, spool.length - from));
      }
    }
  } finally {
    await spool.abort();
  }
  throw last ?? new Failure('unreachable', operation, `no peer to fetch container ${fetch.digest} from`);
}

async function append(spool: Spool, source: Link, fetch: ContainerFetch): Promise<void> {
  const { digest, length, signal } = fetch;
  for await (const chunk of await source.download(`container/${digest}`, spool.length, signal)) {
    if (length !== null && spool.length + chunk.length > length) {
      const message = `a peer sent more than the ${length} bytes of container ${digest}`;
      throw new Failure('damaged', operation, message);
    }
    await spool.write(chunk);
  }
  if (length !== null && spool.length < length) {
    const message = `container ${digest} ended at byte ${spool.length} of ${length}`;
    throw new Failure('unreachable', operation, message);
  }
}
