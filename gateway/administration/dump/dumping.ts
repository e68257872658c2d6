/**
 * Which snapshot is dumped, and where. A volume without one gets one for the time of the dump.
 *
 * DU-1  A snapshot for the time of a dump bears a name that follows from where the dump goes and who writes it. So
 *       what a dump has left that was cut short is found when it is said again, and two at a time have one each.
 */
import { createHash } from 'node:crypto';
import {
  Failure,
  isFailure,
  membersOf,
  type SnapshotId,
  type VolumeEntry,
} from '../../../vice/interface/index.js';
import type { Administration } from '../administration.js';
import { snapshotsOf, type KnownSnapshot } from '../snapshot-making.js';
import type { CheckedDump } from './checked-dump.js';
import { stateOf } from './dump-chain.js';
import { stateOfSnapshot } from './snapshot-state.js';
import type { VolumeState } from './volume-state.js';

export interface DumpWish {
  readonly volume: VolumeEntry;
  /** Its name; undefined: as the volume is now. */
  readonly snapshot: string | undefined;
  /** What the dump is different from: a snapshot's name, or a dump. Undefined: a full dump. */
  readonly since: string | CheckedDump | undefined;
  /** Where the dump goes, whatever that is called (DU-1). */
  readonly target: string;
  /** Who writes it: a word of a-z and 0-9. */
  readonly writer: string;
  /** Whether `writer`, who has begun so many milliseconds ago, has gone without an end. */
  readonly isLeft: (writer: string, ageMs: number) => boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface DumpSource {
  readonly server: string;
  readonly state: VolumeState;
  readonly base: VolumeState | undefined;
  /** To be called in the end, whatever it was. Tells where a snapshot for the time of the dump was left. */
  readonly close: () => Promise<string | undefined>;
}

/** @throws Failure not-found (no such snapshot), refused (the base does not fit), unreachable */
export async function dumpSource(administration: Administration, wish: DumpWish): Promise<DumpSource> {
  const { volume, since } = wish;
  if (typeof since === 'object') mustBeOf(since, volume);
  const realm = administration.known;
  const { snapshots } = await snapshotsOf(administration, volume);
  const base =
    typeof since === 'string' ? named(volume, snapshots, since) : baseNeeded(volume, snapshots, since);
  const preferred = typeof since === 'object' ? since.header.state.replica : undefined;
  const chosen = wish.snapshot === undefined ? undefined : named(volume, snapshots, wish.snapshot);
  const servers = serversWith(volume, preferred, [chosen, base]);
  const taken = chosen ?? { name: temporaryName(wish), time: wish.now };
  const server = chosen === undefined ? await taker(administration, wish, servers, taken) : servers[0];
  if (server === undefined) {
    throw refused(
      'no server that answers has both snapshots: give a dump after --since, or another snapshot',
    );
  }
  const stateAt = (snapshot: SnapshotId): VolumeState =>
    stateOfSnapshot(administration, realm, { server, volume, snapshot });
  return {
    server,
    state: stateAt(taken),
    base: await baseState(since, base, stateAt),
    close: async () =>
      chosen === undefined ? dropTemporary(administration, volume, server, taken) : undefined,
  };
}

async function baseState(
  since: DumpWish['since'],
  base: SnapshotId | undefined,
  stateAt: (snapshot: SnapshotId) => VolumeState,
): Promise<VolumeState | undefined> {
  if (base !== undefined) return stateAt(base);
  return typeof since === 'object' ? stateOf(since) : undefined;
}

function mustBeOf({ name, header }: CheckedDump, volume: VolumeEntry): void {
  if (header.volume.id === volume.id) return;
  throw refused(`${name} is of volume ${header.volume.name} (${header.volume.id}), not of ${volume.name}`);
}

/** A full dump says all by itself; an incremental one does not, so that the servers must still have its snapshot. */
function baseNeeded(
  volume: VolumeEntry,
  snapshots: readonly KnownSnapshot[],
  since: CheckedDump | undefined,
): KnownSnapshot | undefined {
  if (since === undefined || since.header.base === null) return undefined;
  const { snapshot, time, replica } = since.header.state;
  const server = volume.replicas.find(({ id }) => id === replica)?.server ?? '';
  const found = snapshots.find((each) => each.name === snapshot && each.time === time);
  if (found?.servers.includes(server) === true) return { ...found, servers: [server] };
  throw refused(
    `${since.name} is incremental, and its snapshot "${snapshot}" is not at the server where it was read: ` +
      'give the full dump after --since',
  );
}

function named(volume: VolumeEntry, snapshots: readonly KnownSnapshot[], name: string): KnownSnapshot {
  const found = snapshots.findLast((snapshot) => snapshot.name === name);
  if (found !== undefined) return found;
  const names = snapshots.map((snapshot) => `"${snapshot.name}"`).join(', ');
  const there = names === '' ? 'it has none' : `it has ${names}`;
  throw new Failure('not-found', 'dump', `volume ${volume.name} has no snapshot "${name}"; ${there}`);
}

/** Members that have all of `wanted`; the one that holds the preferred replica first. */
function serversWith(
  volume: VolumeEntry,
  preferred: string | undefined,
  wanted: readonly (KnownSnapshot | undefined)[],
): readonly string[] {
  const fitting = membersOf(volume).filter(({ server }) =>
    wanted.every((snapshot) => snapshot?.servers.includes(server) ?? true),
  );
  return fitting
    .sort((a, b) => Number(b.id === preferred) - Number(a.id === preferred))
    .map(({ server }) => server);
}

/** The first server that takes the snapshot. */
async function taker(
  administration: Administration,
  { volume }: DumpWish,
  servers: readonly string[],
  snapshot: SnapshotId,
): Promise<string | undefined> {
  let refusal: Failure | undefined;
  for (const server of servers) {
    try {
      await administration.takeSnapshot(server, volume.id, snapshot);
      return server;
    } catch (error) {
      if (!isFailure(error)) throw error;
      refusal = error;
    }
  }
  if (refusal !== undefined) throw refusal;
  return undefined;
}

function temporaryName(wish: Pick<DumpWish, 'target' | 'writer'>): string {
  return `${targetName(wish)}${wish.writer}`;
}

/** As `isOfDump` knows it. */
function targetName({ target }: Pick<DumpWish, 'target'>): string {
  return `dump ${createHash('sha256').update(target).digest('hex').slice(0, 12)} `;
}

/**
 * DU-1: to be called before a dump, also before one that will be refused because the file is there.
 * @throws Failure unreachable
 */
export async function dropLeftover(
  administration: Administration,
  wish: Omit<DumpWish, 'snapshot' | 'since'>,
): Promise<void> {
  const { snapshots } = await snapshotsOf(administration, wish.volume);
  for (const { name, time, servers } of snapshots) {
    const ours = targetName(wish);
    if (!name.startsWith(ours) || !wish.isLeft(name.slice(ours.length), wish.now - time)) continue;
    for (const server of servers) await administration.dropSnapshot(server, wish.volume.id, name);
  }
}

async function dropTemporary(
  administration: Administration,
  volume: VolumeEntry,
  server: string,
  { name }: SnapshotId,
): Promise<string | undefined> {
  try {
    await administration.dropSnapshot(server, volume.id, name);
    return undefined;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return `the snapshot "${name}" is still at ${server}: delete it, or say the dump again`;
  }
}

function refused(message: string): Failure {
  return new Failure('refused', 'dump', message);
}
