/** Names of large directories come and go some at a time; what others do meanwhile is not lost. */
import t from 'tap';
import type { DirectoryEntry, Fid } from '../../vice/interface/index.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { DirectoryNames, type Replacement } from './directory-names.js';

const directory = '7f000001.1.1' as Fid;
const many = 1000;

const entry = (number: number, vnode = number): DirectoryEntry => ({
  name: `name-${`${number}`.padStart(4, '0')}`,
  fid: `7f000001.${vnode.toString(16)}.00000000000000aa` as Fid,
  kind: 'file',
});
const named = (...entries: readonly DirectoryEntry[]): Map<string, DirectoryEntry> =>
  new Map(entries.map((each) => [each.name, each]));
const numbered = (count: number): Map<string, DirectoryEntry> =>
  named(...Array.from({ length: count }, (_, number) => entry(number)));

interface Stand {
  readonly names: DirectoryNames;
  /** As a gateway finds them that is started now. */
  readonly afterRestart: () => Promise<ReadonlyMap<string, DirectoryEntry>>;
  readonly heard: string[];
}

async function stand(entries = numbered(0)): Promise<Stand> {
  const heard: string[] = [];
  const listener = {
    come: (_: Fid, { name }: DirectoryEntry) => heard.push(`+${name}`),
    gone: (_: Fid, { name }: DirectoryEntry) => heard.push(`-${name}`),
    lost: (_: Fid, name: string) => heard.push(`!${name}`),
  };
  const store = new MemoryStore({});
  const before = new WriteBuffer(store);
  const filled = new DirectoryNames(before, {
    come: () => undefined,
    gone: () => undefined,
    lost: () => undefined,
  });
  for (const each of entries.values()) filled.bind(directory, each);
  await before.flush();
  const buffer = new WriteBuffer(store);
  const afterRestart = async (): Promise<ReadonlyMap<string, DirectoryEntry>> => {
    await buffer.flush();
    return new DirectoryNames(new WriteBuffer(store), listener).all(directory);
  };
  return { names: new DirectoryNames(buffer, listener), afterRestart, heard };
}

/** Does `act` at the `at`th pause. */
function pausing(at: number, act: () => void): () => Promise<void> {
  let pauses = 0;
  return () => {
    if ((pauses += 1) === at) act();
    return Promise.resolve();
  };
}

const done = (changes: Partial<Replacement>): Replacement => ({
  pause: () => Promise.resolve(),
  isDue: () => true,
  onMany: () => undefined,
  onDone: () => undefined,
  ...changes,
});

t.test('what is bound and unbound while names are read from the disk holds', async (t) => {
  const { names, afterRestart } = await stand(numbered(many));
  const pause = pausing(3, () => {
    // Behind what has been read, before it, and what has not been read yet.
    names.bind(directory, entry(2, 0x5000));
    names.unbind(directory, entry(3).name);
    names.unbind(directory, entry(many - 1).name);
    names.bind(directory, entry(many + 5));
  });
  await names.load(directory, pause);
  t.ok(names.isLoaded(directory));
  const due = numbered(many);
  due.set(entry(2).name, entry(2, 0x5000));
  for (const number of [3, many - 1]) due.delete(entry(number).name);
  due.set(entry(many + 5).name, entry(many + 5));
  const byName = (map: ReadonlyMap<string, DirectoryEntry>): unknown => [...map.entries()].sort();
  t.same(byName(names.all(directory)), byName(due));
  t.same(byName(await afterRestart()), byName(due), 'in memory as on the disk (DN-1)');
});

t.test('a directory that is dropped while it is read has no names', async (t) => {
  const { names } = await stand(numbered(many));
  await names.load(
    directory,
    pausing(2, () => {
      names.drop(directory);
      names.bind(directory, entry(7));
    }),
  );
  t.same([...names.all(directory).values()], [entry(7)], 'but those that were bound since');
});

t.test(
  'many new names come by several transactions, and are said to be whole with the last one',
  async (t) => {
    const { names, afterRestart, heard } = await stand(named(entry(0), entry(5000)));
    const said: string[] = [];
    const replaced = await names.replace(
      directory,
      numbered(many),
      done({ onMany: () => said.push('many'), onDone: () => said.push(`done at ${heard.length}`) }),
    );
    t.ok(replaced);
    t.same(said, ['many', `done at ${many}`]);
    t.same(
      [heard[0], heard[1]],
      ['-name-5000', '+name-0001'],
      'what is gone first; what stays is not touched',
    );
    t.equal((await afterRestart()).size, many);
    const few: string[] = [];
    const less = numbered(many - 1);
    await names.replace(directory, less, done({ onMany: () => few.push('many') }));
    t.same(few, [], 'one name less is one transaction');
    t.equal((await afterRestart()).size, many - 1);
  },
);

t.test('what is bound while names are replaced holds, and they are not said to be whole', async (t) => {
  for (const at of [1, 2, 4]) {
    const { names, afterRestart } = await stand();
    let isDone = false;
    const pause = pausing(at, () => {
      names.bind(directory, entry(0, 0x5000));
      names.unbind(directory, entry(many - 1).name);
    });
    const replaced = await names.replace(
      directory,
      numbered(many),
      done({ pause, onDone: () => (isDone = true) }),
    );
    t.notOk(replaced || isDone);
    for (const map of [names.all(directory), await afterRestart()]) {
      t.equal(map.get(entry(0).name)?.fid, entry(0, 0x5000).fid);
      t.notOk(map.has(entry(many - 1).name));
    }
  }
});

t.test('names that are not due any more change nothing', async (t) => {
  const { names, afterRestart } = await stand(named(entry(1)));
  t.notOk(await names.replace(directory, numbered(3), done({ isDue: () => false })));
  t.same([...(await afterRestart()).values()], [entry(1)]);
});

t.test('one name is found without the others', async (t) => {
  const { names } = await stand(numbered(3));
  t.same(names.entry(directory, entry(1).name), entry(1));
  t.equal(names.entry(directory, 'nothing'), undefined);
  t.notOk(names.isEmpty(directory));
  names.bind(directory, entry(9));
  t.notOk(names.isLoaded(directory), 'and changed without them');
  t.equal(names.all(directory).size, 4);
});
