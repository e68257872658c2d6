/** Changes that fail, or for which somebody else was faster: what their authors are told, and what is left of them. */
import t from 'tap';
import { isFailure, type Fid, type Name, type Venus } from '../../venus/interface.js';
import { silentLog } from '../../vice/seam/log.js';
import { caller, get, list, makeDirectory, pathOf, put, remove } from './share.js';
import { SimulatedRealm, type SimulatedRealmOptions } from './simulated-realm.js';

t.setTimeout(300_000);

async function started(options: SimulatedRealmOptions) {
  const realm = new SimulatedRealm(options);
  for (const name of realm.serverNames) await realm.startServer(name);
  const [g1, g2] = [await realm.startGateway('g1'), await realm.startGateway('g2')];
  await realm.clock.advance(2000);
  return { realm, g1, g2 };
}

/** What `venus` shows there: the object, and its name. */
async function shown(venus: Venus, path: string): Promise<Name & { readonly fid: Fid }> {
  const { parent, name, object } = await venus.lookup(caller, pathOf(path));
  if (parent === null || object === null) throw new Error(`there is no ${path}`);
  return { parent, name, fid: object.fid };
}

async function conflictsOf(venus: Venus): Promise<number> {
  let count = 0;
  for await (const batch of venus.conflicts.list(caller)) count += batch.length;
  return count;
}

async function outcomeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (isFailure(error) ? error.kind : String(error)),
  );
}

t.test('a copy that fails leaves what it should have replaced', async (t) => {
  const { realm, g1 } = await started({ seed: 1 });
  await realm.finish(makeDirectory(g1, 'folder'));
  await realm.finish(put(g1, 'folder/inside', 'of two years'));
  await realm.finish(put(g1, 'file', 'x'.repeat(100)));
  for (const name of realm.serverNames) realm.disk(name).store.leave(0);
  const copy = async (): Promise<unknown> =>
    g1.copy(caller, (await shown(g1, 'file')).fid, await shown(g1, 'folder'), { replace: true });
  t.equal(await realm.finish(outcomeOf(copy())), 'no-space');
  t.same(await realm.finish(list(g1, 'folder')), ['inside']);
  t.equal(await realm.finish(get(g1, 'folder/inside')), 'of two years');

  for (const name of realm.serverNames) realm.disk(name).store.leave(Infinity);
  t.equal(await realm.finish(outcomeOf(copy())), 'done');
  t.equal(await realm.finish(get(g1, 'folder')), 'x'.repeat(100), 'with room it takes its place');
});

t.test(
  'an author is told the version of what he wrote, not of what somebody else has made of it',
  async (t) => {
    const { realm, g1, g2 } = await started({ seed: 2, flushMs: 60 });
    await realm.finish(get(g2, 'notes'));
    // The third server hears of it late: meanwhile the others have it, and g1 goes on with it.
    realm.network.cutOneWay('g2', 's3');
    const writing = put(g2, 'notes', 'from g2');
    await realm.clock.advance(200);
    t.equal(await realm.finish(get(g1, 'notes')), 'from g2');
    await realm.finish(put(g1, 'notes', 'from g1, who has seen it'));
    await realm.finish(put(g1, 'other', 'by which g2 hears of the folder'));
    realm.network.healOneWay('g2', 's3');
    t.equal(await realm.finish(get(g2, 'notes')), 'from g1, who has seen it');
    const { version, length } = await realm.finish(writing);
    t.equal(length, 'from g2'.length);
    const { object } = await realm.finish(g2.lookup(caller, ['notes']));
    t.equal(object?.length, 'from g1, who has seen it'.length);
    t.not(version, object?.version);

    const { parent } = await realm.finish(shown(g2, 'notes'));
    const next = async (): Promise<unknown> => {
      const writer = await g2.write(caller);
      await writer.write(Buffer.from('unseen'));
      return writer.close({ parent, name: 'notes', expect: { version } });
    };
    t.equal(await realm.finish(outcomeOf(next())), 'changed', 'what he has not seen he does not replace');
    t.equal(await realm.finish(get(g1, 'notes')), 'from g1, who has seen it');
  },
);

t.test('a large file saved while it is removed is there, at once and without a conflict', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 3, servers: 1, flushMs: 60 });
  await realm.finish(put(g1, 'report', 'base'));
  await realm.finish(get(g2, 'report'));
  realm.traffic.get('g2')?.take();
  const begin = realm.clock.monotonic();
  const saving = put(g2, 'report', 'r'.repeat(100_000));
  await realm.finish(remove(g1, 'report'));
  await realm.finish(saving);
  const { mutate, upload } = realm.traffic.get('g2')?.take() ?? {};
  t.equal(mutate, 2, 'refused as the object is gone; the second one makes a new one');
  t.equal(upload, 1, 'the server still has the contents');
  t.ok(realm.clock.monotonic() - begin < 500);
  t.equal((await realm.finish(get(g1, 'report')))?.length, 100_000);
  await realm.clock.advance(10_000);
  t.equal(await realm.finish(conflictsOf(g1)), 0);
});

t.test('a file saved while its removal is on its way to a slow disk is made anew', async (t) => {
  const { realm, g1, g2 } = await started({ seed: 7, servers: 1, flushMs: 300 });
  await realm.finish(put(g1, 'report', 'base'));
  await realm.finish(get(g2, 'report'));
  // With a gateway's first change the server notes who it is: one more flush.
  await realm.finish(put(g2, 'other', 'first'));
  const removing = remove(g1, 'report');
  await realm.clock.advance(10);
  t.equal(await realm.finish(outcomeOf(put(g2, 'report', 'saved'))), 'done');
  await realm.finish(removing);
  t.equal(await realm.finish(get(g1, 'report')), 'saved');
  await realm.clock.advance(10_000);
  t.equal(await realm.finish(conflictsOf(g1)), 0);
});

t.test('nothing is left at the servers of a body that was given up', async (t) => {
  const { realm, g1 } = await started({ seed: 4 });
  const writer = await realm.finish(g1.write(caller));
  await realm.finish(writer.write(Buffer.alloc(300_000)));
  await realm.clock.advance(100);
  const spools = (): readonly number[] =>
    realm.serverNames.map((name) => realm.disk(name).containers.openSpools);
  t.same(spools(), [1, 1, 1]);
  await realm.finish(writer.abort());
  await realm.clock.advance(100);
  t.same(spools(), [0, 0, 0]);
});

t.test('a step of resolution that fails leaves no contents that nobody needs', async (t) => {
  let failed: () => void = () => undefined;
  const failure = new Promise<void>((resolve) => (failed = resolve));
  const warn = (event: string): void => {
    if (event === 'not resolved') failed();
  };
  const { realm, g1 } = await started({ seed: 5, flushMs: 4, log: { ...silentLog, warn } });
  realm.kill('s1');
  const names = Array.from({ length: 8 }, (_, index) => `file-${index}`);
  for (const name of names) await realm.finish(put(g1, name, `contents of ${name}`));
  await realm.startServer('s1');
  const { containers } = realm.disk('s1');
  containers.failNext();
  await realm.finish(failure);
  for (const other of ['s2', 's3', 'g1', 'g2']) realm.network.cut('s1', other);
  await realm.clock.advance(5000);
  for (const name of names) await realm.finish(remove(g1, name));
  for (const other of ['s2', 's3', 'g1', 'g2']) realm.network.heal('s1', other);
  await realm.clock.advance(60_000);
  t.same(containers.digests, []);
});
