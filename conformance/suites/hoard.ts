/** What the hoard of every Venus must do (venus/hoarding.ts), the real one and its twin. */
import type { Test } from 'tap';
import type { HoardAttributes, MissingObject, Venus } from '../../venus/interface.js';
import { makeDirectory, put, remove, rename, get, pathOf } from '../simulation/share.js';

export interface HoardUnderTest {
  readonly venus: Venus;
  /** Lets time pass until it is done. */
  run<T>(promise: Promise<T>): Promise<T>;
}

export type MakeHoard = (t: Test) => Promise<HoardUnderTest>;

export function hoardContract(t: Test, name: string, make: MakeHoard): void {
  void t.test(`${name}: a hoard`, async (t) => {
    await entries(t, make);
    await expansion(t, make);
    await following(t, make);
    await cacheAndSpy(t, make);
  });
}

/** `/docs` with `a`, `b` and `sub/c` in it. */
async function filled(t: Test, make: MakeHoard): Promise<HoardUnderTest> {
  const stage = await make(t);
  const { venus, run } = stage;
  for (const path of ['/docs', '/docs/sub']) await run(makeDirectory(venus, path));
  for (const path of ['/docs/a', '/docs/b', '/docs/sub/c']) await run(put(venus, path, path));
  return stage;
}

export function hoard(
  venus: Venus,
  path: string,
  priority = 10,
  attributes: HoardAttributes = '',
  user = 'ann',
) {
  return venus.hoard.apply(user, [{ command: 'add', path: pathOf(path), priority, attributes }]);
}

/** As a person reads it. */
export function entriesOf(venus: Venus, user: string | null = 'ann'): readonly string[] {
  return venus.hoard
    .entries(user)
    .map((entry) => `${entry.priority}${entry.attributes} /${entry.path.join('/')}`);
}

export async function missingOf(
  venus: Venus,
  user: string | null = 'ann',
): Promise<readonly MissingObject[]> {
  const all: MissingObject[] = [];
  for await (const batch of venus.hoard.verify(user)) all.push(...batch);
  return all;
}

async function entries(t: Test, make: MakeHoard): Promise<void> {
  await t.test('entries are of a user, one for each path, listed by falling priority', async (t) => {
    const { venus, run } = await filled(t, make);
    t.same(await run(hoard(venus, '/docs/a')), { added: 1, removed: 0 });
    await run(hoard(venus, '/docs', 1000, 'd+'));
    await run(hoard(venus, '/docs/a', 20));
    await run(hoard(venus, '/docs/b', 30, 'c+', 'bob'));
    t.same(entriesOf(venus), ['1000d+ /docs', '20 /docs/a']);
    t.same(entriesOf(venus, 'bob'), ['30c+ /docs/b']);
    t.same(entriesOf(venus, null), ['1000d+ /docs', '30c+ /docs/b', '20 /docs/a']);
    t.equal(venus.hoard.state().entries, 3);
    const gone = venus.hoard.apply('ann', [
      { command: 'delete', path: ['docs', 'a'] },
      { command: 'delete', path: ['never'] },
      { command: 'add', path: ['new'], priority: 5, attributes: '' },
    ]);
    t.same(await run(gone), { added: 1, removed: 1 });
    t.same(entriesOf(venus), ['1000d+ /docs', '5 /new']);
    t.same(await run(venus.hoard.apply('ann', [{ command: 'clear' }])), { added: 0, removed: 2 });
    t.same(entriesOf(venus, null), ['30c+ /docs/b'], "not bob's");
  });

  await t.test('what is no path or no priority is refused, and with it all that came along', async (t) => {
    const { venus, run } = await filled(t, make);
    for (const [path, priority] of [
      ['docs', 0],
      ['docs', 1001],
      ['a\0b', 10],
    ] as const) {
      const wrong = { command: 'add', path: [path], priority, attributes: '' } as const;
      const right = { command: 'add', path: ['docs', 'a'], priority: 10, attributes: '' } as const;
      await t.rejects(run(venus.hoard.apply('ann', [right, wrong])), { kind: 'invalid' } as unknown as Error);
    }
    t.same(entriesOf(venus), []);
  });
}

async function expansion(t: Test, make: MakeHoard): Promise<void> {
  await t.test('c and d are what is there now, c+ and d+ also what comes', async (t) => {
    const { venus, run } = await filled(t, make);
    t.same(await run(hoard(venus, '/docs', 7, 'c')), { added: 4, removed: 0 });
    t.same([...entriesOf(venus)].sort(), ['7 /docs', '7 /docs/a', '7 /docs/b', '7 /docs/sub']);
    await run(venus.hoard.apply('ann', [{ command: 'clear' }]));
    t.same(await run(hoard(venus, '/docs', 7, 'd')), { added: 5, removed: 0 });
    t.ok(entriesOf(venus).includes('7 /docs/sub/c'));
    await t.rejects(run(hoard(venus, '/no', 7, 'd')), { kind: 'not-found' } as unknown as Error);
    await run(venus.hoard.apply('ann', [{ command: 'clear' }]));
    await run(hoard(venus, '/docs', 7, 'c+'));
    const before = await run(venus.hoard.walk());
    await run(put(venus, '/docs/later', 'later'));
    await run(put(venus, '/docs/sub/later', 'later'));
    const after = await run(venus.hoard.walk());
    t.equal(after.objects, before.objects + 1, 'members, but not theirs');
    await run(hoard(venus, '/docs', 7, 'd+'));
    t.equal((await run(venus.hoard.walk())).objects, after.objects + 2);
    t.equal((await run(venus.hoard.walk())).missing, 0);
    t.not(venus.hoard.state().lastWalk, null);
    t.equal(venus.hoard.state().walk, null);
  });
}

async function following(t: Test, make: MakeHoard): Promise<void> {
  await t.test('an entry follows what was moved, and what was made anew under its name', async (t) => {
    const { venus, run } = await filled(t, make);
    await run(hoard(venus, '/docs/sub', 50, 'd+'));
    await run(hoard(venus, '/docs/a', 40));
    await run(hoard(venus, '/nothing', 30));
    await run(venus.hoard.walk());
    const missing = await run(missingOf(venus));
    t.match(missing, [{ user: 'ann', path: ['nothing'], priority: 30, length: 0, reason: 'not-found' }]);
    await run(rename(venus, '/docs', '/papers'));
    await run(put(venus, '/nothing', 'something'));
    await run(venus.hoard.walk());
    t.same(entriesOf(venus), ['50d+ /papers/sub', '40 /papers/a', '30 /nothing']);
    t.same(await run(missingOf(venus)), []);
    // As programs save: the old one aside, a new one under its name.
    await run(rename(venus, '/papers/a', '/papers/a.old'));
    await run(put(venus, '/papers/a', 'saved anew'));
    await run(venus.hoard.walk());
    t.same(entriesOf(venus)[1], '40 /papers/a');
    await run(remove(venus, '/papers/a'));
    await run(venus.hoard.walk());
    t.match(await run(missingOf(venus)), [{ path: ['papers', 'a'], reason: 'not-found' }]);
  });
}

async function cacheAndSpy(t: Test, make: MakeHoard): Promise<void> {
  await t.test('the cache tells what it has, its limit can be set; opens are told', async (t) => {
    const { venus, run } = await filled(t, make);
    const { cache } = venus.hoard;
    await run(hoard(venus, '/docs/a', 1000));
    await run(venus.hoard.walk());
    const files: { path: string; stay: string | null }[] = [];
    const read = async (): Promise<void> => {
      for await (const batch of cache.contents())
        files.push(...batch.map(({ path, stay }) => ({ path: path?.join('/') ?? '', stay })));
    };
    await run(read());
    t.same(files.map(({ path }) => path).sort(), ['docs/a', 'docs/b', 'docs/sub/c']);
    t.same(files.at(-1), { path: 'docs/a', stay: 'sticky' });
    const { limitBytes, files: count } = await run(cache.state());
    t.equal(count, 3);
    await t.rejects(run(cache.setLimit(5)), { kind: 'invalid' } as unknown as Error);
    await run(cache.setLimit(2_000_000));
    t.equal((await run(cache.state())).limitBytes, 2_000_000);
    await run(cache.setLimit(null));
    t.equal((await run(cache.state())).limitBytes, limitBytes);

    const seen: string[] = [];
    const stop = venus.hoard.watchOpens(({ user, path }) => seen.push(`${user} ${path?.join('/')}`));
    await run(get(venus, '/docs/a'));
    await run(get(venus, '/docs/sub/c', { user: 'bob' }));
    stop();
    await run(get(venus, '/docs/b'));
    t.same(seen, ['ann docs/a', 'bob docs/sub/c']);
    await run(venus.hoard.setPeriodic(false));
    t.equal(venus.hoard.state().periodic, false);
  });
}
