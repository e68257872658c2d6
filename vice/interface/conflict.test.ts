import t from 'tap';
import {
  conflictName,
  conflictsOf,
  limits,
  makeFid,
  makeStoreId,
  nameFault,
  rootFid,
  siblingsOf,
  type ConflictKind,
  type FileData,
  type Origin,
  type Placement,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from './index.js';

const venus = '9c3e5d7b01f2a4c6' as VenusId;
const other = '00000000000000ff' as VenusId;
const volume = '7f000001' as VolumeId;
const root = rootFid(volume);
const store = (counter: number, by = venus): Origin['storeId'] => makeStoreId(by, counter);

const origin: Origin = {
  author: 'ann',
  host: 'office',
  time: Date.UTC(2024, 1, 29, 23, 59, 58, 999),
  storeId: store(7),
};
const when = '2024-02-29 23.59.58';

void t.test('the name of what could not keep its own', async (t) => {
  const table: readonly [string, string, Partial<Origin>, string][] = [
    ['says who, where and when', 'report.txt', {}, `report (conflict ann office ${when}).txt`],
    ['keeps only the last extension', 'a.tar.gz', {}, `a.tar (conflict ann office ${when}).gz`],
    ['of a name without extension', 'Makefile', {}, `Makefile (conflict ann office ${when})`],
    ['of a hidden file', '.profile', {}, `.profile (conflict ann office ${when})`],
    ['of a hidden file with an extension', '.a.b', {}, `.a (conflict ann office ${when}).b`],
    ['of a name that ends with a dot', 'a.', {}, `a (conflict ann office ${when}).`],
    [
      'an extension too long is none',
      `a.${'x'.repeat(17)}`,
      {},
      `a.${'x'.repeat(17)} (conflict ann office ${when})`,
    ],
    ['the longest extension', `a.${'x'.repeat(16)}`, {}, `a (conflict ann office ${when}).${'x'.repeat(16)}`],
    ['an author who is a path', 'a', { author: '../b\\c' }, `a (conflict .._b_c office ${when})`],
    [
      'an author with all sorts of signs',
      'a',
      { author: 'A:*?"<>|(b)\n\u007f' },
      `a (conflict A________b___ office ${when})`,
    ],
    ['a host that is unknown', 'a', { host: '' }, `a (conflict ann ${when})`],
    ['a long author', 'a', { author: 'ü'.repeat(60) }, `a (conflict ${'ü'.repeat(20)} office ${when})`],
    ['half a character', 'a', { author: 'x\ud800' }, `a (conflict x\ufffd office ${when})`],
    ['before 1970', 'a', { time: -1e300 }, 'a (conflict ann office 1970-01-01 00.00.00)'],
    ['a clock that is mad', 'a', { time: 1e300 }, 'a (conflict ann office 9999-12-31 23.59.59)'],
  ];
  for (const [what, name, change, expected] of table) {
    t.equal(conflictName(name, { ...origin, ...change }), expected, what);
  }

  await t.test('is a name again, however long or odd what it comes from', async (t) => {
    const names = [
      'x'.repeat(limits.nameBytes),
      'ü'.repeat(127),
      '\u{1f600}'.repeat(63),
      `${'é'.repeat(125)}.jpeg`,
    ];
    const words = ['', '/', '\ud800', 'x'.repeat(128), '\u{1f600}'.repeat(30), '\uffff\ufffe', ' \t', '..'];
    for (const name of names) {
      for (const author of words) {
        for (const host of words) {
          for (const distinct of [false, true]) {
            const given = conflictName(name, { ...origin, author, host }, distinct);
            const fault = nameFault(given);
            if (fault !== undefined) t.fail(`${JSON.stringify(given)} ${fault}`);
            if (Buffer.byteLength(given) < 200) t.fail(`${given} is cut more than it must be`);
          }
        }
      }
    }
    t.match(conflictName(`${'é'.repeat(125)}.jpeg`, origin), /é \(conflict ann office .*\)\.jpeg$/);
    t.match(conflictName('\u{1f600}'.repeat(63), origin), /^\u{1f600}+ \(conflict/u, 'no half character');
  });

  await t.test('of two made in the same second is another where that is asked for', async (t) => {
    const twin = { ...origin, storeId: store(8) };
    t.equal(conflictName('a.b', origin), conflictName('a.b', twin));
    t.match(conflictName('a.b', origin, true), /^a \(conflict ann office [-0-9 .]{19} [0-9a-f]{6}\)\.b$/);
    t.not(conflictName('a.b', origin, true), conflictName('a.b', twin, true));
    t.equal(
      conflictName('a.b', origin, true),
      conflictName('a.b', { ...origin }, true),
      'the same everywhere',
    );
  });
});

function version(counter: number, digest: string): FileData {
  const storeId = store(counter);
  const contents = { length: 1, digest: digest.repeat(64), modified: 1, saved: counter };
  return { storeId, mark: storeId, author: 'ann', host: 'h', ...contents };
}

function place(counter: number, name: string, parent = root, isBroken = false): Placement {
  return { parent, name, storeId: store(counter), time: counter, author: 'ann', host: 'h', isBroken };
}

const file: VnodeStatus = {
  fid: makeFid(volume, 3, venus),
  kind: 'file',
  parent: root,
  vv: {},
  storeId: store(1),
  known: { [venus]: 9, [other]: 9 },
  data: version(1, 'a'),
  siblings: [],
  places: [place(1, 'n')],
  gone: {},
  revived: {},
  names: '',
  target: null,
  created: 1,
  modified: 1,
  mode: 0o644,
  owner: 'ann',
  author: 'ann',
  properties: {},
  setters: {},
};

void t.test('what is left for a person', async (t) => {
  const elsewhere = makeFid(volume, 2, venus);
  const table: readonly [string, Partial<VnodeStatus>, string | null, readonly ConflictKind[]][] = [
    ['nothing', {}, 'n', []],
    ['a sibling', { siblings: [version(2, 'b')] }, 'n', ['versions']],
    ['identical contents are no conflict', { siblings: [version(2, 'a')] }, 'n', []],
    ['what was set aside is none', { setAside: [version(2, 'b')] }, 'n', []],
    ['another name than it was given', {}, 'n (conflict)', ['name']],
    ['a removal that it survived', { gone: { [other]: 3 } }, 'n', ['removal']],
    ['a removal that was taken back', { gone: { [other]: 3 }, revived: { [other]: 3 } }, 'n', []],
    ['one of two removals taken back', { gone: { [other]: 3 }, revived: { [other]: 2 } }, 'n', ['removal']],
    ['removed: nothing is left', { gone: { [venus]: 1, [other]: 3 } }, 'n', []],
    ['two places', { places: [place(5, 'n'), place(1, 'm')] }, 'n', ['place']],
    ['two directories', { places: [place(5, 'n'), place(1, 'n', elsewhere)] }, 'n', ['place']],
    ['moved to one place by two', { places: [place(5, 'n'), place(1, 'n')] }, 'n', []],
    ['moved into itself', { places: [place(5, 'n', elsewhere, true)] }, 'n', ['place']],
    [
      'all at once, in one order',
      {
        siblings: [version(2, 'b')],
        gone: { [other]: 3 },
        places: [place(5, 'n'), place(1, 'm')],
      },
      'x',
      ['versions', 'name', 'removal', 'place'],
    ],
    ['a root', { kind: 'directory', data: null, parent: null, places: [], fid: root }, null, []],
  ];
  for (const [what, change, name, expected] of table) {
    t.same(conflictsOf({ ...file, ...change }, name), expected, what);
  }
});

void t.test('versions beside the one that is shown', async (t) => {
  const digests = (shown: string, ...siblings: string[]): string =>
    siblingsOf({
      data: version(9, shown),
      siblings: siblings.map((digest, index) => version(8 - index, digest)),
    })
      .map(({ digest, saved }) => `${digest[0] ?? ''}${saved}`)
      .join(' ');
  t.equal(digests('a'), '');
  t.equal(digests('a', 'b', 'c'), 'b8 c7', 'in their order');
  t.equal(digests('a', 'a', 'b'), 'b7', 'not what is shown already');
  t.equal(digests('a', 'b', 'b', 'c'), 'b8 c6', 'each contents once');
  t.same(siblingsOf({ data: null, siblings: [] }), [], 'a directory has none');
});
