/** Says once, in the log, that a conflict has become known at this gateway, and that it is gone. */
import type { ConflictKind, Fid } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';

export interface AnnouncerWorld {
  readonly log: Log;
  readonly kindsOf: (fid: Fid) => readonly ConflictKind[];
  readonly pathOf: (fid: Fid) => readonly string[] | null;
}

export class Announcer {
  readonly #world: AnnouncerWorld;
  /** What has changed in this turn -> the conflicts that it had before. */
  readonly #changed = new Map<Fid, readonly ConflictKind[]>();
  /** Where conflicts are that were announced: what is removed has no path any more. */
  readonly #paths = new Map<Fid, string>();

  constructor(world: AnnouncerWorld) {
    this.#world = world;
  }

  /** The conflicts of an object have changed. Told when all that belongs to the change is in the cache. */
  changed(fid: Fid, before: readonly ConflictKind[]): void {
    if (this.#changed.has(fid)) return;
    if (this.#changed.size === 0) void Promise.resolve().then(() => this.#tell());
    this.#changed.set(fid, before);
  }

  #tell(): void {
    const { log, kindsOf, pathOf } = this.#world;
    for (const [fid, before] of this.#changed) {
      const now = kindsOf(fid);
      const found = pathOf(fid);
      const path = found === null ? this.#paths.get(fid) : `/${found.join('/')}`;
      for (const kind of now) if (!before.includes(kind)) log.warn('conflict', { fid, kind, path });
      for (const kind of before) if (!now.includes(kind)) log.info('conflict gone', { fid, kind, path });
      if (now.length === 0) this.#paths.delete(fid);
      else if (path !== undefined) this.#paths.set(fid, path);
    }
    this.#changed.clear();
  }
}
