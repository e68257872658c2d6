/** Contents of objects that are about to be merged: fetched where they are not here, held until they are named. */
import {
  emptyDigest,
  isFailure,
  isRemoved,
  versionsOf,
  type Fid,
  type FileData,
  type VnodeStatus,
} from '../interface/index.js';
import type { Log } from '../seam/log.js';
import type { Link } from '../seam/network.js';
import { contentsNeeded } from '../volume/merge-step.js';
import type { Replica } from '../volume/replica.js';
import type { FetchContainer } from './fetch-container.js';

export interface ContentsWorld {
  readonly replica: Pick<Replica, 'hold'>;
  readonly fetch: FetchContainer;
  /** Those of the wanted contents that are small and not here, as far as the peer has them. */
  readonly small: (link: Link, wanted: readonly FileData[]) => Promise<ReadonlyMap<string, Uint8Array>>;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface ContentsSource {
  readonly link: Link;
  /** Where containers may be fetched: the link first. */
  readonly containerSources: readonly Link[];
}

export interface FetchedContents {
  /** Objects of whose contents nobody has what is needed. */
  readonly missing: ReadonlySet<Fid>;
  /** Small contents by digest: they are stored together with the objects. */
  readonly packed: ReadonlyMap<string, Uint8Array>;
}

/** Containers fetched at the same time. */
const fetchedAtOnce = 4;

/** `objects` as they shall be here. Each of `releases`, called, gives up what is held, also where this fails. */
export async function fetchContents(
  { replica, fetch: bring, small, log, signal }: ContentsWorld,
  { link, containerSources: sources }: ContentsSource,
  objects: readonly VnodeStatus[],
  releases: (() => void)[],
): Promise<FetchedContents> {
  const missing = new Set<Fid>();
  const needed = new Set(objects.flatMap(contentsNeeded));
  const all = objects
    .filter((status) => !isRemoved(status))
    .flatMap((status) => versionsOf(status).map((version) => ({ fid: status.fid, version })))
    .filter(({ version }) => version.digest !== emptyDigest);
  // Held before it is asked whether they are here.
  for (const { version } of all) releases.push(replica.hold(version.digest));
  const versions = all.map(({ version }) => version);
  const packed = await small(link, versions);
  const waiting = all.filter(({ version }) => !packed.has(version.digest));
  const fetchNext = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { fid, version } = next;
      const { digest, length } = version;
      try {
        await bring({ digest, length, sources, signal });
      } catch (error) {
        if (!isFailure(error, 'not-found', 'damaged', 'unreachable', 'timeout')) {
          waiting.length = 0;
          throw error;
        }
        log.warn('contents not fetched', { fid, digest, reason: error.message });
        if (needed.has(version)) missing.add(fid);
      }
    }
  };
  // All of them end before anything is released: what came later nobody would collect.
  for (const outcome of await Promise.allSettled(Array.from({ length: fetchedAtOnce }, fetchNext)))
    if (outcome.status === 'rejected') throw outcome.reason;
  return { missing, packed };
}
