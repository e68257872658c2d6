/**
 * Which realm key each session is proved with.
 *
 * SK-1  Nobody comes in, or brings or fetches contents, who does not know one of the keys that count here.
 * SK-2  A session ends when the key that it is proved with counts no more. Who has a newer one proves the session
 *       with that before (vice/seam/proved-dial.ts), so nobody of the realm is hung up on.
 */
import { keyMark, verifyCredential, type Peer, type RealmKeys } from '../interface/index.js';
import type { Clock } from '../seam/clock.js';
import type { Session } from '../seam/network.js';

const staleKey =
  'the realm key that it has proved itself with counts here no more: give it the new realm.key';

export class SessionKeys {
  readonly #keys: RealmKeys;
  readonly #realm: string;
  readonly #clock: Clock;
  /** By the peer of a session, which is the one that `authenticate` has made for it. */
  readonly #proved = new WeakMap<Peer, Uint8Array>();

  #unwatch: (() => void) | undefined;

  constructor(keys: RealmKeys, realm: string, clock: Clock) {
    this.#keys = keys;
    this.#realm = realm;
    this.#clock = clock;
  }

  /** Of the keys that count; the first is what this server speaks with. */
  get marks(): string[] {
    return this.#keys.all().map(keyMark);
  }

  /** Whom `credential` proves. */
  authenticate(credential: string): Peer | undefined {
    for (const key of this.#keys.all()) {
      const peer = verifyCredential(key, this.#realm, credential, this.#clock.wall());
      if (peer === undefined) continue;
      this.#proved.set(peer, key);
      return peer;
    }
    return undefined;
  }

  /** Whether `credential` proves whom the session is of; from now on that is what it is proved with. */
  prove({ peer }: Session, credential: string): boolean {
    const again = this.authenticate(credential);
    if (again?.role !== peer.role || again.name !== peer.name) return false;
    const key = this.#proved.get(again);
    if (key !== undefined) this.#proved.set(peer, key);
    return true;
  }

  /** Whether it is proved with another key than the first. */
  isOlder({ peer }: Session): boolean {
    const [first] = this.#keys.all();
    return !isSame(first, this.#proved.get(peer));
  }

  /** SK-2, of the sessions that are in `sessions` when the keys change. */
  follow(sessions: ReadonlyMap<number, Session>): void {
    this.#unwatch = this.#keys.watch?.(() => this.#closeStale(sessions.values()));
  }

  close(): void {
    this.#unwatch?.();
  }

  #closeStale(sessions: Iterable<Session>): void {
    const keys = this.#keys.all();
    for (const session of sessions) {
      const proved = this.#proved.get(session.peer);
      if (!keys.some((key) => isSame(key, proved))) session.close(staleKey);
    }
  }
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
