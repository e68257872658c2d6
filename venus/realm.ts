/**
 * The realm as this Venus sees it: its servers and volumes, found at run time and kept (remote/realm-cache.ts).
 * Tells the volumes which of their servers come and go, and follows when the realm changes.
 */
import {
  Failure,
  isFailure,
  revocationFault,
  volumeOf,
  type Fid,
  type Groups,
  type PeopleEntry,
  type Push,
  type RealmDocument,
  type RealmKeys,
  type ShownCertificate,
  type VolumeId,
} from '../vice/interface/index.js';
import type { ObjectCache } from './cache/object-cache.js';
import type { DeletedVolumes } from './deleted-volumes.js';
import { RealmCache } from './remote/realm-cache.js';
import type { ServerLink } from './remote/server-link.js';
import { Servers, type ServersWorld } from './remote/servers.js';
import type { Identity } from './store/identity.js';
import { Mounts } from './volume/mounts.js';
import { Volume, type Member } from './volume/volume.js';

export interface RealmConfig {
  /** Of the gateway. */
  readonly name: string;
  readonly realm: RealmDocument;
  readonly realmKeys: RealmKeys;
}

export interface RealmWorld extends ServersWorld {
  readonly cache: ObjectCache;
  readonly identity: Identity;
  /** Kept as the newest document says. */
  readonly mounts: Mounts;
  readonly deleted: DeletedVolumes;
  /** A link has come up: before anything is sent on it. */
  readonly onLink: (link: ServerLink) => void;
  /** A volume is there for the first time. */
  readonly onOpen: (volume: Volume) => void;
  /** It is deleted for good, and has ended. */
  readonly onDelete: (volume: Volume) => void;
  /** The AVSG of a volume has changed. */
  readonly onChange: (volume: Volume) => void;
}

/** How long a server that refused its promise is left alone. */
const rejoinMs = 1000;

export class Realm {
  readonly servers: Servers;
  readonly #world: RealmWorld;
  readonly #document: RealmCache;
  readonly #volumes = new Map<VolumeId, Volume>();
  readonly #joining = new Set<Promise<void>>();
  /** The version that each server has said last that it has. */
  readonly #announced = new Map<string, number>();
  #unfetched = '';

  constructor({ name, realm, realmKeys }: RealmConfig, world: RealmWorld) {
    this.#world = world;
    this.#document = new RealmCache(realm, world.buffer);
    const { current, former } = this.#document;
    if (former !== undefined) world.deleted.follow(former, current, new Mounts(former));
    world.mounts.follow(current);
    const options = {
      realm: realm.realm,
      realmKeys,
      name: `${name}/${world.identity.venus}`,
      refuses: (shown: ShownCertificate) => revocationFault(this.#document.current.revoked, shown),
      onUp: (link: ServerLink) => this.#up(link),
      onDown: (link: ServerLink) => this.#forMembers(link, (volume, member) => volume.leave(member)),
      onQuality: (link: ServerLink) => this.#forMembers(link, (volume) => volume.signalWeakness()),
      onPush: (link: ServerLink, push: Push) => this.#pushed(link, push),
    };
    this.servers = new Servers(this.#document.current.servers, options, world);
    this.#openVolumes();
    world.deleted.clear(current);
  }

  get volumes(): readonly Volume[] {
    return [...this.#volumes.values()];
  }

  get groups(): Groups | undefined {
    return this.#document.current.groups;
  }

  /** Where the servers keep the people. */
  get people(): PeopleEntry | undefined {
    return this.#document.current.people;
  }

  get(id: VolumeId): Volume | undefined {
    return this.#volumes.get(id);
  }

  /** @throws Failure not-found */
  volumeOf(fid: Fid): Volume {
    const volume = this.#volumes.get(volumeOf(fid));
    if (volume !== undefined) return volume;
    throw new Failure('not-found', 'venus.volume', 'the realm has no such volume', { fid });
  }

  /** Of a name; of null all. @throws Failure not-found */
  named(name: string | null): readonly Volume[] {
    const found = this.volumes.filter((volume) => name === null || volume.name === name);
    if (found.length > 0) return found;
    const names = this.volumes.map((volume) => volume.name).join(', ');
    throw new Failure('not-found', 'venus.volume', `there is no volume ${name}; there are: ${names}`);
  }

  /** Resolves when every server has been asked once. */
  async asked(): Promise<void> {
    await Promise.all(this.servers.all.map(({ tried }) => tried));
    await Promise.all(this.#joining);
  }

  close(): void {
    for (const server of this.servers.all) server.close();
  }

  /** Opens the realm's volumes, or has those that are open follow it. */
  #openVolumes(): void {
    const server = (name: string): ServerLink | undefined => this.servers.get(name);
    for (const entry of this.#document.current.volumes) {
      const open = this.#volumes.get(entry.id);
      if (open !== undefined) {
        open.follow(entry, server);
        continue;
      }
      const volume = new Volume(entry, server, this.#world);
      this.#volumes.set(entry.id, volume);
      this.#world.onOpen(volume);
    }
  }

  /** Of the deleted ones nothing is asked any more (DV-1). One that is only not in the document stays as it is. */
  #endVolumes(): void {
    const { volumes, retiredVolumes = [] } = this.#document.current;
    for (const volume of this.volumes) {
      if (volumes.some(({ id }) => id === volume.id) || !retiredVolumes.includes(volume.id)) continue;
      this.#volumes.delete(volume.id);
      volume.end();
      this.#world.onDelete(volume);
    }
    this.#world.deleted.clear(this.#document.current);
  }

  #pushed(link: ServerLink, push: Push): void {
    if (push.push === 'realm') {
      this.#announced.set(link.name, push.version);
      void this.#relocate(link);
      return;
    }
    this.#forMembers(link, (volume, member) => {
      if (volume.id === push.volume) volume.broken(member, push);
    });
  }

  #up(link: ServerLink): void {
    this.#world.onLink(link);
    this.#forMembers(link, (volume, member) => this.#join(volume, member));
    void this.#relocate(link);
  }

  /** Takes the document of a server that has a newer one. What it says of it may come before its link is up. */
  async #relocate(link: ServerLink): Promise<void> {
    const { clock, log, mounts, deleted } = this.#world;
    const version = this.#announced.get(link.name) ?? 0;
    if (version <= this.#document.current.version || !link.reachable) return;
    try {
      const newer = await link.call('locate', {});
      const before = this.#document.current;
      if (!this.#document.adopt(newer)) return;
      deleted.follow(before, newer, mounts);
    } catch (error) {
      if (!isFailure(error)) throw error;
      // Asked for again every second: a person needs to hear it once.
      if (this.#unfetched !== error.message)
        log.warn('realm document not fetched', { server: link.name, reason: error.message });
      this.#unfetched = error.message;
      clock.after(rejoinMs, () => void this.#relocate(link));
      return;
    }
    log.info('realm changed', { version: this.#document.current.version });
    mounts.follow(this.#document.current);
    this.servers.follow(this.#document.current.servers);
    this.#openVolumes();
    this.#endVolumes();
    for (const server of this.servers.all) {
      server.judgeAgain();
      this.#forMembers(server, (volume, member) => {
        if (server.reachable && !member.watched) this.#join(volume, member);
      });
    }
  }

  #forMembers(link: ServerLink, act: (volume: Volume, member: Member) => void): void {
    for (const volume of this.#volumes.values()) {
      for (const member of volume.known) if (member.server === link) act(volume, member);
    }
  }

  /** Until its promise stands the member is no part of the AVSG; where it cannot promise, it is asked again. */
  #join(volume: Volume, member: Member): void {
    const { clock, log } = this.#world;
    const joining = volume.join(member).catch((error: unknown) => {
      if (!isFailure(error)) throw error;
      const tell = isFailure(error, 'damaged') ? log.error : log.warn;
      tell.call(log, 'join failed', {
        server: member.server.name,
        kind: error.kind,
        message: error.message,
      });
      if (isFailure(error, 'unreachable', 'damaged')) return;
      clock.after(rejoinMs, () => {
        const isStillWanted = volume.members.includes(member);
        if (isStillWanted && member.server.reachable && !member.watched) this.#join(volume, member);
      });
    });
    this.#joining.add(joining);
    void joining.finally(() => this.#joining.delete(joining));
  }
}
