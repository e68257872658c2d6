/** The call `keepPeople`: the servers keep the people from now on, as gateways have known them. */
import { Failure, identityText, type Argument, type Result } from '../interface/index.js';
import { keeping } from '../location/people-version.js';
import { firstPeople } from '../protection/first-people.js';
import type { Session } from '../seam/network.js';
import { randomHex } from '../seam/random.js';
import { mustPublish } from './administering.js';
import type { Handlers, ServerContext } from './context.js';

const operation = 'vice.keepPeople';
const tokenKeyBytes = 32;

export const keepingPeople: Handlers<'keepPeople'> = {
  keepPeople: (context, session, argument) => keepPeople(context, session, argument),
};

async function keepPeople(
  context: ServerContext,
  session: Session,
  { users }: Argument<'keepPeople'>,
): Promise<Result<'keepPeople'>> {
  const { audit, location, people, world } = context;
  mustPublish(context.name, location.current);
  if (location.current.people !== undefined) return alreadyKept(context, users);
  const what = { change: 'keep-people', users: users.map(({ name }) => name) };
  const noted = { event: 'change-people', by: session.peer.name, what } as const;
  const made = { tokenKey: randomHex(world.random, tokenKeyBytes), now: world.clock.wall() };
  await audit.act(session, noted, async () => {
    await people.begin((before) => firstPeople(location.current, before, users, made));
    await location.publish((current) => {
      mustPublish(context.name, current);
      return keeping(current, people.version);
    });
  });
  world.log.info('people kept', {
    version: people.version,
    users: users.length,
    by: identityText(session.peer),
  });
  return { changed: true, version: people.version };
}

/** Said again. @throws Failure exists: there is somebody whom the servers do not know */
function alreadyKept(
  { people }: ServerContext,
  users: Argument<'keepPeople'>['users'],
): Result<'keepPeople'> {
  const unknown = users
    .map(({ name }) => name.normalize('NFC'))
    .filter((name) => people.get(name) === undefined);
  if (unknown.length === 0) return { changed: false, version: people.version };
  const names = unknown.slice(0, 10).join(', ');
  const message = `the servers keep the people already, and do not know ${names}: add them one by one (coda user add)`;
  throw new Failure('exists', operation, message);
}
