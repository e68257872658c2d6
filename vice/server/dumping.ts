/**
 * Whole volumes on their way out and in: `snapshotObjects` and the contents that they have, `lackingContents`,
 * `restoreObjects`. All for operators.
 *
 * DP-1  An operator reads contents of objects in a snapshot, and no others; who reads one is in the audit log.
 * DP-2  He puts objects only into a volume that the realm document calls one that is being restored. Gateways put
 *       nothing there and nobody sees it, so nothing that anybody has made is written over.
 * DP-3  What he sends is checked as what a peer sends: contents by their digests, objects by the merge.
 */
import {
  dumpedContents,
  emptyDigest,
  Failure,
  parseFid,
  versionsOf,
  volumeEntry,
  volumeId,
  type Argument,
  type Peer,
  type Result,
  type VnodeStatus,
} from '../interface/index.js';
import { sleep } from '../seam/clock.js';
import type { Session } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { sizeOf } from '../volume/status-size.js';
import { mustTakeChanges } from '../volume/standing.js';
import { bringContents, mustBeNamed } from './brought-contents.js';
import type { Handlers, ServerContext } from './context.js';

const pageOf = { objects: 500, bytes: 1024 * 1024 } as const;

export const dumping: Handlers<'snapshotObjects' | 'lackingContents' | 'restoreObjects'> = {
  async snapshotObjects(context, session, argument) {
    const replica = context.volumes.required(argument.volume);
    const { snapshot, volume, after } = argument;
    if (after !== null) return objectsOf(context, replica, argument);
    const what = { volume, ...snapshot };
    const noted = { event: 'read-snapshot', by: session.peer.name, what } as const;
    return context.audit.act(session, noted, () => objectsOf(context, replica, argument));
  },

  async lackingContents(context, { peer }, { volume, contents }) {
    const replica = restoring(context, volume);
    const lacking = await Promise.all(
      [...new Set(contents)].map(async (digest) => {
        // First the hold, then the look: what is found is then not swept (CR-2).
        const release = replica.hold(digest);
        const isHere = digest === emptyDigest || (await context.world.containers.has(digest));
        if (isHere && context.held.take(peer.name, digest, release)) return [];
        release();
        return [digest];
      }),
    );
    return { lacking: lacking.flat() };
  },

  async restoreObjects(context, session, argument) {
    const replica = restoring(context, argument.volume);
    const named = new Set(argument.objects.flatMap(contentsOf));
    mustBeNamed(argument, named);
    const releases: (() => void)[] = [];
    try {
      const { inline, transfers } = argument;
      const bringing = { inline, transfers, named };
      const packed = await bringContents(context, session, replica, bringing, releases);
      const objects = argument.objects.map((status) => ({ ...status, vv: countsIn(replica) }));
      const { changed, skipped } = await replica.merge({ objects, withoutKnown: false, packed });
      letGo(context, session, argument, named);
      return { changed: changed.length, skipped: [...skipped] };
    } finally {
      for (const release of releases) release();
    }
  },
};

/** The digest that an operator may read at `path` (DP-1). @throws Failure access-denied, not-found, stale */
export function dumpedDigest(context: ServerContext, peer: Peer, path: string): string {
  const wanted = dumpedContents(path);
  const volume = wanted && volumeId(wanted.volume);
  const fid = wanted && parseFid(wanted.fid);
  if (wanted === undefined || volume === undefined || fid === undefined) {
    throw new Failure(
      'access-denied',
      'vice.download',
      `the role ${peer.role} reads no contents but dumped ones`,
    );
  }
  const status = context.volumes.required(volume).snapshots.status(wanted.snapshot, fid);
  if (status !== undefined && contentsOf(status).includes(wanted.digest)) return wanted.digest;
  throw new Failure('not-found', 'vice.download', 'the object has no such contents in the snapshot', { fid });
}

async function objectsOf(
  { world }: ServerContext,
  replica: Replica,
  { snapshot, after }: Argument<'snapshotObjects'>,
): Promise<Result<'snapshotObjects'>> {
  const objects: VnodeStatus[] = [];
  let bytes = 0;
  for (const status of replica.snapshots.objects(snapshot, after)) {
    if (status === undefined) {
      await sleep(world.clock, 0);
      continue;
    }
    if (objects.length >= pageOf.objects || bytes >= pageOf.bytes) {
      return { replica: replica.id, objects, more: true };
    }
    objects.push(status);
    bytes += sizeOf(status);
  }
  return { replica: replica.id, objects, more: false };
}

/** @throws Failure stale, refused (DP-2) */
function restoring(
  { location, volumes }: ServerContext,
  volume: Argument<'restoreObjects'>['volume'],
): Replica {
  const replica = volumes.required(volume);
  mustTakeChanges(replica);
  if (volumeEntry(location.current, volume)?.restoring !== undefined) return replica;
  throw new Failure(
    'refused',
    'vice.restore',
    `volume ${volume} is not being restored: nothing is put into it`,
  );
}

function contentsOf(status: VnodeStatus): readonly string[] {
  return versionsOf(status).flatMap(({ digest }) => (digest === emptyDigest ? [] : [digest]));
}

/** Counts are of the replicas of this volume: each has, or will get by resolution, just this one state. */
function countsIn({ group }: Replica): VnodeStatus['vv'] {
  return Object.fromEntries(group.map((id) => [id, 1]));
}

function letGo(
  { staging, held }: ServerContext,
  { peer }: Session,
  { transfers }: Argument<'restoreObjects'>,
  named: ReadonlySet<string>,
): void {
  // Also what a command has brought under this name that was killed before it could say what it was for.
  for (const id of [...Object.values(transfers), ...named]) staging.claimed(peer.name, id);
  for (const digest of named) held.release(peer.name, digest);
}
