/**
 * Calls that were refused for want of the role, in the audit log: who tries what is not his is somebody to look at. Of
 * one party each kind of call once in `againMs`, and at most `most` of all in that time: so nobody pushes out what the
 * log has of others.
 */
import { isFailure } from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Session } from '../seam/network.js';
import { throughOf, type AuditLog } from './audit-log.js';

export const denialBounds = { againMs: 60_000, most: 100 } as const;

export class Denials {
  readonly #audit: AuditLog;
  readonly #clock: Clock;
  readonly #told = new Map<string, number>();

  constructor(audit: AuditLog, clock: Clock) {
    this.#audit = audit;
    this.#clock = clock;
  }

  /** `check`, of which there is an entry when it refuses. `by`: in whose name, if not in that of the session. */
  watched(session: Session, call: string, check: () => void, by?: string | null): void {
    try {
      check();
    } catch (error) {
      if (isFailure(error, 'access-denied'))
        this.#note(session, call, by ?? session.peer.name, error.message);
      throw error;
    }
  }

  #note(session: Session, call: string, by: string, reason: string): void {
    const through = throughOf(session);
    const now = this.#clock.monotonic();
    for (const [key, since] of this.#told) if (now - since >= denialBounds.againMs) this.#told.delete(key);
    const key = `${through} ${call}`;
    if (this.#told.has(key) || this.#told.size >= denialBounds.most) return;
    this.#told.set(key, now);
    this.#audit.mention({ event: 'refused', by, through, what: { call, kind: 'access-denied', reason } });
  }
}
