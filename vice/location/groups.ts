/** What becomes of the groups of access lists (interface/access.ts) when an administrator wants something. Pure. */
import { anyUser, Failure, type Groups, type Intention, type RealmDocument } from '../interface/index.js';

export type GroupIntention = Extract<
  Intention,
  { change: 'add-members' | 'remove-members' | 'remove-group' }
>;

const operation = 'vice.publish';
const groupsMost = 10_000;

/** The groups; undefined: there is nothing to change. @throws Failure not-found, invalid, too-large */
export function regrouped({ groups = {} }: RealmDocument, intention: GroupIntention): Groups | undefined {
  const { group } = intention;
  if (group === anyUser) throw new Failure('invalid', operation, `${anyUser} is everybody, always`);
  const members = Object.hasOwn(groups, group) ? groups[group] : undefined;
  if (intention.change === 'add-members') {
    const added = intention.members.filter((member) => members?.includes(member) !== true);
    if (members !== undefined && added.length === 0) return undefined;
    if (members === undefined && Object.keys(groups).length >= groupsMost) {
      throw new Failure('too-large', operation, `a realm has at most ${groupsMost} groups`);
    }
    return { ...groups, [group]: [...new Set([...(members ?? []), ...added])].sort() };
  }
  if (intention.change === 'remove-group') {
    if (members === undefined) return undefined;
    const { [group]: _gone, ...others } = groups;
    return others;
  }
  if (members === undefined) throw new Failure('not-found', operation, `there is no group ${group}`);
  const kept = members.filter((member) => !intention.members.includes(member));
  return kept.length === members.length ? undefined : { ...groups, [group]: kept };
}

/**
 * Where the servers keep the people it is known who there is: who cannot be a member, as there is nobody of that name.
 * A group must not bear the name of a user: lists mean either by it.
 * @throws Failure not-found, exists
 */
export function checkMembers(
  { groups = {} }: RealmDocument,
  intention: GroupIntention,
  isUser: (name: string) => boolean,
): void {
  if (intention.change !== 'add-members') return;
  const { group, members } = intention;
  if (isUser(group)) {
    throw new Failure('exists', operation, `there is a user ${group}; a group needs another name`);
  }
  const missing = members.find((name) => !isUser(name) && !Object.hasOwn(groups, name) && name !== anyUser);
  if (missing === undefined) return;
  throw new Failure('not-found', operation, `there is no user and no group ${missing}`);
}
