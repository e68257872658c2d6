/** Calls about snapshots of volumes: `takeSnapshot`, `dropSnapshot`, `snapshots`, `snapshotStatus`, `snapshotList`. */
import type { Argument, Result, SnapshotId } from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import { page } from '../volume/pages.js';
import type { Replica } from '../volume/replica.js';
import { sizeOf } from '../volume/status-size.js';
import type { Handlers, ServerContext } from './context.js';
import { flushed } from './reading.js';

/** Entries in one part of a listing, as in a listing of today. */
const partEntries = 150;
/** How long a replica asks its peers for what it lacks before it takes a snapshot of what it has. */
const newsMs = 2000;

export const snapshotting: Handlers<
  | 'takeSnapshot'
  | 'dropSnapshot'
  | 'snapshots'
  | 'snapshotNews'
  | 'snapshotRows'
  | 'snapshotStatus'
  | 'snapshotList'
> = {
  async takeSnapshot(context, session, { volume, snapshot }) {
    const by = session.peer.name;
    const replica = context.volumes.required(volume);
    await broughtUpToDate(context, replica);
    const noted = { event: 'take-snapshot', by, what: { volume, ...snapshot } } as const;
    const taken = await context.audit.act(session, noted, () => replica.snapshots.take(snapshot));
    if (taken) context.world.log.info('snapshot taken', { volume, ...snapshot, by });
    return { taken };
  },

  async dropSnapshot(context, session, { volume, name }) {
    const by = session.peer.name;
    const replica = context.volumes.required(volume);
    const noted = { event: 'drop-snapshot', by, what: { volume, name } } as const;
    const dropped = await context.audit.act(session, noted, () => replica.snapshots.drop(name));
    if (dropped) context.world.log.info('snapshot deleted', { volume, name, by });
    context.volumes.sweepSnapshots(replica);
    return { dropped };
  },

  async snapshots(context, _session, { volume }) {
    const snapshots = context.volumes.required(volume).snapshots.list();
    // One that is being taken is told of once it is there for good.
    await flushed(context);
    return { snapshots: snapshots.map(idOf) };
  },

  async snapshotNews(context, _session, { volume }) {
    const { id, snapshots } = context.volumes.required(volume);
    const news = {
      replica: id,
      snapshots: snapshots.list().map(idOf),
      coming: snapshots.copies.underWay().map(idOf),
      dropped: snapshots.copies.dropped().map(idOf),
    };
    // What others copy, or delete because of it, is here for good.
    await flushed(context);
    return news;
  },

  async snapshotRows(context, _session, { volume, replica: meant, snapshot, after }) {
    const { objects, entries, upTo, more } = context.volumes
      .required(volume, meant)
      .snapshots.copies.page(snapshot, after);
    return { objects: [...objects], entries: [...entries], upTo, more };
  },

  async snapshotStatus(context, _session, { volume, replica: meant, snapshot, fid }) {
    const { snapshots } = context.volumes.required(volume, meant);
    return { status: snapshots.status(snapshot, fid) ?? null };
  },

  async snapshotList(context, _session, argument) {
    const replica = context.volumes.required(argument.volume, argument.replica);
    return parts(context, replica, argument);
  },
};

function idOf({ name, time }: SnapshotId): SnapshotId {
  return { name, time };
}

/** So far as that does not take long. */
export async function broughtUpToDate(
  { resolver, world }: Pick<ServerContext, 'resolver' | 'world'>,
  replica: Replica,
): Promise<void> {
  const enough = new AbortController();
  const waited = sleep(world.clock, newsMs, enough.signal).catch(() => undefined);
  const resolved = resolver.resolve(replica, null).catch((error: unknown) => {
    world.log.warn('snapshot without the news of all peers', {
      volume: replica.volume,
      reason: String(error),
    });
  });
  try {
    await Promise.race([resolved, waited]);
  } finally {
    enough.abort(new Error('enough'));
  }
}

async function* parts(
  { world }: ServerContext,
  { snapshots }: Replica,
  { snapshot, fid }: Argument<'snapshotList'>,
): AsyncIterable<Result<'snapshotList'>> {
  const rest = snapshots.entries(snapshot, fid)[Symbol.iterator]();
  for (let isLast = false; !isLast;) {
    const entries: Result<'snapshotList'>['entries'] = [];
    let bytes = 0;
    while (entries.length < partEntries && bytes < page.bytes) {
      const next = rest.next();
      isLast = next.done === true;
      if (next.done === true) break;
      if (next.value === undefined) {
        await sleep(world.clock, 0);
        continue;
      }
      entries.push(next.value);
      bytes += sizeOf(next.value.status);
    }
    yield { entries };
    if (!isLast) await sleep(world.clock, 0);
  }
}
