/**
 * What becomes of the realm document when an administrator wants something (`intended`), and the steps that follow by
 * themselves (`finished`, `relieved`, `dropped`). Pure. What is so already gives back the very document, so that saying
 * it again is harmless; everything else has the next version.
 *
 *   a replica's way:   absent --(add)--> filling --(has everything)--> member
 *                      member --(remove, or another one replaces it)--> leaving --(others have everything)--> retired
 *
 * IN-1  A volume never loses its last member.
 * IN-2  The id of a replica is never given again.
 */
import {
  Failure,
  membersOf,
  publisherOf,
  revocationsMost,
  revokedBefore,
  tokenLife,
  volumeEntry,
  type Intention,
  type RealmDocument,
  type ReplicaEntry,
  type VolumeEntry,
  type VolumeId,
} from '../interface/index.js';
import { exists, next, refused, replicasMost, required, requireServer, withVolume } from './document-step.js';
import {
  mounted,
  opened,
  renamed,
  unmounted,
  withLock,
  withNewVolume,
  withoutVolume,
  withQuota,
} from './intended-volumes.js';
import { regrouped } from './groups.js';

const operation = 'vice.publish';
/**
 * Versions that a take-over leaves out: the lost publisher may have made some that nobody has heard of, and should it
 * come back after all, its document must not count as the newer one.
 */
const takeOverLeap = 1000;

/** `newId` makes the id of a new replica from its server's name. @throws Failure refused, exists, not-found */
export function intended(
  document: RealmDocument,
  intention: Intention,
  newId: (server: string) => string,
): RealmDocument {
  switch (intention.change) {
    case 'add-server':
      return withServer(document, intention.name, intention.address);
    case 'remove-server':
      return withoutServer(document, intention.name);
    case 'set-publisher':
      requireServer(document, intention.name);
      if (publisherOf(document) === intention.name) return document;
      return next(document, { publisher: intention.name });
    case 'take-over':
      requireServer(document, intention.name);
      if (publisherOf(document) === intention.name) return document;
      return { ...next(document, { publisher: intention.name }), version: document.version + takeOverLeap };
    case 'add-replica':
      return withReplica(document, intention, newId);
    case 'remove-replica':
      return withoutReplica(document, intention);
    case 'set-policy': {
      const volume = required(document, intention.volume);
      if ((volume.conflicts ?? 'keep') === intention.conflicts) return document;
      return withVolume(document, { ...volume, conflicts: intention.conflicts });
    }
    case 'create-volume':
      return withNewVolume(document, intention, newId);
    case 'open-volume':
      return opened(document, intention.volume);
    case 'rename-volume':
      return renamed(document, intention.volume, intention.name);
    case 'delete-volume':
      return withoutVolume(document, intention.volume);
    case 'mount-volume':
      return mounted(document, intention.volume, intention.directory);
    case 'unmount-volume':
      return unmounted(document, intention.volume);
    case 'set-quota':
      return withQuota(document, intention.volume, intention.bytes);
    case 'lock-volume':
      return withLock(document, intention.volume, true);
    case 'unlock-volume':
      return withLock(document, intention.volume, false);
    case 'add-members':
    case 'remove-members':
    case 'remove-group': {
      const groups = regrouped(document, intention);
      return groups === undefined ? document : next(document, { groups });
    }
    case 'set-login-time':
      return withLoginTime(document, intention.seconds);
    case 'revoke':
      return withRevocation(document, intention);
  }
}

/** The filling replica `id` has everything: it is a member. */
export function finished(document: RealmDocument, volume: VolumeId, id: string): RealmDocument {
  const entry = volumeEntry(document, volume);
  const filling = entry?.replicas.find((replica) => replica.id === id);
  if (entry === undefined || filling?.state !== 'filling') return document;
  return withVolume(document, changed(entry, withState(filling, undefined)));
}

/** The replica that member `id` replaces leaves, if it is still one of the group. */
export function relieved(document: RealmDocument, volume: VolumeId, id: string): RealmDocument {
  const entry = volumeEntry(document, volume);
  const member = entry?.replicas.find((replica) => replica.id === id);
  if (entry === undefined || member?.replaces === undefined || member.state !== undefined) return document;
  const old = entry.replicas.find((replica) => replica.id === member.replaces);
  const released = changed(entry, replacing(member, undefined));
  if (old === undefined || old.state !== undefined) return withVolume(document, released);
  return withVolume(document, changed(released, withState(old, 'leaving')));
}

/** The others have all that the leaving replica `id` has. */
export function dropped(document: RealmDocument, volume: VolumeId, id: string): RealmDocument {
  const entry = volumeEntry(document, volume);
  const leaving = entry?.replicas.find((replica) => replica.id === id);
  if (entry === undefined || leaving?.state !== 'leaving') return document;
  return withVolume(document, without(entry, leaving));
}

function withLoginTime(document: RealmDocument, seconds: number | null): RealmDocument {
  const { people } = document;
  if (people === undefined) {
    throw refused('this realm leaves users to its gateways, which ask nobody how long a login is good');
  }
  if (seconds !== null && (seconds * 1000 < tokenLife.least || seconds * 1000 > tokenLife.most)) {
    throw refused('a login is good for a minute to ninety days');
  }
  if ((people.tokenSeconds ?? null) === seconds) return document;
  const { tokenSeconds: _before, ...others } = people;
  return next(document, { people: seconds === null ? others : { ...others, tokenSeconds: seconds } });
}

function withServer(document: RealmDocument, name: string, address: string): RealmDocument {
  const known = document.servers.find((server) => server.name === name);
  if (known?.address === address) return document;
  if (known !== undefined) {
    const message = `there is a server ${name} already, at ${known.address}; remove it first, or give another name`;
    throw exists(message);
  }
  const other = document.servers.find((server) => server.address === address);
  if (other !== undefined) {
    throw exists(`${address} is the address of ${other.name}`);
  }
  return next(document, { servers: [...document.servers, { name, address }] });
}

function withoutServer(document: RealmDocument, name: string): RealmDocument {
  const servers = document.servers.filter((server) => server.name !== name);
  if (servers.length === document.servers.length) return document;
  const holding = document.volumes.filter(({ replicas }) => replicas.some(({ server }) => server === name));
  if (holding.length > 0) {
    const volumes = holding.map((volume) => volume.name).join(', ');
    throw refused(`${name} holds replicas of ${volumes}; move or remove these first`);
  }
  if (publisherOf(document) === name) {
    throw refused(`${name} publishes the realm document; let another server do that first`);
  }
  return next(document, { servers });
}

function withReplica(
  document: RealmDocument,
  { volume, server, replaces }: Extract<Intention, { change: 'add-replica' }>,
  newId: (server: string) => string,
): RealmDocument {
  const entry = required(document, volume);
  requireServer(document, server);
  const held = entry.replicas.find((replica) => replica.server === server);
  const old = entry.replicas.find((replica) => replica.server === replaces && replica !== held);
  if (held !== undefined) {
    const stays = held.state === 'leaving' || (replaces === null && isToGo(entry, held));
    // What is gone already, or goes, needs nobody in its place any more.
    const wanted = old === undefined || old.state !== undefined ? held.replaces : old.id;
    if (!stays && wanted === held.replaces) return document;
    const kept = stays ? staying(entry, held) : entry;
    const replica = withState(held, stays ? undefined : held.state);
    return withVolume(document, changed(kept, replacing(replica, wanted)));
  }
  if (replaces !== null && old === undefined) {
    throw new Failure('not-found', operation, `${replaces} holds no replica of volume ${entry.name}`);
  }
  if (entry.replicas.length >= replicasMost) throw refused(`a volume has at most ${replicasMost} replicas`);
  const used = new Set([...entry.replicas.map(({ id }) => id), ...(entry.retired ?? [])]);
  let id = newId(server);
  while (used.has(id)) id = newId(server);
  const added = replacing({ id, server, state: 'filling' }, old?.id);
  return withVolume(document, { ...entry, replicas: [...entry.replicas, added] });
}

function withoutReplica(
  document: RealmDocument,
  { volume, server, lost }: Extract<Intention, { change: 'remove-replica' }>,
): RealmDocument {
  const entry = required(document, volume);
  requireServer(document, server);
  const held = entry.replicas.find((replica) => replica.server === server);
  if (held === undefined) return document;
  if (held.state === 'filling') return withVolume(document, without(entry, held));
  const others = membersOf(entry).filter((replica) => replica !== held);
  if (others.length === 0) {
    throw refused(`${server} has the last complete replica of volume ${entry.name}; add another one first`);
  }
  if (lost) return withVolume(document, without(entry, held));
  return held.state === 'leaving'
    ? document
    : withVolume(document, changed(entry, withState(held, 'leaving')));
}

/** What counts again by an earlier moment would be no revocation: the latest holds. */
function withRevocation(
  document: RealmDocument,
  { role, name, before }: Extract<Intention, { change: 'revoke' }>,
): RealmDocument {
  const revoked = document.revoked ?? [];
  if (revokedBefore(revoked, { role, name }) >= before) return document;
  if (role === 'server' && publisherOf(document) === name) {
    // Nobody would take the next version from it.
    throw refused(`${name} publishes the realm document; let another server do that first`);
  }
  const others = revoked.filter((each) => each.role !== role || each.name !== name);
  if (others.length >= revocationsMost) {
    throw refused(`certificates of ${revocationsMost} parties are revoked: replace the authority`);
  }
  return next(document, { revoked: [...others, { role, name, before }] });
}

function isToGo({ replicas }: VolumeEntry, { id, state }: ReplicaEntry): boolean {
  return state === 'leaving' || replicas.some(({ replaces }) => replaces === id);
}

/** A replica that was to leave stays after all; nothing replaces it. */
function staying(entry: VolumeEntry, held: ReplicaEntry): VolumeEntry {
  const replicas = entry.replicas.map((replica) => {
    if (replica === held) return withState(held, undefined);
    return replica.replaces === held.id ? replacing(replica, undefined) : replica;
  });
  return { ...entry, replicas };
}

function without(entry: VolumeEntry, gone: ReplicaEntry): VolumeEntry {
  const replicas = entry.replicas
    .filter((replica) => replica !== gone)
    .map((replica) => (replica.replaces === gone.id ? replacing(replica, undefined) : replica));
  return { ...entry, replicas, retired: [...(entry.retired ?? []), gone.id] };
}

function changed(entry: VolumeEntry, replica: ReplicaEntry): VolumeEntry {
  return { ...entry, replicas: entry.replicas.map((each) => (each.id === replica.id ? replica : each)) };
}

function withState({ state: _before, ...rest }: ReplicaEntry, state: ReplicaEntry['state']): ReplicaEntry {
  return state === undefined ? rest : { ...rest, state };
}

function replacing({ replaces: _before, ...rest }: ReplicaEntry, replaces: string | undefined): ReplicaEntry {
  return replaces === undefined ? rest : { ...rest, replaces };
}
