/**
 * What a deleted volume leaves at this gateway. Its changes that no server took stay with a person: kept, with their
 * contents, under the names that they had; everything else of it goes.
 *
 * DV-1  From the turn in which the gateway has the realm document that deletes a volume, nothing of it is read,
 *       changed or sent.
 * DV-2  Until all is cleared away a row says so (`deleted/<volume>`), written in that turn, with what people called
 *       the volume; and whatever is found of a deleted volume later goes, too. So a crash leaves nothing for good.
 * DV-3  Nothing of the cache goes before all changes are kept: their names come from it.
 */
import { z } from 'zod';
import {
  fidsOf,
  intact,
  rootFid,
  seal,
  type Mutation,
  type RealmDocument,
  type VnodeStatus,
  type VolumeId,
} from '../vice/interface/index.js';
import type { Log } from '../vice/seam/log.js';
import type { ContainerCache } from './cache/container-cache.js';
import type { ObjectCache } from './cache/object-cache.js';
import { cachedPath, pathInVolume } from './conflict/paths.js';
import { seenVersions } from './conflict/sibling.js';
import type { ModifyLog, Remains } from './log/modify-log.js';
import type { WriteBuffer } from './store/write-buffer.js';
import type { DeletedVolume } from './venus-state.js';
import type { Mounts } from './volume/mounts.js';

export interface DeletedVolumesWorld {
  readonly buffer: WriteBuffer;
  readonly cache: ObjectCache;
  readonly modifyLog: ModifyLog;
  readonly containers: ContainerCache;
  readonly log: Log;
  readonly pause: () => Promise<void>;
}

/** `path`: where it was seen last. */
const row = z.strictObject({ name: z.string(), path: z.array(z.string()) });
type Called = z.infer<typeof row>;

/** Entries, or objects, looked at in one turn of the event loop. */
const turn = 200;
/** Rows of a volume that go with it: its epoch, mode and fault; those of its replicas have names behind it. */
const ownRows = ['p', 'm', 'f', 'mounted', 'deleted'];

export class DeletedVolumes {
  readonly #world: DeletedVolumesWorld;
  readonly #clearing = new Map<VolumeId, Promise<void>>();

  constructor(world: DeletedVolumesWorld) {
    this.#world = world;
  }

  /** `before` gives way to `after` in this turn; `mounts` are still those of `before`. */
  follow(before: RealmDocument, after: RealmDocument, mounts: Mounts): void {
    const { cache, buffer } = this.#world;
    const now = new Map(after.volumes.map((entry) => [entry.id, entry]));
    for (const { id, name, mount } of before.volumes) {
      const entry = now.get(id);
      const path = mount === undefined ? null : cachedPath(cache, mounts, rootFid(id));
      // Who deletes it unmounts it first: then its place is in no document any more.
      if (path !== null && entry?.mount === undefined) buffer.put(`mounted/${id}`, seal({ name, path }));
      if (entry !== undefined || after.retiredVolumes?.includes(id) !== true) continue;
      const called = this.#row(`mounted/${id}`)?.path ?? [name];
      buffer.put(`deleted/${id}`, seal({ name, path: called }));
    }
  }

  /** Begins to clear away what there is of the volumes that `document` says to be deleted. */
  clear({ retiredVolumes = [] }: RealmDocument): void {
    for (const id of retiredVolumes) {
      if (this.#clearing.has(id) || !this.#hasSome(id)) continue;
      const clearing = this.#clear(id).catch((error: unknown) => {
        this.#world.log.error('deleted volume not cleared away', { volume: id, message: String(error) });
      });
      this.#clearing.set(id, clearing);
      void clearing.finally(() => this.#clearing.delete(id));
    }
  }

  /** Resolves when nothing is under way. */
  async cleared(): Promise<void> {
    await Promise.all(this.#clearing.values());
  }

  /** As long as something of it is under way here. */
  nameOf(id: VolumeId): string | undefined {
    return this.#row(`deleted/${id}`)?.name;
  }

  /** Those of which changes are kept. */
  get kept(): readonly DeletedVolume[] {
    const volumes = new Map<VolumeId, DeletedVolume>();
    for (const { entry, remains } of this.#world.modifyLog.kept()) {
      if (remains === undefined) continue;
      const { keptRecords = 0 } = volumes.get(entry.volume) ?? {};
      const all = keptRecords + entry.records.length;
      volumes.set(entry.volume, { id: entry.volume, name: remains.volume, keptRecords: all });
    }
    return [...volumes.values()];
  }

  #hasSome(id: VolumeId): boolean {
    const { buffer, cache, modifyLog } = this.#world;
    if (buffer.get(`deleted/${id}`) !== undefined || cache.hasSome(id)) return true;
    if (ownRows.some((prefix) => buffer.get(`${prefix}/${id}`) !== undefined)) return true;
    return modifyLog.pending(id).records > 0;
  }

  async #clear(id: VolumeId): Promise<void> {
    const { buffer, log } = this.#world;
    const called = this.#row(`deleted/${id}`) ?? { name: id, path: [id] };
    const kept = await this.#keep(id, called);
    await buffer.flush();
    const digests = await this.#dropObjects(id);
    await this.#dropContents(digests);
    for (const { key } of [...buffer.scan(`r/${id}/`)]) buffer.remove(key);
    for (const prefix of ownRows) buffer.remove(`${prefix}/${id}`);
    await buffer.flush();
    log.info('deleted volume cleared away', { volume: called.name, kept });
  }

  /** How many changes are kept now. */
  async #keep(id: VolumeId, called: Called): Promise<number> {
    const { modifyLog, pause } = this.#world;
    const reason = `not-found: volume ${called.name} has been deleted`;
    for (const entry of modifyLog.of(id)) {
      modifyLog.keep(entry, reason);
      if (entry.sequence % turn === 0) await pause();
    }
    let count = 0;
    for (const kept of modifyLog.kept()) {
      if (kept.entry.volume !== id) continue;
      if (kept.remains === undefined) modifyLog.describe(kept, this.#remains(kept.entry.records, called));
      if ((count += 1) % turn === 0) await pause();
    }
    return count;
  }

  #remains(records: readonly Mutation[], called: Called): Remains {
    const paths: Record<string, string> = {};
    for (const fid of records.flatMap(fidsOf)) {
      const path = pathInVolume(this.#world.cache, fid);
      if (path !== null) paths[fid] = `/${[...called.path, ...path].join('/')}`;
    }
    return { volume: called.name, paths };
  }

  /** The digests of the contents that were cached. */
  async #dropObjects(id: VolumeId): Promise<Set<string>> {
    const { cache, containers, pause } = this.#world;
    const digests = new Set<string>();
    const forgets = (status: VnodeStatus): void => {
      for (const { digest } of seenVersions(status)) if (containers.has(digest)) digests.add(digest);
    };
    await cache.dropVolume(id, forgets, pause);
    return digests;
  }

  /** Contents go where no file of another volume has them, too. */
  async #dropContents(digests: Set<string>): Promise<void> {
    const { cache, containers, pause } = this.#world;
    if (digests.size === 0) return;
    let count = 0;
    for (const status of cache.statuses()) {
      for (const { digest } of seenVersions(status)) digests.delete(digest);
      if ((count += 1) % turn === 0) await pause();
    }
    for (const digest of digests) await containers.discard(digest);
  }

  #row(key: string): Called | undefined {
    return row.optional().parse(intact(this.#world.buffer.get(key)));
  }
}
