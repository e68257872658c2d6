/** People whom servers keep, in memory: none, until a test says who there is. */
import { Failure } from '../../vice/interface/index.js';
import type { People, Standing } from '../people.js';

export class MemoryPeople implements People {
  isKept = false;
  version = 0;
  /** Whether servers can be asked. */
  isReachable = true;
  /** Of all logins the time has passed. */
  isOver = false;
  /** What was asked of servers. */
  readonly asked: string[] = [];
  readonly #passwords = new Map<string, string>();
  /** Who is logged in, and with which password. */
  readonly #logins = new Map<string, string>();

  /** Null: there is no such user, or he may not log in. */
  set(user: string, password: string | null): void {
    this.isKept = true;
    this.version += 1;
    if (password === null) this.#passwords.delete(user);
    else this.#passwords.set(user, password);
  }

  login(user: string, password: string): Promise<void> {
    if (!this.isReachable) return Promise.reject(new Failure('unreachable', 'venus.login', 'nobody to ask'));
    this.asked.push(`login ${user}`);
    if (this.#passwords.get(user) !== password) {
      return Promise.reject(new Failure('not-authenticated', 'venus.login', 'user or password is wrong'));
    }
    this.#logins.set(user, password);
    this.isOver = false;
    return Promise.resolve();
  }

  renew(user: string): Promise<Standing> {
    const login = this.#logins.get(user);
    if (login === undefined || this.isOver) return Promise.resolve('over');
    if (!this.isReachable) return Promise.resolve('unasked');
    this.asked.push(`renew ${user}`);
    return Promise.resolve(this.#passwords.get(user) === login ? 'holds' : 'refused');
  }
}
