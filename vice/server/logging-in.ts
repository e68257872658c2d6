/** Calls about the people of the realm: `login`, `renew`, `authorize`, `people`, `users`, `changePeople`. */
import {
  Failure,
  issueToken,
  lifetimeOf,
  type Argument,
  type PeopleDocument,
  type Result,
  type UserEntry,
} from '../interface/index.js';
import { announced } from '../location/people-version.js';
import { throughOf } from '../protection/audit-log.js';
import { aboveRealm, changedPeople, withLoginKey } from '../protection/changed-people.js';
import type { Session } from '../seam/network.js';
import { randomHex } from '../seam/random.js';
import { mustPublish } from './administering.js';
import type { Handlers, ServerContext } from './context.js';
import { mutableCopy } from './operating.js';

/** Logins that wait for their turn: one at a time is worked on, as each takes a processor for 0.2 s. */
const waitingMost = 32;
const loginKeyBytes = 32;

type PeopleCall = 'login' | 'renew' | 'authorize' | 'people' | 'users' | 'changePeople';

export const loggingIn: Handlers<PeopleCall> = {
  async login(context, session, { user, password, seen }) {
    mustKnowPeople(context, seen);
    const name = user.normalize('NFC');
    const { audit, people, passwords, attempts, world } = context;
    const gateway = session.peer.name;
    const wait = attempts.waitOf(gateway, name);
    if (wait > 0) throw busy(`too many failed logins from this gateway; again in ${wait} s`);
    if (passwords.waiting >= waitingMost) throw busy('too many logins at once');
    const entry = people.get(name);
    const isRight = await passwords.verify(password, entry?.verifier);
    // What was verified holds only as long as it is still the user's; a disabled one takes as long as any other.
    const now = people.get(name);
    if (isRight && now !== undefined && now.disabled !== true && now.verifier === entry?.verifier) {
      world.log.info('login', { user: name, gateway });
      audit.mention({ event: 'login', by: name, through: throughOf(session) });
      return admitted(context, session, now);
    }
    attempts.failed(gateway, name);
    const why = entry === undefined ? 'no such user' : isRight ? 'disabled' : 'wrong password';
    world.log.warn('login refused', { user: name.slice(0, 64), gateway, why });
    const refused = { by: name.slice(0, 64), through: throughOf(session), what: { why } };
    audit.mention({ event: 'login-refused', ...refused });
    throw new Failure('not-authenticated', 'vice.login', 'user or password is wrong');
  },

  async renew(context, session, { token, seen }) {
    mustKnowPeople(context, seen);
    const admission = context.logins.admit(session, token);
    const entry = typeof admission === 'string' ? undefined : context.people.get(admission.user);
    if (typeof admission === 'string' || entry === undefined) {
      throw new Failure('logged-out', 'vice.renew', `the login counts no more (${String(admission)})`);
    }
    // Asked every minute while somebody works: a young one is as good as a new one.
    const { clock } = context.world;
    const life = admission.expires - admission.issued;
    if (clock.wall() < admission.issued + life / 10) return { token, expires: admission.expires };
    return admitted(context, session, entry);
  },

  async authorize(context, session, { tokens }) {
    peopleHere(context);
    return { count: tokens.map((token) => typeof context.logins.admit(session, token) !== 'string') };
  },

  async people(context) {
    return mutableCopy(peopleHere(context));
  },

  async users(context) {
    const { version, users } = peopleHere(context);
    const plain = users.map(({ name, disabled, changed }) => ({
      name,
      disabled: disabled === true,
      changed,
    }));
    return { version, users: plain };
  },

  changePeople: (context, session, argument) => changePeople(context, session, argument),
};

async function changePeople(
  context: ServerContext,
  session: Session,
  { change }: Argument<'changePeople'>,
): Promise<Result<'changePeople'>> {
  const { location, people, world } = context;
  mustKnowPeople(context, 0);
  const user = change.change === 'renew-login-key' ? undefined : change.name;
  const what = { change: change.change, user };
  const noted = { event: 'change-people', by: session.peer.name, what } as const;
  const decide = (current: PeopleDocument): PeopleDocument => {
    mustPublish(context.name, location.current);
    if (change.change === 'add-user' && location.current.groups?.[change.name] !== undefined) {
      throw new Failure(
        'exists',
        'vice.changePeople',
        `there is a group ${change.name}; a user needs another name`,
      );
    }
    const made =
      change.change === 'renew-login-key'
        ? withLoginKey(current, randomHex(world.random, loginKeyBytes))
        : changedPeople(current, change, world.clock.wall());
    return aboveRealm(made, current, location.current.version);
  };
  const changed = await context.audit.act(session, noted, () => people.change(decide));
  // Durable here, then told: also what a crash between the two has left untold.
  await location.publish((current) => announced(current, people.version));
  if (changed) {
    const { name: by } = session.peer;
    world.log.info('people changed', { version: people.version, by, ...what });
  }
  return { changed, version: people.version };
}

function admitted(context: ServerContext, session: Session, entry: UserEntry): Result<'login'> {
  const { location, logins, world } = context;
  const lifetime = lifetimeOf(location.current.people);
  const issued = issueToken(peopleHere(context), entry, session.peer.name, world.clock.wall(), lifetime);
  logins.admit(session, issued.token);
  return issued;
}

/** @throws Failure refused (the gateways of this realm keep the users), stale (a newer document is to be fetched) */
function mustKnowPeople({ location, people }: ServerContext, seen: number): void {
  const { people: entry } = location.current;
  if (entry === undefined) {
    const message = 'in this realm each gateway keeps users of its own';
    throw new Failure('refused', 'vice.people', message);
  }
  if (people.version >= Math.max(entry.version, seen, 1)) return;
  throw new Failure('stale', 'vice.people', 'this server has not fetched the newest people of the realm yet');
}

function peopleHere({ people }: ServerContext): PeopleDocument {
  if (people.current !== undefined) return people.current;
  throw new Failure('stale', 'vice.people', 'the people of the realm are not here yet');
}

function busy(message: string): Failure {
  return new Failure('busy', 'vice.login', message);
}
