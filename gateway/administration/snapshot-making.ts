/**
 * Snapshots of a volume at all servers that hold it, under one name and one time. Each server takes and keeps its own;
 * one that was away, or came to the group later, gets it by and by (vice/resolution/snapshot-copying.ts).
 *
 * SM-1  A snapshot that another command began under this name, and did not bring to all, is brought to the rest with
 *       its time, but only while that is no lie.
 */
import {
  Failure,
  isFailure,
  membersOf,
  snapshotsHeld,
  type ReplicaEntry,
  type SnapshotId,
  type VolumeEntry,
} from '../../vice/interface/index.js';
import type { Administration } from './administration.js';

/** A command that was killed is repeated soon; later the rest would be of another day under the same name. */
const sameMomentMs = 60_000;

export interface ServerAnswer {
  readonly server: string;
  readonly reason: string;
}

export interface KnownSnapshot extends SnapshotId {
  /** Who has it. */
  readonly servers: readonly string[];
  /** Who was asked and does not have it. */
  readonly lacking: readonly string[];
}

export interface KnownSnapshots {
  /** Oldest first. */
  readonly snapshots: readonly KnownSnapshot[];
  /** Who did not answer. */
  readonly silent: readonly ServerAnswer[];
}

export interface Done {
  /** Where it is done. */
  readonly servers: readonly string[];
  /** Where it is not, and why. */
  readonly missing: readonly ServerAnswer[];
  /** Whether anything was to be done anywhere. */
  readonly changed: boolean;
}

/** @throws Failure unreachable: no server of the volume answers */
export async function snapshotsOf(
  administration: Administration,
  volume: VolumeEntry,
): Promise<KnownSnapshots> {
  const { done, failed } = await atServers(holdersOf(volume), (server) =>
    administration.snapshots(server, volume.id),
  );
  if (done.length === 0) throw silence(volume, failed);
  const asked = done.map(({ server }) => server);
  const held = snapshotsHeld(done.map(({ server, reply }) => [server, reply.snapshots] as const));
  const snapshots = held.map(({ name, time, holders }) => {
    return { name, time, servers: holders, lacking: asked.filter((server) => !holders.includes(server)) };
  });
  return { snapshots, silent: failed.map(answerOf) };
}

/** @throws Failure exists (an older one of this name), refused, unreachable: it is at no server */
export async function takeSnapshot(
  administration: Administration,
  volume: VolumeEntry,
  { name, time: now }: SnapshotId,
): Promise<SnapshotId & Done> {
  const { snapshots } = await snapshotsOf(administration, volume);
  const same = snapshots.findLast((snapshot) => snapshot.name === name);
  if (same !== undefined && now - same.time > sameMomentMs) throw exists(name, same);
  const snapshot = { name, time: same?.time ?? now };
  const { done, failed } = await atServers(membersOf(volume), (server) =>
    administration.takeSnapshot(server, volume.id, snapshot),
  );
  const [first] = failed;
  if (done.length === 0) throw first?.failure ?? silence(volume, failed);
  return { ...snapshot, ...outcome(done, failed, ({ taken }) => taken) };
}

/** @throws Failure not-found (at none of those that answer), unreachable (none answers) */
export async function dropSnapshot(
  administration: Administration,
  volume: VolumeEntry,
  name: string,
): Promise<Done> {
  const { done, failed } = await atServers(holdersOf(volume), (server) =>
    administration.dropSnapshot(server, volume.id, name),
  );
  if (done.length === 0) throw silence(volume, failed);
  return outcome(done, failed, ({ dropped }) => dropped);
}

interface Failed {
  readonly server: string;
  readonly failure: Failure;
}

/** Members, and those that leave: they stay until others have what they have. */
function holdersOf({ replicas }: VolumeEntry): readonly ReplicaEntry[] {
  return replicas.filter(({ state }) => state !== 'filling');
}

async function atServers<R>(
  replicas: readonly ReplicaEntry[],
  ask: (server: string) => Promise<R>,
): Promise<{ readonly done: { server: string; reply: R }[]; readonly failed: Failed[] }> {
  const done: { server: string; reply: R }[] = [];
  const failed: Failed[] = [];
  await Promise.all(
    replicas.map(async ({ server }) => {
      try {
        done.push({ server, reply: await ask(server) });
      } catch (failure) {
        if (!isFailure(failure)) throw failure;
        failed.push({ server, failure });
      }
    }),
  );
  const byName = (a: { readonly server: string }, b: { readonly server: string }): number =>
    a.server < b.server ? -1 : 1;
  return { done: done.sort(byName), failed: failed.sort(byName) };
}

function outcome<R>(
  done: readonly { server: string; reply: R }[],
  failed: readonly Failed[],
  isNew: (reply: R) => boolean,
): Done {
  const changed = done.some(({ reply }) => isNew(reply));
  return { servers: done.map(({ server }) => server), missing: failed.map(answerOf), changed };
}

function answerOf({ server, failure }: Failed): ServerAnswer {
  return { server, reason: failure.message };
}

function silence({ name }: VolumeEntry, failed: readonly Failed[]): Failure {
  const reasons = failed.map(({ server, failure }) => `${server}: ${failure.message}`).join('; ');
  return new Failure(
    'unreachable',
    'administration.snapshots',
    `no server of volume ${name} does it: ${reasons}`,
  );
}

function exists(name: string, { time }: SnapshotId): Failure {
  const message = `there is a snapshot "${name}" of ${new Date(time).toISOString()}: choose another name, or delete it`;
  return new Failure('exists', 'administration.snapshots', message);
}
