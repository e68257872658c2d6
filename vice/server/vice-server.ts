/** A Vice server: one process of the realm that holds volume replicas. */
import {
  Failure,
  isFailure,
  publisherOf,
  revocationFault,
  type Argument,
  type Fid,
  type PeopleDocument,
  type RealmDocument,
  type RealmKeys,
  type Result,
  type ScrubReport,
  type VolumeId,
} from '../interface/index.js';
import { openLocation, type Location } from '../location/location.js';
import { announced } from '../location/people-version.js';
import { AuditLog } from '../protection/audit-log.js';
import { Denials } from '../protection/denials.js';
import { KnownGateways } from '../protection/known-gateways.js';
import { LoginAttempts } from '../protection/login-attempts.js';
import { PasswordChecks } from '../protection/password-checks.js';
import { People } from '../protection/people.js';
import { SessionKeys } from '../protection/session-keys.js';
import { SessionLogins } from '../protection/session-logins.js';
import { ask } from '../resolution/ask.js';
import { ServerLinks } from '../resolution/links.js';
import { Resolver, type CatchUpState } from '../resolution/resolver.js';
import type { ResolverWorld } from '../resolution/resolver-world.js';
import { SnapshotCopier } from '../resolution/snapshot-copying.js';
import { defaultScrub, type ScrubSettings } from '../scrub/scrub-world.js';
import { sleep } from '../seam/clock.js';
import type { Link, Listener, Session } from '../seam/network.js';
import { PackedContainers, storedRows } from '../seam/packed-containers.js';
import type { Replica } from '../volume/replica.js';
import type { SnapshotSchedule } from '../volume/snapshots-due.js';
import { covers, fenced } from './administering.js';
import { CallbackPromises } from './callback-promises.js';
import type { ServerContext, ServerWorld } from './context.js';
import { FollowingPeople } from './following-people.js';
import { HeldContents } from './held-contents.js';
import { serverMetrics, type VolumeReading } from './metrics.js';
import { pushRealm } from './realm-push.js';
import { Recipes } from './recipes.js';
import { ScheduledSnapshots } from './scheduled-snapshots.js';
import { scrubberOf } from './scrubbing.js';
import { viceService } from './service.js';
import { Staging } from './staging.js';
import { Steward, stewardTiming } from './steward.js';
import { Volumes } from './volumes.js';

export interface ServerConfig {
  /** As the realm document names it. */
  readonly name: string;
  /** The document to start from; a newer one in the store wins. */
  readonly realm: RealmDocument;
  /** The people to start from; newer ones in the store win, and other servers have them, too. */
  readonly people?: PeopleDocument | undefined;
  /** What every server and gateway of the realm knows. */
  readonly realmKeys: RealmKeys;
  /** `ws://host:port`, port 0 for any. */
  readonly listen: string;
  /** Contents of at most so many bytes go into the store; 0, the default: none. See seam/packed-containers.ts. */
  readonly packedBytes?: number;
  /** Absent: scrub-world.ts says. */
  readonly scrub?: ScrubSettings;
  /** Milliseconds for which removed objects are remembered at the least; absent: a day (graves.ts). */
  readonly graceMs?: number | undefined;
  /** Of all volumes; absent: snapshots are taken when they are asked for. */
  readonly snapshots?: SnapshotSchedule | undefined;
}

export interface ViceServer {
  /** With the real port. */
  readonly address: string;
  readonly location: Location;
  replica(volume: VolumeId): Replica | undefined;
  /** Brings `fids` (null: all) of a volume up to date from the peers that are linked. */
  resolve(volume: VolumeId, fids: readonly Fid[] | null): Promise<{ readonly pulled: number }>;
  /** Catch-ups with other servers that are under way. */
  catchUps(): readonly ({ readonly volume: VolumeId } & CatchUpState)[];
  scrub(): ScrubReport;
  /** Hangs up, finishes what is under way. The store and the containers stay open: they are the caller's. */
  close(): Promise<void>;
}

/** Serves when it resolves. @throws Failure invalid (address, realm of another data folder), damaged */
export async function startServer(config: ServerConfig, given: ServerWorld): Promise<ViceServer> {
  const { name, realmKeys, packedBytes = 0 } = config;
  const packed = packedIn(given, packedBytes);
  const world = { ...given, containers: packed };
  const location = await openLocation(world.store, config.realm);
  const people = await People.open(world.store, config.realm.realm, config.people);
  const sessions = new Map<number, Session>();
  const promises = new CallbackPromises((count) => metrics.breaksPushed(count));
  const volumes = new Volumes(name, world, (replica, change) => promises.break(replica.volume, change));
  const staging = new Staging({ ...world, hold: (digest) => holdEverywhere(volumes, digest) });
  const metrics = serverMetrics({
    sessions: () => countRoles(sessions),
    stagedBytes: () => staging.bytes,
    scrub: () => scrubber.report(),
    volumes: () => Promise.all(volumes.all().map((replica) => readVolume(replica, resolver))),
  });
  const links = new ServerLinks(name, realmKeys, world, {
    up(server, link) {
      resolver.linkUp(server);
      steward.look();
      following.look();
      void adoptFrom(location, link, world);
    },
    realmVersion(link, version) {
      if (version > location.current.version) void adoptFrom(location, link, world);
    },
  });
  const following = new FollowingPeople({ ...world, location, people, links });
  const { resolver, copier }: Resolving = resolving(
    { ...world, links, meter: metrics, graceMs: config.graceMs },
    location,
    volumes,
  );
  const parts = { world, location, volumes, links, resolver, copier, foreground: { calls: 0 } };
  const scrubber = scrubberOf(parts, config.scrub ?? defaultScrub);
  const steward = stewardOf(name, location, world, () => context);
  const context: ServerContext = {
    name,
    world,
    location,
    ...protecting(realmKeys, people, location, world),
    following,
    volumes,
    promises,
    staging,
    held: new HeldContents(world.clock),
    recipes: new Recipes(world.containers),
    links,
    resolver,
    copier,
    metrics,
    steward,
    scrubber,
    foreground: parts.foreground,
    sessions,
    packed,
  };
  await volumes.follow(location.current);
  followRealm(context);
  await announce(context);
  const listener = await world.network.listen(config.listen, viceService(context, sessions));
  links.follow(location.current);
  resolver.start();
  copier.start();
  scrubber.start();
  steward.look();
  world.log.info('serving', { address: listener.address, volumes: volumes.all().length });
  return running(context, listener, ScheduledSnapshots.started(config.snapshots, context));
}

type Resolving = Pick<ServerContext, 'resolver' | 'copier'>;

function resolving(
  world: Omit<ResolverWorld, 'realm' | 'replica' | 'replicas'>,
  location: Location,
  volumes: Volumes,
): Resolving {
  const whole = {
    ...world,
    realm: () => location.current,
    replica: (volume: VolumeId) => volumes.get(volume),
    replicas: () => volumes.all(),
  };
  const copier = new SnapshotCopier(whole, (replica) => volumes.sweepSnapshots(replica));
  return { resolver: new Resolver(whole), copier };
}

function protecting(
  realmKeys: RealmKeys,
  people: People,
  location: Location,
  { clock, log, passwords, store }: ServerWorld,
): Pick<
  ServerContext,
  'keys' | 'people' | 'gateways' | 'audit' | 'denials' | 'logins' | 'passwords' | 'attempts'
> {
  const gateways = new KnownGateways(store);
  const audit = new AuditLog({ clock, log, store });
  const denials = new Denials(audit, clock);
  const logins = new SessionLogins({ clock, location, people });
  const attempts = new LoginAttempts(clock);
  const keys = new SessionKeys(realmKeys, location.current.realm, clock);
  return {
    keys,
    people,
    gateways,
    audit,
    denials,
    logins,
    passwords: new PasswordChecks(passwords),
    attempts,
  };
}

function running(
  {
    keys,
    location,
    volumes,
    resolver,
    copier,
    steward,
    scrubber,
    following,
    links,
    staging,
    held,
  }: ServerContext,
  listener: Listener,
  scheduled: ScheduledSnapshots | undefined,
): ViceServer {
  return {
    address: listener.address,
    location,
    replica: (volume) => volumes.get(volume),
    scrub: () => scrubber.report(),
    catchUps: () => volumes.all().flatMap(({ volume }) => catchUpsOf(resolver, volume)),
    resolve: (volume, fids) => resolver.resolve(volumes.required(volume), fids),
    async close() {
      keys.close();
      const ended = [resolver, copier, steward, scrubber, following, scheduled].map((each) => each?.close());
      await links.close();
      await listener.close();
      await Promise.all([...ended, volumes.close()]);
      for (const kept of [staging, held]) kept.close();
    },
  };
}

/** A change of the people that a crash has left untold. */
async function announce({ name, location, people }: ServerContext): Promise<void> {
  if (publisherOf(location.current) !== name) return;
  await location.publish((current) => announced(current, people.version));
}

/** What this server does on every new version of the realm document, and when realm keys change. */
function followRealm(context: ServerContext): void {
  const { keys, location, volumes, links, resolver, sessions, steward, following, world } = context;
  keys.follow(sessions);
  location.onAdoption(async (realm) => {
    world.log.info('realm document adopted', { version: realm.version });
    await volumes.follow(realm);
    links.follow(realm);
    for (const server of links.all().keys()) resolver.linkUp(server);
    for (const session of sessions.values()) {
      const fault = session.shown && revocationFault(realm.revoked, session.shown);
      if (fault === undefined) pushRealm(session, realm);
      else session.close(fault);
    }
    steward.look();
    following.look();
  });
}

/** Small contents in the store, all others where they were. */
function packedIn({ store, containers, clock }: ServerWorld, packedBytes: number): PackedContainers {
  const pause = (): Promise<void> => sleep(clock, 0);
  return new PackedContainers({ rows: storedRows(store), containers, packedBytes, pause });
}

function catchUpsOf(resolver: Resolver, volume: VolumeId): ReturnType<ViceServer['catchUps']> {
  return resolver.report(volume).catchUps.map((catchUp) => ({ volume, ...catchUp }));
}

/**
 * Fetches the realm document of a peer and takes it if it is newer. A peer of another realm is left alone.
 */
async function adoptFrom(location: Location, link: Link, world: ServerWorld): Promise<void> {
  try {
    await location.adopt(await ask(link, 'locate', {}));
  } catch (error) {
    if (!isFailure(error)) throw error;
    world.log.warn('realm document not fetched', { server: link.hello.server, reason: error.message });
  }
}

/** It asks this server as it asks others. */
function stewardOf(
  name: string,
  location: Location,
  { clock, log }: ServerWorld,
  context: () => ServerContext,
): Steward {
  return new Steward(name, {
    clock,
    log,
    location,
    covers: (server, ...asked) =>
      server === name ? covers(context(), asked[0]) : askServer(context(), server, 'covers', ...asked),
    fenced: (server, ...asked) =>
      server === name ? fenced(context(), asked[0]) : askServer(context(), server, 'fenced', ...asked),
  });
}

/** @throws Failure unreachable, what the server answers */
async function askServer<C extends 'covers' | 'fenced'>(
  { links }: ServerContext,
  server: string,
  name: C,
  argument: Argument<C>,
  signal: AbortSignal,
): Promise<Result<C>> {
  const link = links.linked(server);
  if (link === undefined)
    throw new Failure('unreachable', `vice.${name}`, `server ${server} does not answer`);
  return ask(link, name, argument, signal, stewardTiming.answerMs);
}

/** Contents that are not claimed yet belong to no volume: every replica keeps them from its sweep. */
function holdEverywhere(volumes: Volumes, digest: string): () => void {
  const releases = volumes.all().map((replica) => replica.hold(digest));
  return () => {
    for (const release of releases) release();
  };
}

function countRoles(sessions: ReadonlyMap<number, Session>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { peer } of sessions.values()) counts.set(peer.role, (counts.get(peer.role) ?? 0) + 1);
  return counts;
}

async function readVolume(replica: Replica, resolver: Resolver): Promise<VolumeReading> {
  const { used } = await replica.space();
  const { unsettled, catchUps } = resolver.report(replica.volume);
  const behind = catchUps.reduce((sum, { all, done }) => sum + Math.max(0, all - done), 0);
  const figures = { conflicts: replica.conflictCount(), unsettled: unsettled.length, behind };
  const { volume, stamp, standing, bounds, snapshots } = replica;
  const administered = {
    quotaBytes: bounds.quotaBytes ?? null,
    isLocked: bounds.locked === true,
    // One that has just gone has none.
    snapshots: standing === 'dropped' ? 0 : snapshots.list().length,
    comingSnapshots: standing === 'dropped' ? 0 : snapshots.copies.underWay().length,
  };
  return { volume, stamp, standing, usedBytes: used, ...figures, ...administered };
}
