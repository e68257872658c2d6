/** Who may do what: the lists, how they hold for what is below, and what each record needs. */
import fc from 'fast-check';
import t from 'tap';
import {
  administrators,
  allRights,
  anyUser,
  decidingIn,
  denied,
  differingLists,
  Failure,
  identityOf,
  mustBeList,
  parseRights,
  right,
  rightsIn,
  RightsCheck,
  rightsText,
  type AccessList,
  type AccessVersion,
  type Fid,
  type Groups,
  type Mutation,
  type Rights,
  type StoreId,
  type VnodeStatus,
} from './index.js';

const fidOf = (number: number): Fid => `7f000001.${number}.000000000000000a` as Fid;
const root = '7f000001.1.1' as Fid;
const [docs, plan, hr, note] = [fidOf(2), fidOf(3), fidOf(4), fidOf(5)];

const list = (positive: Record<string, string>, negative: Record<string, string> = {}): AccessList => {
  const rights = (texts: Record<string, string>): Record<string, Rights> =>
    Object.fromEntries(Object.entries(texts).map(([who, text]) => [who, parseRights(text) ?? -1]));
  return { positive: rights(positive), negative: rights(negative) };
};

function version(value: AccessList | null, number = 1): AccessVersion {
  return { storeId: `000000000000000a:${number}` as StoreId, list: value, time: 0, author: 'x', host: 'h' };
}

/** As much of an object as decides. */
function object(fid: Fid, parent: Fid | null, more: Partial<VnodeStatus> = {}): VnodeStatus {
  return {
    fid,
    parent,
    kind: 'directory',
    siblings: [],
    data: null,
    known: {},
    owner: 'ann',
    ...more,
  } as VnodeStatus;
}

const tree =
  (...objects: readonly VnodeStatus[]) =>
  (fid: Fid): VnodeStatus | undefined =>
    objects.find((each) => each.fid === fid);

function textIn(
  look: (fid: Fid) => VnodeStatus | undefined,
  at: Fid,
  user: string,
  groups: Groups = {},
): string {
  const rights = rightsIn(look, at, identityOf(user, groups));
  return rights === undefined ? 'unknown' : rightsText(rights);
}

t.test('rights are letters, or the words of cfs', async (t) => {
  t.equal(parseRights('rlidwka'), allRights);
  t.equal(parseRights('wr'), right.read | right.write);
  t.same(
    ['all', 'none', 'read', 'write'].map((word) => rightsText(parseRights(word) ?? -1)),
    ['rlidwka', '', 'rl', 'rlidwk'],
  );
  t.same(['', 'x', 'rx', 'constructor'].map(parseRights), [undefined, undefined, undefined, undefined]);
  t.equal(rightsText(allRights), 'rlidwka');
});

t.test('groups are nested, may contain themselves, and everybody is in System:AnyUser', async (t) => {
  const groups = { staff: ['ann', 'lab'], lab: ['ben', 'staff'], [administrators]: ['lab'], all: [anyUser] };
  t.same(
    [...identityOf('ben', groups).groups].sort(),
    [administrators, anyUser, 'all', 'lab', 'staff'].sort(),
  );
  t.same([...identityOf('eve', groups).groups].sort(), [anyUser, 'all'].sort());
  t.equal(identityOf('ben', groups), identityOf('ben', groups), 'worked out once');
});

t.test('a list holds for what is below that has none of its own', async (t) => {
  const look = tree(
    object(root, null),
    object(docs, root, { access: [version(list({ ann: 'all', [anyUser]: 'rl' }, { eve: 'all' }))] }),
    object(plan, docs),
    object(hr, plan, { access: [version(list({ staff: 'rl' }))] }),
  );
  t.equal(textIn(look, root, 'bob'), 'rlidwk', 'nobody has set any: all but a');
  t.same([textIn(look, docs, 'ann'), textIn(look, plan, 'ann')], ['rlidwka', 'rlidwka']);
  t.equal(textIn(look, plan, 'bob'), 'rl');
  t.equal(textIn(look, plan, 'eve'), '', 'negative beats positive');
  t.equal(textIn(look, hr, 'ann'), '', 'another list is not added to');
  t.equal(textIn(look, hr, 'ann', { staff: ['ann'] }), 'rl');
  t.equal(textIn(look, hr, 'root', { [administrators]: ['root'] }), 'la', 'may look and set, no more');
  t.equal(textIn(look, hr, administrators), 'la', 'as a gateway looks for itself');
  t.same([decidingIn(look, plan), decidingIn(look, root)], [[docs], []]);
  const cut = tree(object(plan, docs));
  t.equal(textIn(cut, plan, 'ann'), 'unknown', 'a directory above is not here');
});

t.test('of lists that were set apart the stricter holds', async (t) => {
  const apart = [version(list({ ann: 'rliw', ben: 'rl' })), version(list({ ann: 'rld' }), 2)];
  const look = tree(object(root, null), object(docs, root, { access: apart }));
  t.equal(textIn(look, docs, 'ann'), 'rl');
  t.equal(textIn(look, docs, 'ben'), '');
  t.equal(differingLists({ access: apart }).length, 2);
  const same = [
    version(list({ ann: 'r', ben: 'l' })),
    version({ positive: { ben: 8, ann: 1 }, negative: {} }, 2),
  ];
  t.equal(differingLists({ access: same }).length, 1, 'equal ones are no conflict');
  const taken = tree(
    object(root, null),
    object(docs, root, { access: [version(list({ ann: 'all' })), version(null, 2)] }),
  );
  t.equal(textIn(taken, docs, 'ann'), 'rlidwk', 'one took it away: what is above holds, too');
});

const users = ['ann', 'ben', 'eve'];
const names = [...users, anyUser, 'staff', 'lab'];
const entries = fc.dictionary(fc.constantFrom(...names), fc.nat(allRights), { maxKeys: 4 });
const lists = fc.record({ positive: entries, negative: entries }) as fc.Arbitrary<AccessList>;
const folders = fc.array(fc.array(fc.option(lists), { maxLength: 2 }), { minLength: 1, maxLength: 4 });

t.test('property: rights are what a reader of the rules would say, right by right', async (t) => {
  const groups: Groups = { staff: ['ann', 'lab'], lab: ['ben'] };
  const member = (user: string): string[] =>
    ({ ann: ['ann', anyUser, 'staff'], ben: ['ben', anyUser, 'lab', 'staff'], eve: ['eve', anyUser] })[
      user
    ] ?? [];
  const says = (one: AccessList, user: string, bit: number): boolean => {
    const has = (side: Readonly<Record<string, number>>): boolean =>
      member(user).some((who) => Object.hasOwn(side, who) && ((side[who] ?? 0) & bit) !== 0);
    return has(one.positive) && !has(one.negative);
  };
  fc.assert(
    fc.property(folders, fc.constantFrom(...users), (path, user) => {
      const fids = path.map((_, index) => (index === 0 ? root : fidOf(index + 1)));
      const look = tree(
        ...path.map((each, index) => {
          const access = each.map((one, number) => version(one, number));
          return object(fids[index] ?? root, index === 0 ? null : (fids[index - 1] ?? root), { access });
        }),
      );
      for (const bit of Object.values(right)) {
        let may = bit !== right.administer;
        for (const each of path) {
          const inherits = each.length === 0 || each.includes(null);
          may = each.every((one) => one === null || says(one, user, bit)) && (!inherits || may);
        }
        const granted = rightsIn(look, fids.at(-1) ?? root, identityOf(user, groups)) ?? -1;
        if (((granted & bit) !== 0) !== may) throw new Error(`${user}, ${rightsText(bit)}`);
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

const common = { storeId: '000000000000000a:9' as StoreId, time: 0, author: 'ben', host: 'h', base: {} };
const file = object(note, docs, { kind: 'file', data: { length: 5 } as VnodeStatus['data'] });
const own = object(note, docs, { kind: 'file', owner: 'ben', data: { length: 0 } as VnodeStatus['data'] });

/** What each record needs where it happens: with these rights it passes, without any one of them it does not. */
const needs: readonly (readonly [string, string, Mutation, VnodeStatus?])[] = [
  ['create', 'i', { ...common, op: 'create', parent: docs, name: 'n', fid: fidOf(9), mode: 0 }],
  ['mkdir', 'i', { ...common, op: 'mkdir', parent: docs, name: 'n', fid: fidOf(9), mode: 0 }],
  ['symlink', 'i', { ...common, op: 'symlink', parent: docs, name: 'n', fid: fidOf(9), target: '' }],
  ['remove', 'd', { ...common, op: 'remove', parent: docs, name: 'n', fid: note }],
  ['rmdir', 'd', { ...common, op: 'rmdir', parent: docs, name: 'n', fid: plan }],
  [
    'rename',
    'di',
    { ...common, op: 'rename', fromParent: docs, fromName: 'n', toParent: docs, toName: 'm', fid: note },
  ],
  ['store', 'w', store()],
  ['store into the empty file that he has made', 'i', store(), own],
  ['utimes', 'w', { ...common, op: 'utimes', fid: note, modified: 0 }],
  ['chmod of a directory', 'w', { ...common, op: 'chmod', fid: docs, mode: 0 }],
  ['setprops', 'w', { ...common, op: 'setprops', fid: note, set: {}, remove: [] }],
  ['chown', 'a', { ...common, op: 'chown', fid: note, owner: 'ben' }],
  ['setacl', 'a', { ...common, op: 'setacl', fid: docs, list: null }],
  ['repair', 'w', { ...common, op: 'repair', fid: note, dismiss: [], accept: null }],
  ['repair of a place', 'wid', { ...common, op: 'repair', fid: note, dismiss: [], accept: { name: 'n' } }],
];

function store(): Mutation {
  return { ...common, op: 'store', fid: note, length: 1, digest: '', modified: 0, saved: 0 };
}

function outcome(granted: string, record: Mutation, note = file, ...before: readonly Mutation[]): string {
  const access = [version(list(granted === '' ? {} : { ben: granted }))];
  const look = tree(object(root, null), object(docs, root, { access }), object(plan, docs), note);
  const check = new RightsCheck(look, (user) => identityOf(user));
  try {
    for (const each of before) check.passed(each);
    check.check(record);
    return 'passes';
  } catch (error) {
    return error instanceof Failure ? error.kind : String(error);
  }
}

for (const [name, needed, record, seen] of needs) {
  t.test(`${name} needs ${needed}`, async (t) => {
    t.equal(outcome(needed, record, seen), 'passes');
    for (const letter of needed) {
      const others = [...'rlidwka'].filter((other) => other !== letter).join('');
      t.equal(outcome(others, record, seen), 'access-denied', `not without ${letter}`);
    }
  });
}

t.test('who may make a file may fill it in the same operation, but change no other', async (t) => {
  const made = fidOf(9);
  const create: Mutation = { ...common, op: 'create', parent: docs, name: 'n', fid: made, mode: 0 };
  t.equal(outcome('i', { ...store(), fid: made } as Mutation, file, create), 'passes');
  t.equal(outcome('i', store(), file, create), 'access-denied');
  t.equal(outcome('i', store(), { ...own, owner: 'ann' }), 'access-denied', 'empty, but of somebody else');
});

t.test('what goes where other lists hold must be readable, since it could be copied there', async (t) => {
  const look = tree(
    object(root, null),
    object(docs, root, { access: [version(list({ ben: 'ld' }))] }),
    object(plan, docs),
    object(hr, root),
    file,
  );
  const to = (toParent: Fid): string => {
    const rename: Mutation = {
      ...{ ...common, op: 'rename', fromParent: docs, fromName: 'n', toParent, toName: 'n', fid: note },
    };
    try {
      new RightsCheck(look, (user) => identityOf(user)).check(rename);
      return 'passes';
    } catch (error) {
      return String((error as Failure).message);
    }
  };
  t.match(to(hr), /lacks the right r /);
  t.match(to(plan), /lacks the right i /, 'the same list holds there');
});

function kindOf(work: () => void): string {
  try {
    work();
    return 'nothing';
  } catch (error) {
    return error instanceof Failure ? error.kind : String(error);
  }
}

t.test('a server that lacks lists which the author has seen is no judge', async (t) => {
  const access = [version(list({}))];
  const look = tree(object(root, null, { known: { a: 1 } }), object(docs, root, { access }), file);
  const check = new RightsCheck(look, (user) => identityOf(user));
  const record = { ...store(), base: { [root]: { a: 2 } } } as Mutation;
  t.equal(
    kindOf(() => check.check(record)),
    'stale',
  );
  t.equal(
    kindOf(() => check.check({ ...record, base: { [root]: { a: 1 } } } as Mutation)),
    'access-denied',
  );
  t.equal(
    kindOf(() => new RightsCheck(tree(file), (user) => identityOf(user)).check(store())),
    'stale',
  );
});

t.test('lists that make no sense are refused', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`u${index}`, 1]));
  t.equal(
    kindOf(() => mustBeList({ positive: many, negative: {} }, docs)),
    'too-large',
  );
  for (const entry of [{ '': 1 }, { a: -1 }, { a: 128 }, { a: 1.5 }, { ['x'.repeat(129)]: 1 }]) {
    t.equal(
      kindOf(() => mustBeList({ positive: entry, negative: {} }, docs)),
      'invalid',
    );
    t.equal(
      kindOf(() => mustBeList({ positive: {}, negative: entry }, docs)),
      'invalid',
    );
  }
  t.match(denied('ann', right.read | right.write, docs).message, 'ann lacks the rights rw in this directory');
});
