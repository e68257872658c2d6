/**
 * Who is logged in at this gateway, where the realm's servers keep the people: their tokens, kept over restarts (rows
 * `login/<user>`), shown to each server before anything else is sent to it, renewed while their users work.
 *
 * LG-1  A token is shown on a link before changes of its user are: frames of a link arrive in order (NW-1).
 * LG-2  Changes of a user whose login is over are not sent. They wait in the log, and go as soon as he has logged in.
 */
import { z } from 'zod';
import {
  Failure,
  intact,
  isFailure,
  seal,
  type PeopleEntry,
  type Result,
} from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { People, Standing } from '../people.js';
import type { ServerLink } from '../remote/server-link.js';
import type { WriteBuffer } from '../store/write-buffer.js';

const askMs = 5000;
/** A hash takes its time, and others wait for theirs before it; a server that is gone is noticed by its silence. */
const loginMs = 30_000;
/** A server that has not heard of the people yet is shown the tokens again. */
const againMs = 1000;
const tokensAtOnce = 1000;
const prefix = 'login/';

/** `expires` in milliseconds since 1970; `refused`: a server has said that it counts no more. */
const row = z.strictObject({
  user: z.string(),
  token: z.string(),
  expires: z.number(),
  refused: z.boolean(),
});
type Login = z.infer<typeof row>;

export interface LoginsWorld {
  readonly buffer: WriteBuffer;
  readonly clock: Clock;
  readonly log: Log;
  readonly servers: () => readonly ServerLink[];
  /** As the realm document has it now. */
  readonly people: () => PeopleEntry | undefined;
  /** Changes of somebody may be taken now that were not before. */
  readonly onLogin: () => void;
}

export class Logins implements People {
  readonly #world: LoginsWorld;
  readonly #logins = new Map<string, Login>();
  /** Whether the gateway has had users of its own in the life of this process: who was let in then is at work. */
  #hasHadUsers = false;

  constructor(world: LoginsWorld) {
    this.#world = world;
    for (const { key, value } of [...world.buffer.scan(prefix)]) {
      const login = row.optional().parse(intact(value));
      if (login !== undefined) this.#logins.set(login.user, login);
      else world.buffer.remove(key);
    }
  }

  get isKept(): boolean {
    return this.#world.people() !== undefined;
  }

  get version(): number {
    return this.#world.people()?.version ?? 0;
  }

  /** Whether servers take changes of `user` from here now. */
  isLoggedIn(user: string): boolean {
    return !this.isKept || (this.#logins.get(user)?.expires ?? 0) > this.#world.clock.wall();
  }

  /**
   * Whether he has ever logged in here: in the name of anybody else nothing is changed. While the servers begin to keep
   * the people, who was let in before finishes what he is at; it waits until he logs in.
   */
  isKnown(user: string): boolean {
    if (!this.isKept) this.#hasHadUsers = true;
    return this.#hasHadUsers || this.#logins.has(user);
  }

  async login(user: string, password: string): Promise<void> {
    const seen = this.version;
    const reply = await this.#ask((server) =>
      server.call('login', { user, password, seen }, { timeoutMs: loginMs }),
    );
    if (reply === undefined) {
      throw new Failure('unreachable', 'venus.login', 'no server can be asked who knows the users');
    }
    await this.#take(user, reply);
  }

  async renew(user: string): Promise<Standing> {
    const login = this.#logins.get(user);
    if (login?.refused === true) return 'refused';
    if (login === undefined || !this.isLoggedIn(user)) return 'over';
    const { token } = login;
    const seen = this.version;
    try {
      const reply = await this.#ask((server) => server.call('renew', { token, seen }, { timeoutMs: askMs }));
      if (reply === undefined) return 'unasked';
      if (reply.token !== token) await this.#take(user, reply);
      return 'holds';
    } catch (error) {
      if (!isFailure(error, 'logged-out')) throw error;
      this.#world.log.warn('login is over', { user, reason: error.message });
      // Another login may have come meanwhile.
      if (this.#logins.get(user)?.token === token) this.#put({ ...login, expires: 0, refused: true });
      return 'refused';
    }
  }

  /** Servers did not take a change of `user`: looks whether his login still counts. */
  doubt(user: string): void {
    this.renew(user).catch((error: unknown) => {
      if (!isFailure(error)) throw error;
      this.#world.log.debug('login not looked at', { user, reason: error.message });
    });
  }

  /** Shows the tokens of all who are logged in (LG-1). */
  present(server: ServerLink): void {
    if (!this.isKept) {
      this.#hasHadUsers = true;
      return;
    }
    const users = [...this.#logins.keys()].filter((user) => this.isLoggedIn(user));
    for (let at = 0; at < users.length; at += tokensAtOnce) {
      void this.#show(server, users.slice(at, at + tokensAtOnce));
    }
  }

  async #show(server: ServerLink, users: readonly string[]): Promise<void> {
    const { clock, log, onLogin } = this.#world;
    const tokens = users.flatMap((user) => this.#logins.get(user)?.token ?? []);
    try {
      await server.call('authorize', { tokens }, { timeoutMs: askMs });
    } catch (error) {
      if (!isFailure(error)) throw error;
      log.debug('logins not shown', { server: server.name, reason: error.message });
      if (isFailure(error, 'unreachable', 'cancelled')) return;
      clock.after(againMs, () => {
        if (!server.reachable) return;
        void this.#show(server, users);
        onLogin();
      });
    }
  }

  /** The answer of the first server that has one; undefined: there is none. @throws Failure: its answer is a refusal */
  async #ask(call: (server: ServerLink) => Promise<Result<'login'>>): Promise<Result<'login'> | undefined> {
    for (const server of this.#world.servers()) {
      if (!server.reachable) continue;
      try {
        return await call(server);
      } catch (error) {
        // It is gone, or does not know the newest people (or, just started, that there are any).
        if (!isFailure(error, 'unreachable', 'timeout', 'stale', 'refused', 'incompatible')) throw error;
      }
    }
    return undefined;
  }

  async #take(user: string, { token, expires }: Result<'login'>): Promise<void> {
    this.#put({ user, token, expires, refused: false });
    for (const server of this.#world.servers()) if (server.reachable) void this.#show(server, [user]);
    this.#world.onLogin();
    // On a full disk he works all the same: after a restart his password is asked for again.
    await this.#world.buffer.flush().catch((error: unknown) => {
      if (!isFailure(error)) throw error;
    });
  }

  #put(login: Login): void {
    this.#logins.set(login.user, login);
    this.#world.buffer.put(`${prefix}${login.user}`, seal(login));
  }
}
