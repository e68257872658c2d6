/** Who is logged in on which session: a gateway acts for these alone, where the servers keep the people. */
import { faultOf, lifetimeOf, readToken, type TokenFault, type UserToken } from '../interface/index.js';
import type { Location } from '../location/location.js';
import type { Clock } from '../seam/clock.js';
import type { Session } from '../seam/network.js';
import type { People } from './people.js';

/** Beyond it the one that came first is forgotten: its gateway shows it again. */
const usersMost = 10_000;

export interface SessionLoginsWorld {
  readonly clock: Clock;
  readonly location: Location;
  readonly people: People;
}

interface Admitted {
  readonly token: UserToken;
  /** What it was signed with (UT-5). */
  readonly tokenKey: string | undefined;
}

export class SessionLogins {
  readonly #world: SessionLoginsWorld;
  readonly #sessions = new Map<number, Map<string, Admitted>>();

  constructor(world: SessionLoginsWorld) {
    this.#world = world;
  }

  /** Why `text` does not count on this session; or what it says, which is remembered. */
  admit(session: Session, text: string): UserToken | TokenFault {
    const { people } = this.#world;
    const token = people.current && readToken(people.current, text);
    if (token === undefined) return 'forged';
    const fault = this.#faultOf(session, token);
    if (fault !== undefined) return fault;
    let users = this.#sessions.get(session.id);
    if (users === undefined) this.#sessions.set(session.id, (users = new Map()));
    const [oldest] = users.keys();
    if (users.size >= usersMost && oldest !== undefined) users.delete(oldest);
    users.set(token.user, { token, tokenKey: people.current?.tokenKey });
    return token;
  }

  /** Whether changes of `user` are taken from this session; asked for each, as a token ends in the middle of one. */
  isLoggedIn(session: Session, user: string): boolean {
    const admitted = this.#sessions.get(session.id)?.get(user);
    if (admitted === undefined || admitted.tokenKey !== this.#world.people.current?.tokenKey) return false;
    return this.#faultOf(session, admitted.token) === undefined;
  }

  end({ id }: Session): void {
    this.#sessions.delete(id);
  }

  #faultOf({ peer }: Session, token: UserToken): TokenFault | undefined {
    const { clock, location, people } = this.#world;
    const lifetime = lifetimeOf(location.current.people);
    return faultOf(token, people.get(token.user), peer.name, clock.wall(), lifetime);
  }
}
