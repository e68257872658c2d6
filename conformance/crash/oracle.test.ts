/** The judge of the crash test: it finds each kind of loss, and nothing where there is none. */
import t from 'tap';
import { nextStep } from './generator.js';
import { Seeded } from './seeded.js';
import { judge } from './verdict.js';
import type { Folder } from './writer.js';
import { apply, compare, emptyWorld, subtree, type Change, type Item, type World } from './world.js';

const put = (path: string, digest: string): Change => ({ kind: 'put', path, digest, length: 1 });

function make(...changes: readonly Change[]): World {
  return changes.reduce(apply, emptyWorld);
}

function folder(worlds: Folder['worlds']): Folder {
  return { path: '/w', worlds, history: [], proven: false };
}

t.test('changes make the worlds that WebDAV makes', async (t) => {
  const base = make({ kind: 'mkcol', path: 'a' }, put('a/x', '1'), put('y', '2'));
  t.same([...base.keys()].sort(), ['a', 'a/x', 'y']);
  const moved = apply(base, { kind: 'move', path: 'a', to: 'b' });
  t.same([...moved.keys()].sort(), ['b', 'b/x', 'y'], 'a folder moves with all in it');
  const onto = apply(base, { kind: 'move', path: 'a/x', to: 'y' });
  t.same(onto.get('y')?.digest, '1', 'a move replaces');
  const marked = apply(apply(base, { kind: 'proppatch', path: 'y', mark: 'm' }), put('y', '3'));
  t.same(marked.get('y'), { kind: 'file', digest: '3', mark: 'm' }, 'new contents leave the mark');
  t.same([...apply(base, { kind: 'delete', path: 'a' }).keys()], ['y']);
  t.same(subtree(make(put('ab', '1'), put('a', '1')), 'a'), ['a'], 'a prefix of a name is no parent');
});

t.test('the judge finds what must not be', async (t) => {
  const before = make(put('f', 'old'), { kind: 'mkcol', path: 'd' });
  const after = apply(before, put('f', 'new'));
  const file = (digest: string): Item => ({ kind: 'file', digest, mark: '' });
  const cases: readonly (readonly [string, World | undefined, string])[] = [
    ['a lost file', apply(before, { kind: 'delete', path: 'f' }), 'missing'],
    ['mixed bytes', new Map([...before, ['f', file('mixed')]]), 'other bytes'],
    ['a ghost', new Map([...after, ['ghost', file('1')]]), 'should not be there'],
    ['a lost folder', undefined, 'does not exist'],
    ['a half change', apply(after, { kind: 'delete', path: 'd' }), 'missing'],
    ['a lost mark', apply(after, { kind: 'proppatch', path: 'f', mark: 'x' }), 'property'],
  ];
  for (const [name, got, says] of cases) {
    t.match(judge(folder([before, after]), got)[0], says, name);
    t.match(judge(folder([after]), got)[0], says, `${name}, when all was acknowledged`);
  }
  for (const world of [before, after]) t.same(judge(folder([before, after]), world), []);
  t.match(judge(folder([after]), before)[0], 'other bytes', 'an acknowledged change that is undone');
  t.match(judge(folder([undefined]), before)[0], 'should not exist');
});

t.test('the generator repeats itself, and draws only possible changes of every kind', async (t) => {
  const draw = (seed: number): { changes: Change[]; world: World } => {
    const seeded = new Seeded(seed);
    const changes: Change[] = [];
    let world = emptyWorld;
    for (let count = 0; count < 400; count += 1) {
      const { change } = nextStep(world, seeded);
      if (change.kind !== 'put' && change.kind !== 'mkcol') t.ok(world.has(change.path), 'its object exists');
      changes.push(change);
      world = apply(world, change);
    }
    return { changes, world };
  };
  const [first, again, other] = [draw(1), draw(1), draw(2)];
  t.same(first.changes, again.changes, 'the same seed, the same changes');
  t.same(compare(first.world, again.world), []);
  t.notSame(first.changes, other.changes);
  for (const kind of ['put', 'mkcol', 'delete', 'move', 'proppatch']) {
    t.ok(first.changes.filter((change) => change.kind === kind).length > 10, `${kind} is drawn`);
  }
});
