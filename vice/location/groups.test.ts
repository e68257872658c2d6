/** Groups as an administrator changes them. */
import t from 'tap';
import { anyUser, identityOf, isFailure, type Intention, type RealmDocument } from '../interface/index.js';
import { checkMembers, type GroupIntention } from './groups.js';
import { intended } from './intended.js';

const empty = {
  format: 1,
  version: 7,
  realm: 'office',
  name: 'office',
  servers: [],
  volumes: [],
  rootVolume: '7f000001',
} as unknown as RealmDocument;

function after(document: RealmDocument, intention: Intention): RealmDocument {
  return intended(document, intention, () => 'none');
}
const adding = (group: string, ...members: string[]): GroupIntention => ({
  change: 'add-members',
  group,
  members,
});
const removing = (group: string, ...members: string[]): GroupIntention => ({
  change: 'remove-members',
  group,
  members,
});

function kindOf(work: () => unknown): string {
  try {
    work();
    return 'done';
  } catch (error) {
    return isFailure(error) ? error.kind : String(error);
  }
}

t.test('members come and go; saying it again changes nothing', async (t) => {
  const staff = after(empty, adding('staff', 'bob', 'ann', 'bob'));
  t.match(staff, { version: 8, groups: { staff: ['ann', 'bob'] } });
  t.equal(after(staff, adding('staff', 'ann')), staff);
  t.equal(after(staff, removing('staff', 'eve')), staff);
  t.same(after(staff, removing('staff', 'ann')).groups, { staff: ['bob'] });
  t.same(after(staff, removing('staff', 'ann', 'bob')).groups, { staff: [] }, 'an empty one is one');
  const nested = after(after(staff, adding('all', 'staff', 'eve')), adding('staff', 'all'));
  t.same([...identityOf('ann', nested.groups).groups].sort(), [anyUser, 'all', 'staff'], 'also in a circle');
  const gone = after(staff, { change: 'remove-group', group: 'staff' });
  t.same(gone.groups, {});
  t.equal(after(gone, { change: 'remove-group', group: 'staff' }), gone);
  t.equal(after(empty, { change: 'remove-group', group: 'staff' }), empty);
  t.equal(
    kindOf(() => after(empty, removing('staff', 'ann'))),
    'not-found',
  );
  t.equal(
    kindOf(() => after(empty, adding(anyUser, 'ann'))),
    'invalid',
  );
  t.same(after(empty, adding('constructor', 'ann')).groups?.['constructor'], ['ann'], 'any name is one');
});

t.test(
  'where servers keep the people, members are somebody, and no group has the name of a user',
  async (t) => {
    const isUser = (name: string): boolean => ['ann', 'bob'].includes(name);
    const check = (intention: GroupIntention): string =>
      kindOf(() => checkMembers({ ...empty, groups: { staff: [] } }, intention, isUser));
    t.equal(check(adding('all', 'ann', 'staff', anyUser)), 'done');
    t.equal(check(adding('all', 'ann', 'eve')), 'not-found');
    t.equal(check(adding('bob', 'ann')), 'exists');
    t.equal(check(removing('all', 'eve')), 'done', 'who was removed can be taken out of it');
  },
);
