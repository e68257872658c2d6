/** Calls that read: `status`, `list`, `changes`, `stamps`, `contents`, `digests`, `conflicts`, `space`. */
import {
  Failure,
  isFailure,
  limits,
  readUpTo,
  unread,
  type Fid,
  type Peer,
  type Result,
  type UpdateSet,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import { page } from '../volume/pages.js';
import type { Listing, Replica } from '../volume/replica.js';
import { sizeOf } from '../volume/status-size.js';
import type { Handlers, ServerContext } from './context.js';

/** Entries in one part of a listing; making one, and reading it, takes some milliseconds of the event loop. */
const partEntries = 150;
const changesMax = 1_000;
const conflictsMax = 200;

export const reading: Handlers<
  'status' | 'list' | 'changes' | 'stamps' | 'contents' | 'digests' | 'conflicts' | 'space'
> = {
  async status(context, { peer }, { volume, replica: meant, fids, cop2 }) {
    const replica = context.volumes.required(volume, meant);
    await takeCop2(context, peer, replica, cop2);
    const isServer = peer.role === 'server';
    const statuses = await told(context, replica, () => {
      return fids.map((fid) => readable(context, replica, fid, isServer));
    });
    return { statuses };
  },

  async list(context, { peer }, { volume, replica: meant, fid, full, since, cop2 }) {
    const replica = context.volumes.required(volume, meant);
    await takeCop2(context, peer, replica, cop2);
    let listing: Listing | undefined;
    const [status = null] = await told(context, replica, () => {
      listing = healing(context, replica, fid, () => replica.list(fid));
      return [listing?.status ?? readable(context, replica, fid)];
    });
    if (listing === undefined) return { status, digest: '', entries: [] };
    if (!full) return { status, digest: listing.digest, entries: [] };
    const whole = listing;
    const recent = since === undefined ? undefined : healing(context, replica, fid, () => whole.since(since));
    if (recent === undefined) return parts(context, replica, fid, listing);
    await seenFlushed(context, replica, fid, recent.entries);
    return {
      status: listing.status,
      digest: listing.digest,
      entries: [...recent.entries],
      gone: [...recent.gone],
    };
  },

  async changes(context, _session, { volume, reader, settled = unread, since, limit }) {
    const replica = context.volumes.required(volume);
    const { id, history: epochs, stamp } = replica;
    if (reader !== undefined) {
      mustBeOfGroup(replica, reader);
      context.resolver.wasRead(replica, reader, readUpTo(settled, epochs, stamp));
    }
    const from = readUpTo(since, epochs, stamp);
    const page = replica.changes(from, Math.min(limit, changesMax));
    for (const fid of page.damaged ?? []) context.resolver.restore(replica, fid);
    if (page.upTo > from) await flushed(context);
    return { replica: id, epochs, from, ...page };
  },

  async stamps(context, _session, { volume, fids }) {
    const replica = context.volumes.required(volume);
    const stamps = fids.map((fid) => unlessDamaged(context, replica, fid, () => replica.stampOf(fid)));
    return { epochs: replica.history, stamps };
  },

  async contents(context, _session, { digests }) {
    const contents: Record<string, Uint8Array> = {};
    let bytes = 0;
    for (const digest of new Set(digests)) {
      const found = await smallContents(context.world.containers, digest, limits.contentsBytes - bytes);
      if (found === undefined) continue;
      contents[digest] = found;
      bytes += found.length;
    }
    return { contents };
  },

  async digests(context, _session, { volume, prefix }) {
    return { digests: Object.fromEntries(context.volumes.required(volume).digests(prefix)) };
  },

  async conflicts(context, _session, { volume, after, limit }) {
    return context.volumes.required(volume).conflicts(after, Math.min(limit, conflictsMax));
  },

  async space(context, _session, { volume }) {
    return context.volumes.required(volume).space();
  },
};

/**
 * Resolves when all that could be read up to now is on the disk (ST-2). Whoever remembers a stamp must wait
 * for this: a crash would take an unflushed change back and give its stamp to another one.
 */
export async function flushed(context: ServerContext): Promise<void> {
  await context.world.store.transact(() => undefined);
}

/**
 * Objects as `read` finds them, once they are on the disk. Whoever is told of a change counts on it: a peer merges it
 * with this replica's count of it, a gateway builds on it; and a flush that fails takes it back.
 */
async function told<T extends VnodeStatus | null>(
  context: ServerContext,
  replica: Replica,
  read: () => readonly T[],
): Promise<T[]> {
  for (let attempt = 1; ; attempt += 1) {
    const objects = read();
    if (objects.every((object) => object === null || replica.isFlushed(object.fid))) return [...objects];
    try {
      await flushed(context);
      return [...objects];
    } catch (error) {
      // It was taken back: what is read now is what there is.
      if (!isFailure(error, 'no-space', 'damaged') || attempt >= 3) throw error;
    }
  }
}

/**
 * A replica that left reads no more, and one that this server has not heard of waits until it has: so whoever has read
 * here is known here.
 * @throws Failure stale
 */
function mustBeOfGroup({ group, volume }: Replica, reader: string): void {
  if (group.includes(reader)) return;
  throw new Failure(
    'stale',
    'vice.changes',
    `volume ${volume} has no replica ${reader} as far as is known here`,
  );
}

/** Undefined: not here, longer than `most`, or damaged (the asker then asks for it alone, and hears why). */
async function smallContents(
  containers: Containers,
  digest: string,
  most: number,
): Promise<Uint8Array | undefined> {
  try {
    const length = await containers.length(digest);
    if (length > most) return undefined;
    const chunks: Uint8Array[] = [];
    for await (const chunk of await containers.read(digest)) chunks.push(chunk);
    return Buffer.concat(chunks);
  } catch (error) {
    if (isFailure(error, 'not-found', 'damaged')) return undefined;
    throw error;
  }
}

/** A damaged object is one that this replica does not have; it is fetched again from a peer meanwhile. */
function readable(
  context: ServerContext,
  replica: Replica,
  fid: Fid,
  isRemovedToo = false,
): VnodeStatus | null {
  return unlessDamaged(context, replica, fid, () => (isRemovedToo ? replica.held(fid) : replica.status(fid)));
}

function unlessDamaged<T>(
  context: ServerContext,
  replica: Replica,
  fid: Fid,
  read: () => T | undefined,
): T | null {
  try {
    return read() ?? null;
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    context.resolver.restore(replica, fid);
    return null;
  }
}

/**
 * COP2 messages: counts them, and has replicas that missed an update pull it.
 * @throws Failure access-denied: they tell of another gateway's updates
 */
export async function takeCop2(
  context: ServerContext,
  peer: Peer,
  replica: Replica,
  updates: readonly UpdateSet[],
): Promise<void> {
  if (updates.length === 0) return;
  await context.gateways.mustBeIts(peer, updates);
  await replica.cop2(updates);
  const missing = new Set<string>();
  for (const { replicas } of updates) {
    for (const id of replica.group) if (!replicas.includes(id)) missing.add(id);
  }
  if (missing.size > 0) context.resolver.nudge(replica, [...missing]);
}

/** What cannot be read here is fetched again from a peer, whoever asks now is told of it. */
function healing<T>(context: ServerContext, replica: Replica, fid: Fid, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (isFailure(error, 'damaged')) context.resolver.restore(replica, error.fid ?? fid);
    throw error;
  }
}

async function* parts(
  context: ServerContext,
  replica: Replica,
  fid: Fid,
  listing: Listing,
): AsyncIterable<Result<'list'>> {
  const rest = listing.steps[Symbol.iterator]();
  for (let isLast = false; !isLast;) {
    const entries: Result<'list'>['entries'] = [];
    let bytes = 0;
    while (!isLast && entries.length < partEntries && bytes < page.bytes) {
      const next = healing(context, replica, fid, () => rest.next());
      isLast = next.done === true;
      if (next.done === true) break;
      if (next.value === undefined) {
        await sleep(context.world.clock, 0);
        continue;
      }
      entries.push(next.value);
      bytes += sizeOf(next.value.status);
    }
    await seenFlushed(context, replica, fid, entries);
    yield { status: listing.status, digest: listing.digest, entries };
    if (!isLast) await sleep(context.world.clock, 0);
  }
}

/** Resolves when what is about to be told of a directory is on the disk. */
async function seenFlushed(
  context: ServerContext,
  replica: Replica,
  directory: Fid,
  entries: readonly Result<'list'>['entries'][number][],
): Promise<void> {
  const isFlushed = (fid: Fid): boolean => replica.isFlushed(fid);
  if (!isFlushed(directory) || !entries.every(({ status }) => isFlushed(status.fid))) await flushed(context);
}
