/** Calls that change the realm and see its replicas in and out: `publish`, `covers`, `fenced`. */
import {
  administrators,
  Failure,
  identityOf,
  publisherOf,
  volumeEntry,
  type Argument,
  type RealmDocument,
  type Result,
} from '../interface/index.js';
import { checkMembers } from '../location/groups.js';
import { intended } from '../location/intended.js';
import { lackingContents } from '../resolution/lacking-contents.js';
import { randomHex } from '../seam/random.js';
import type { Session } from '../seam/network.js';
import type { Handlers, ServerContext } from './context.js';
import { takePeopleOver } from './following-people.js';
import { mutableCopy } from './operating.js';
import { flushed } from './reading.js';

const operation = 'vice.publish';

export const administering: Handlers<'publish' | 'covers' | 'fenced'> = {
  async publish(context, session, argument) {
    context.denials.watched(
      session,
      'publish',
      () => mustAdminister(context, session, argument),
      argument.user,
    );
    const { intention, basedOn } = argument;
    const { location, world } = context;
    // Whoever asks the wrong server asks another one, and is noted there.
    if (intention.change !== 'take-over') mustPublish(context.name, location.current);
    const by = argument.user ?? session.peer.name;
    let before: RealmDocument | undefined;
    const decide = (current: RealmDocument): RealmDocument => {
      before = current;
      if (intention.change === 'take-over') mustBeTaker(context.name, intention.name);
      else mustPublish(context.name, current);
      if (basedOn !== null && basedOn !== current.version) {
        const message = `the realm has changed meanwhile: version ${current.version}, not ${basedOn}`;
        throw new Failure('changed', operation, message);
      }
      checkGroups(context, current, intention);
      return intended(current, intention, (server) => `${server}-${randomHex(world.random, 4)}`);
    };
    const document = await context.audit.act(session, { event: 'change', by, what: intention }, () =>
      location.publish(decide),
    );
    if (intention.change === 'take-over') await takePeopleOver({ ...context, log: world.log });
    const changed = document !== before;
    if (changed) {
      const fields = { version: document.version, by, role: session.peer.role, ...intention };
      world.log.info('published', fields);
      context.steward.look();
    }
    return { changed, document: mutableCopy(location.current) };
  },

  covers: (context, _session, argument) => covers(context, argument),
  fenced: (context, _session, argument) => fenced(context, argument),
};

export async function covers(
  { volumes, resolver, copier, location, world }: ServerContext,
  { volume, replica: id }: Argument<'covers'>,
): Promise<Result<'covers'>> {
  const replica = volumes.required(volume);
  const unsettled = await resolver.gather(replica, id);
  if (unsettled === undefined) return { reached: false, lacking: 0 };
  const missing = await lackingContents(replica, world, (digest) => resolver.heal(digest));
  const lacking = unsettled + missing;
  const other = volumeEntry(location.current, volume)?.replicas.find((each) => each.id === id);
  // Its snapshots are waited for only where they would be lost (resolution/snapshot-copying.ts).
  if (lacking > 0 || other?.state !== 'leaving') return { reached: true, lacking };
  const snapshots = await copier.gather(replica, id);
  return snapshots === undefined ? { reached: false, lacking: 0 } : { reached: true, lacking, snapshots };
}

export async function fenced(
  context: ServerContext,
  { volume, replica: id }: Argument<'fenced'>,
): Promise<Result<'fenced'>> {
  const replica = context.volumes.required(volume, id);
  if (replica.standing !== 'leaving') return { fenced: false };
  await flushed(context);
  return { fenced: true };
}

/** Whoever has the realm key, or a user of System:Administrators for whom a gateway speaks. */
function mustAdminister(
  { location, logins }: ServerContext,
  session: Session,
  { user }: Argument<'publish'>,
): void {
  if (session.peer.role === 'operator') return;
  const { groups, people } = location.current;
  const isThere = people === undefined || (user !== null && logins.isLoggedIn(session, user));
  if (isThere && user !== null && identityOf(user, groups).groups.has(administrators)) return;
  throw new Failure('access-denied', operation, `only ${administrators} may change the realm`);
}

function mustBeTaker(name: string, taker: string): void {
  if (taker === name) return;
  throw new Failure('refused', operation, `${taker} takes over, so it must be told, not ${name}`);
}

function checkGroups(
  { people }: ServerContext,
  current: RealmDocument,
  intention: Argument<'publish'>['intention'],
): void {
  const isOfGroups =
    intention.change === 'add-members' ||
    intention.change === 'remove-members' ||
    intention.change === 'remove-group';
  if (isOfGroups && current.people !== undefined) {
    checkMembers(current, intention, (name) => people.get(name) !== undefined);
  }
}

/** @throws Failure stale: another server does */
export function mustPublish(name: string, current: RealmDocument): void {
  const publisher = publisherOf(current);
  if (publisher === name) return;
  throw new Failure('stale', operation, `changes of the realm are published by ${publisher}, not by ${name}`);
}
