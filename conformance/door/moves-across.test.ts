/**
 * MOVE where the destination is in another volume, as Venus says by refusing the rename: a copy and a removal that look
 * like one step. (With real volumes: conformance/simulation/moves-across.test.ts.)
 */
import type { Test } from 'tap';
import { Failure } from '../../venus/interface.js';
import { caller, story, type World } from './share.js';

async function withFolder({ ask, venus }: World): Promise<void> {
  for (const path of ['/d', '/d/e']) await ask('MKCOL', path);
  for (const path of ['/d/a', '/d/e/b']) await ask('PUT', path, { body: path });
  venus.failNext('rename', new Failure('cross-volume', 'memory.rename', 'another volume'));
}

async function isAt(t: Test, { contents, names }: World, folder: string): Promise<void> {
  t.same([...(await names(folder))].sort(), ['a', 'e']);
  t.equal(await contents(`${folder}/a`), '/d/a');
  t.equal(await contents(`${folder}/e/b`), '/d/e/b');
}

const fresh = { destination: '/x', overwrite: 'F' };

story('a folder moves to another volume, and loses its locks', async (t, world) => {
  const { ask, names, venus } = world;
  await withFolder(world);
  const before = (await venus.lookup(caller, ['d'])).object?.fid;
  const lock =
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>';
  const token = String((await ask('LOCK', '/d/a', { body: lock })).headers['lock-token']);
  t.equal((await ask('MOVE', '/d', { headers: fresh })).status, 423);
  t.equal((await ask('MOVE', '/d', { headers: { ...fresh, if: `</d/a> (${token})` } })).status, 201);
  t.same(await names(), ['x']);
  await isAt(t, world, 'x');
  t.not((await venus.lookup(caller, ['x'])).object?.fid, before, 'it is another object');
  t.equal((await ask('PUT', '/x/a', { body: 'new' })).status, 204, 'without a token');
  t.same(venus.leases.all(), []);
});

story('a file moves over another one', async (t, world) => {
  const { ask, contents, names } = world;
  await withFolder(world);
  await ask('PUT', '/x', { body: 'old' });
  t.equal((await ask('MOVE', '/d/a', { headers: fresh })).status, 412);
  t.equal((await ask('MOVE', '/d/a', { headers: { destination: '/x' } })).status, 204);
  t.equal(await contents('x'), '/d/a');
  t.same(await names('d'), ['e']);
});

story('what fails before the copy is whole leaves everything as it was', async (t, world) => {
  const { ask, names, venus } = world;
  for (const operation of ['copy', 'list', 'setModified', 'access'] as const) {
    await ask('DELETE', '/d');
    await withFolder(world);
    await ask('MKCOL', '/x');
    // The first of it is there already.
    venus.beforeNext('copy', async () => {
      venus.beforeNext('copy', async () => venus.failNext(operation, new Failure('quota', 'memory', 'full')));
    });
    t.equal((await ask('MOVE', '/d', { headers: { destination: '/x' } })).status, 507, operation);
    t.same([...(await names())].sort(), ['d', 'x'], operation);
    t.same(await names('x'), []);
    await isAt(t, world, 'd');
  }
});

story('what is changed meanwhile stays, and the answer says so', async (t, world) => {
  const { ask, contents, names, venus } = world;
  await withFolder(world);
  venus.beforeNext('remove', async () => {
    const [aside = ''] = (await names()).filter((name) => name.startsWith('.moved-'));
    await ask('PUT', `/${aside}/e/b`, { body: 'changed' });
  });
  const { status, body } = await ask('MOVE', '/d', { headers: fresh });
  t.equal(status, 207);
  t.match(body, '<D:href>/d/e/b</D:href><D:status>HTTP/1.1 409 Conflict</D:status>');
  t.notMatch(body, '<D:href>/d/e/</D:href>', 'its folders stay for it, as goes without saying');
  await isAt(t, world, 'x');
  t.equal(await contents('d/e/b'), 'changed');
  t.same(await names('d'), ['e']);
});

async function tellOfAFolderNotToBeEmptied(t: Test, world: World): Promise<void> {
  const { ask, names, venus } = world;
  await withFolder(world);
  const e = (await venus.lookup(caller, ['d', 'e'])).object;
  if (e === null) throw new Error('there is no e');
  await venus.setAccess({ user: 'root' }, e.fid, { positive: { alice: 9 }, negative: {} });
  const { status, body } = await ask('MOVE', '/d', { headers: fresh });
  t.equal(status, 403);
  t.match(body, 'You may remove nothing from e');
  t.same(await names(), ['d']);
}

story('who may remove nothing from a folder does not move it', tellOfAFolderNotToBeEmptied, {
  groups: { 'System:Administrators': ['root'] },
});
