/**
 * Callback promises: a session that watches a volume hears of every change to it by anybody else, until it
 * closes. The promise is on the volume; a break names the objects.
 *
 * CB-1  A break is pushed before the change that it tells of is answered (invariant I19; Coda: vicecb.cc).
 * CB-2  A promise is made before the caller is told where it stands: no change falls between.
 */
import type { Push, VolumeId } from '../interface/index.js';
import type { Session } from '../seam/network.js';
import type { Change } from '../volume/replica.js';

/** Fids in one push; a larger change is told in several. */
const pushedFids = 10_000;

export class CallbackPromises {
  readonly #watchers = new Map<VolumeId, Map<number, Session>>();
  readonly #pushed: (count: number) => void;

  /** `pushed` counts the breaks that go out. */
  constructor(pushed: (count: number) => void) {
    this.#pushed = pushed;
  }

  promise(session: Session, volume: VolumeId): void {
    const watchers = this.#watchers.get(volume);
    if (watchers === undefined) this.#watchers.set(volume, new Map([[session.id, session]]));
    else watchers.set(session.id, session);
  }

  /** Breaks the promises of all but the session that made the change. */
  break(volume: VolumeId, change: Change): void {
    const watchers = this.#watchers.get(volume);
    if (watchers === undefined) return;
    for (const session of watchers.values()) {
      if (session.id === change.speaker?.session) continue;
      for (let from = 0; from < change.fids.length; from += pushedFids) {
        const fids = change.fids.slice(from, from + pushedFids);
        session.push({ push: 'break', volume, stamp: change.stamp, fids } satisfies Push);
        this.#pushed(1);
      }
    }
  }

  /** The session has closed: all that it was promised has ended. */
  end(session: Session): void {
    for (const [volume, watchers] of this.#watchers) {
      watchers.delete(session.id);
      if (watchers.size === 0) this.#watchers.delete(volume);
    }
  }

  watchers(volume: VolumeId): number {
    return this.#watchers.get(volume)?.size ?? 0;
  }
}
