/** Calls that read: `status`, `list`, `changes`, `contents`, `digests`, `conflicts`, `space`. */
import {
  isFailure,
  limits,
  type Fid,
  type Result,
  type UpdateSet,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Listing, Replica } from '../volume/replica.js';
import type { Handlers, ServerContext } from './context.js';

/** Entries in one part of a listing; making a part takes some milliseconds of the event loop. */
const partEntries = 500;
const changesMax = 1_000;
const conflictsMax = 200;

export const reading: Handlers<
  'status' | 'list' | 'changes' | 'contents' | 'digests' | 'conflicts' | 'space'
> = {
  async status(context, { peer }, { volume, fids, cop2 }) {
    const replica = context.volumes.required(volume);
    await takeCop2(context, replica, cop2);
    const isServer = peer.role === 'server';
    return { statuses: fids.map((fid) => readable(context, replica, fid, isServer)) };
  },

  async list(context, _session, { volume, fid, full, cop2 }) {
    const replica = context.volumes.required(volume);
    await takeCop2(context, replica, cop2);
    const listing = replica.list(fid);
    if (listing === undefined) return { status: readable(context, replica, fid), digest: '', entries: [] };
    if (!full) return { status: listing.status, digest: listing.digest, entries: [] };
    return parts(listing, context.world.clock);
  },

  async changes(context, { peer }, { volume, since, incarnation, limit }) {
    const replica = context.volumes.required(volume);
    if (incarnation === replica.incarnation) context.resolver.wasRead(replica, peer.name, since);
    const page = replica.changes(since, Math.min(limit, changesMax));
    if (page.upTo > since) await flushed(context);
    return { replica: replica.id, incarnation: replica.incarnation, ...page };
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
  try {
    return (isRemovedToo ? replica.held(fid) : replica.status(fid)) ?? null;
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    context.resolver.restore(replica, fid);
    return null;
  }
}

/** COP2 messages: counts them, and has replicas that missed an update pull it. */
export async function takeCop2(
  context: ServerContext,
  replica: Replica,
  updates: readonly UpdateSet[],
): Promise<void> {
  if (updates.length === 0) return;
  await replica.cop2(updates);
  const missing = new Set<string>();
  for (const { replicas } of updates) {
    for (const id of replica.group) if (!replicas.includes(id)) missing.add(id);
  }
  if (missing.size > 0) context.resolver.nudge(replica, [...missing]);
}

async function* parts(listing: Listing, clock: Clock): AsyncIterable<Result<'list'>> {
  const { status, digest } = listing;
  let entries: { readonly name: string; readonly status: typeof status }[] = [];
  for (const entry of listing.entries) {
    entries.push(entry);
    if (entries.length < partEntries) continue;
    yield { status, digest, entries };
    entries = [];
    await sleep(clock, 0);
  }
  yield { status, digest, entries };
}
