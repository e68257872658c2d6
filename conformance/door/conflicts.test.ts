/** Conflicts over real HTTP: versions beside a file, what happens to them, and the folder of all conflicts. */
import type { Test } from 'tap';
import { readMultistatus, type Listed } from '../../gateway/webdav/rehearsal.js';
import { textOf } from '../../gateway/webdav/xml-reader.js';
import type { ConflictReport, Fid } from '../../venus/interface.js';
import { makeStoreId, unionOf, venusOf, type VenusId } from '../../vice/interface/index.js';
import { authorization, caller, story, type Asked, type World } from './share.js';

const bobsTime = Date.UTC(2024, 0, 1, 12, 0, 0);
const bobs = 'plan (conflict bob g2 2024-01-01 12.00.00).txt';
const carols = 'plan (conflict carol g3 2024-01-01 13.00.00).txt';

/** Alice's plan.txt, which bob and carol have changed apart before: hers is shown. */
async function contested({ ask, venus }: World, folder = ''): Promise<Fid> {
  await ask('PUT', `${folder}/plan.txt`, { body: 'by alice' });
  const path = [...folder.split('/'), 'plan.txt'].filter((name) => name !== '');
  const { object } = await venus.lookup(caller, path);
  if (object === null) throw new Error('it was stored');
  const hour = 3_600_000;
  venus.addVersion(object.fid, { author: 'bob', host: 'g2', time: bobsTime, bytes: Buffer.from('by bob') });
  const carol = { author: 'carol', host: 'g3', time: bobsTime + hour, bytes: Buffer.from('by carol') };
  venus.addVersion(object.fid, carol);
  return object.fid;
}

function at(...names: readonly string[]): string {
  return `/${names.map(encodeURIComponent).join('/')}`;
}

async function listing({ ask }: World, path: string, body = ''): Promise<readonly Listed[]> {
  const reply = await ask('PROPFIND', path, { headers: { depth: '1' }, body });
  return readMultistatus(reply.body);
}

async function hrefs(world: World, path: string): Promise<readonly string[]> {
  return (await listing(world, path)).map(({ href }) => decodeURIComponent(href));
}

function moving(destination: string, headers: Asked['headers'] = {}): Asked {
  return { headers: { destination, ...headers } };
}

async function noConflict(t: Test, { venus }: World, ...names: readonly string[]): Promise<void> {
  t.same(venus.conflicts.count(), {}, 'nothing is left to decide');
  const listed: string[] = [];
  const { object } = await venus.lookup(caller, []);
  for await (const batch of venus.list(caller, object?.fid ?? ('' as Fid))) {
    for (const { name, status } of batch) {
      listed.push(name);
      t.equal(status.conflict, null, name);
    }
  }
  t.same(listed.sort(), [...names].sort());
}

story('the other versions of a file are files beside it, with an ETag of their own', async (t, world) => {
  const { ask } = world;
  await contested(world);
  const names = [`/plan.txt`, `/${bobs}`, `/${carols}`];
  t.same((await hrefs(world, '/')).slice(1).sort(), [...names].sort());
  const contents = await Promise.all(['plan.txt', bobs, carols].map((name) => ask('GET', at(name))));
  t.same(
    contents.map(({ body }) => body),
    ['by alice', 'by bob', 'by carol'],
  );
  const etags = contents.map(({ headers }) => headers.etag);
  t.equal(new Set(etags).size, 3);
  const again = await ask('GET', at(bobs), { headers: { 'if-none-match': etags[1] } });
  t.equal(again.status, 304);
  t.match(await ask('HEAD', at(bobs)), { status: 200, headers: { 'content-length': '6', etag: etags[1] } });
  t.match(await ask('GET', at(carols), { headers: { range: 'bytes=3-' } }), { status: 206, body: 'carol' });
  t.match((await ask('GET', '/')).body, /plan%20\(conflict%20bob/, 'also on the page');
});

story('what a conflict is, as properties, for who asks for them', async (t, world) => {
  await contested(world);
  const small = await listing(world, '/');
  t.notMatch(JSON.stringify(small.map(({ byStatus }) => byStatus)), /conflict|vector/);
  const asked = ['conflict', 'conflict-author', 'conflict-host', 'conflict-time', 'conflict-wanted']
    .map((name) => `<c:${name}/>`)
    .join('');
  const body = (inner: string): string =>
    `<propfind xmlns="DAV:" xmlns:c="urn:coda-gateway">${inner}</propfind>`;
  const all = await listing(world, '/', body(`<prop>${asked}<c:version-vector/></prop>`));
  const told = new Map(
    all.map(({ href, found }) => [decodeURIComponent(href), [...found.values()].map(textOf)]),
  );
  t.same(told.get('/'), [], 'the root has none of them');
  t.same(told.get('/plan.txt')?.slice(0, 3), ['versions', 'alice', 'memory']);
  t.same(told.get(`/${bobs}`)?.slice(0, 5), ['sibling', 'bob', 'g2', '2024-01-01T12:00:00.000Z', 'plan.txt']);
  t.ok(told.get(`/${bobs}`)?.length === 6, 'and the vector');
  const [, file] = await listing(world, '/', body('<propname/>'));
  t.ok(file?.found.has('{urn:coda-gateway}conflict'), 'propname names them');
  const included = await listing(world, '/', body('<allprop/><include><c:conflict/></include>'));
  t.ok(included[1]?.found.has('{urn:coda-gateway}conflict'));

  const set = '<set><prop><c:conflict>none</c:conflict></prop></set>';
  const update = `<propertyupdate xmlns="DAV:" xmlns:c="urn:coda-gateway">${set}</propertyupdate>`;
  t.match(
    (await world.ask('PROPPATCH', at(bobs), { body: update })).body,
    /cannot-modify-protected-property/,
  );
  const own = update.replaceAll('c:conflict', 'c:mine');
  const refused = await world.ask('PROPPATCH', at(bobs), { body: own });
  t.equal(refused.status, 207);
  t.match(refused.body, /HTTP\/1\.1 403/, 'a version in conflict has no properties of its own to set');
});

story('deleting the versions that are not wanted repairs the file', async (t, world) => {
  const { ask } = world;
  await contested(world);
  const { etag } = (await ask('HEAD', at(bobs))).headers;
  const carolsTag = (await ask('HEAD', at(carols))).headers.etag;
  t.equal((await ask('DELETE', at(bobs), { headers: { 'if-match': carolsTag } })).status, 412);
  t.equal((await ask('DELETE', at(bobs), { headers: { 'if-match': etag } })).status, 204);
  t.equal((await ask('GET', at(bobs))).status, 404);
  t.same(world.venus.conflicts.count(), { versions: 1 });
  t.equal((await ask('DELETE', at(carols))).status, 204);
  t.equal((await ask('GET', '/plan.txt')).body, 'by alice');
  await noConflict(t, world, 'plan.txt');
});

story('deleting the name gives up only what it shows: another version takes the name', async (t, world) => {
  const { ask } = world;
  await contested(world);
  t.equal((await ask('DELETE', '/plan.txt')).status, 204);
  t.equal((await ask('GET', '/plan.txt')).body, 'by carol', 'the one saved last');
  t.same((await hrefs(world, '/')).slice(1).sort(), ['/plan.txt', `/${bobs}`].sort());
  t.equal((await ask('DELETE', '/plan.txt')).status, 204);
  t.equal((await ask('GET', '/plan.txt')).body, 'by bob');
  await noConflict(t, world, 'plan.txt');
  t.equal((await ask('DELETE', '/plan.txt')).status, 204);
  t.equal((await ask('GET', '/plan.txt')).status, 404);
});

story(
  'a version moved over the name takes its place, moved elsewhere it is a file of its own',
  async (t, world) => {
    const { ask } = world;
    await contested(world);
    t.equal((await ask('MOVE', at(bobs), moving('/plan.txt', { overwrite: 'F' }))).status, 412);
    t.equal((await ask('MOVE', at(bobs), moving('/plan.txt'))).status, 204);
    t.equal((await ask('GET', '/plan.txt')).body, 'by bob');
    t.same((await hrefs(world, '/')).slice(1).sort(), ['/plan.txt', `/${carols}`].sort(), "carol's stays");
    const out = await ask('MOVE', at(carols), moving('/hers.txt', { 'x-oc-mtime': '1000000000' }));
    t.match(out, { status: 201, headers: { 'x-oc-mtime': 'accepted' } });
    t.match(await ask('GET', '/hers.txt'), {
      body: 'by carol',
      headers: { 'last-modified': 'Sun, 09 Sep 2001 01:46:40 GMT' },
    });
    await noConflict(t, world, 'plan.txt', 'hers.txt');
  },
);

story('writing, copying and moving over the name leave the other versions alone', async (t, world) => {
  const { ask } = world;
  const fid = await contested(world);
  const { etag } = (await ask('HEAD', '/plan.txt')).headers;
  const bobsTag = (await ask('HEAD', at(bobs))).headers.etag;
  t.equal((await ask('PUT', '/plan.txt', { body: 'x', headers: { 'if-match': bobsTag } })).status, 412);
  const merged = await ask('PUT', '/plan.txt', { body: 'merged', headers: { 'if-match': etag } });
  t.equal(merged.status, 204);
  t.equal((await ask('GET', '/plan.txt', { headers: { 'if-none-match': merged.headers.etag } })).status, 304);
  const beside = ['/plan.txt', `/${bobs}`, `/${carols}`].sort();
  t.same((await hrefs(world, '/')).slice(1).sort(), beside);

  // As editors save: a new file, moved over the old one.
  await ask('PUT', '/.plan.tmp', { body: 'saved by an editor' });
  t.equal((await ask('MOVE', '/.plan.tmp', moving('/plan.txt'))).status, 204);
  t.equal((await ask('GET', '/plan.txt')).body, 'saved by an editor');
  t.same((await hrefs(world, '/')).slice(1).sort(), beside);
  t.equal((await world.venus.lookup(caller, ['plan.txt'])).object?.fid, fid);

  await ask('PUT', '/other.txt', { body: 'copied' });
  t.equal((await ask('COPY', '/other.txt', moving('/plan.txt'))).status, 204);
  t.equal((await ask('GET', '/plan.txt')).body, 'copied');
  t.equal((await ask('COPY', at(bobs), moving('/bobs.txt'))).status, 201);
  t.equal((await ask('GET', '/bobs.txt')).body, 'by bob');
  t.equal((await ask('GET', at(bobs))).body, 'by bob', 'a copy takes nothing away');
  t.same(world.venus.conflicts.count(), { versions: 1 });
});

story('a version that is written to becomes a file of its own, in its place', async (t, world) => {
  const { ask } = world;
  await contested(world);
  const info =
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>';
  const lock = await ask('LOCK', at(bobs), { body: info });
  t.equal(lock.status, 200);
  t.equal((await ask('PUT', at(bobs), { body: 'x' })).status, 423);
  const held = { if: `(${String(lock.headers['lock-token'])})` };
  for (const body of ['edited', 'and once more']) {
    t.equal((await ask('PUT', at(bobs), { body, headers: held })).status, 204, body);
    t.equal((await ask('GET', at(bobs))).body, body);
  }
  const unlock = await ask('UNLOCK', at(bobs), { headers: { 'lock-token': lock.headers['lock-token'] } });
  t.equal(unlock.status, 204, 'the lock went with it');
  t.equal((await ask('DELETE', at(carols))).status, 204);
  await noConflict(t, world, 'plan.txt', bobs);
});

story('a lock on the name is not in the way of the other versions', async (t, world) => {
  const { ask } = world;
  await contested(world);
  const info =
    '<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>';
  const lock = await ask('LOCK', '/plan.txt', { body: info });
  t.equal(lock.status, 200);
  t.equal((await ask('DELETE', at(bobs))).status, 204);
  t.equal((await ask('MOVE', at(carols), moving('/plan.txt'))).status, 423, 'but it holds the name');
  t.equal((await ask('DELETE', '/plan.txt')).status, 423);
  const headers = { if: `(${String(lock.headers['lock-token'])})` };
  t.equal((await ask('PUT', '/plan.txt', { body: 'merged', headers })).status, 204);
  t.equal((await ask('DELETE', at(carols))).status, 204);
  t.equal((await ask('PUT', '/plan.txt', { body: 'again', headers })).status, 204, 'and is still held');
  await noConflict(t, world, 'plan.txt');
});

story('/.coda/conflicts/ has a folder for each conflict, with its versions', async (t, world) => {
  const { ask } = world;
  await ask('MKCOL', '/docs');
  await contested(world, '/docs');
  t.same(await hrefs(world, '/'), ['/', '/docs/'], 'the root does not list it');
  t.same(await hrefs(world, '/.coda'), ['/.coda/', '/.coda/conflicts/', '/.coda/snapshots/']);
  const folder = '/.coda/conflicts/docs - plan.txt/';
  t.same(await hrefs(world, '/.coda/conflicts'), ['/.coda/conflicts/', folder]);
  const inside = await listing(world, at('.coda', 'conflicts', 'docs - plan.txt'));
  const versions = ['plan.txt', bobs, carols].sort();
  const files = inside.slice(1).map(({ href }) => decodeURIComponent(href).slice(folder.length));
  t.same(files.sort(), versions);
  t.ok(
    inside.slice(1).every(({ found }) => found.has('{DAV:}getetag') && found.has('{DAV:}getlastmodified')),
  );
  const version = at('.coda', 'conflicts', 'docs - plan.txt', bobs);
  const got = await ask('GET', version);
  t.match(got, { status: 200, body: 'by bob' });
  t.equal((await ask('HEAD', version)).headers.etag, (await ask('HEAD', at('docs', bobs))).headers.etag);
  t.match((await ask('GET', '/.coda/conflicts/')).body, /docs%20-%20plan\.txt/);

  t.equal((await ask('COPY', version, moving('/taken.txt'))).status, 201);
  t.equal((await ask('GET', '/taken.txt')).body, 'by bob');
  t.equal((await ask('DELETE', version, { headers: { 'if-match': '"0-0"' } })).status, 412);
  t.equal((await ask('DELETE', version)).status, 204);
  t.equal((await ask('GET', version)).status, 404);
  t.equal((await ask('GET', at('docs', bobs))).status, 404, 'it is given up');
  const other = at('.coda', 'conflicts', 'docs - plan.txt', carols);
  t.equal((await ask('MOVE', other, moving('/docs/plan.txt'))).status, 204);
  t.equal((await ask('GET', '/docs/plan.txt')).body, 'by carol');
  t.same(world.venus.conflicts.count(), {});
  t.same(await hrefs(world, '/.coda/conflicts'), ['/.coda/conflicts/']);
});

story('what was expected of a version is expected of it at the moment of the change', async (t, world) => {
  const { ask, venus } = world;
  await contested(world);
  const version = at('.coda', 'conflicts', 'plan.txt', 'plan.txt');
  const { etag } = (await ask('GET', version)).headers;
  venus.beforeNext('conflicts.list', async () => {
    await ask('PUT', '/plan.txt', { body: 'overtaken' });
  });
  t.equal((await ask('DELETE', version, { headers: { 'if-match': etag } })).status, 412);
  t.equal((await ask('GET', '/plan.txt')).body, 'overtaken');
});

story('conflicts are announced as they come and go', async (t, world) => {
  const { url, venus } = world;
  const fid = await contested(world);
  const response = await fetch(new URL('/.coda/events', url), { headers: { authorization } });
  t.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  if (response.body === null) throw new Error('it has a body');
  const stream = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let said = '';
  const until = async (words: RegExp): Promise<void> => {
    for (let done = false; !done && !words.test(said);) {
      const next = await stream.read();
      done = next.done;
      said += next.value ?? '';
    }
    t.match(said, words);
  };
  await until(
    /^event: conflict\ndata: \{"path":"\/plan\.txt","kind":"versions","versions":\[\{"name":"plan\.txt"/m,
  );
  await venus.conflicts.repair(caller, fid, { keepAll: true });
  await until(/^event: conflict-gone\ndata: \{"path":"\/plan\.txt","kind":"versions"\}\n\n/m);
  const ending = performance.now();
  await world.close();
  t.ok(performance.now() - ending < 5_000, 'it does not keep the gateway from closing');
  t.notMatch(said, /"fid"/);
});

story('nothing else can be done in /.coda/', async (t, world) => {
  const { ask } = world;
  await contested(world);
  const member = '/.coda/conflicts/plan.txt';
  const options = await ask('OPTIONS', member);
  t.equal(options.status, 200);
  t.equal(options.headers['dav'], '1');
  t.notMatch(options.headers.allow, /PUT|LOCK/);
  for (const method of ['PUT', 'MKCOL', 'PROPPATCH', 'LOCK', 'UNLOCK']) {
    for (const path of ['/.coda', '/.coda/x', `${member}/x`]) {
      t.equal((await ask(method, path)).status, 403, `${method} ${path}`);
    }
  }
  for (const path of ['/.coda', '/.coda/conflicts', member]) {
    t.equal((await ask('DELETE', path)).status, 403, path);
    t.equal((await ask('MOVE', path, moving('/here'))).status, 403, path);
  }
  t.equal((await ask('MOVE', '/plan.txt', moving('/.coda/x'))).status, 403);
  t.equal((await ask('COPY', '/plan.txt', moving(`${member}/x`))).status, 403);
  for (const path of ['/.coda/x', '/.coda/conflicts/x', `${member}/x`, `${member}/plan.txt/x`]) {
    t.equal((await ask('GET', path)).status, 404, path);
  }
  t.equal((await ask('GET', '/.coda/healthz')).status, 200, 'the pages of the operator are there');
  const anonymous = await ask('PROPFIND', '/.coda/conflicts/', { headers: { authorization: '' } });
  t.equal(anonymous.status, 401);
  t.same(world.venus.conflicts.count(), { versions: 1 });
});

story('conflicts without contents explain themselves', async (t, world) => {
  const { ask, venus } = world;
  await ask('MKCOL', '/trip');
  await ask('MKCOL', '/trip%20(2)');
  const { object } = await venus.lookup(caller, ['trip (2)']);
  if (object === null) throw new Error('it was made');
  const stranger = makeStoreId('00000000000000cc' as VenusId, 1);
  const removers = { [venusOf(stranger)]: 1 };
  venus.alter(object.fid, (status) => ({
    ...status,
    known: unionOf(status.known, removers),
    places: status.places.map((place) => ({ ...place, name: 'trip' })),
    gone: removers,
  }));
  t.same(venus.conflicts.count(), { name: 1, removal: 1 });
  const folder = at('.coda', 'conflicts', 'trip (2)');
  t.same(await hrefs(world, folder), ['/.coda/conflicts/trip (2)/', '/.coda/conflicts/trip (2)/READ ME.txt']);
  const text = await ask('GET', `${folder}/READ%20ME.txt`);
  t.match(text, { status: 200, headers: { 'content-type': 'text/plain', etag: /^"/ } });
  t.match(text.body, /^\/trip \(2\)\n/);
  t.match(text.body, /under a name that another object keeps/);
  t.match(text.body, /^- trip, by alice at memory/m);
  t.match(text.body, /coda repair '\/trip \(2\)' --keep-all/);
  t.equal((await ask('COPY', `${folder}/`, moving('/copied'))).status, 201, 'it can be taken away to read');
  t.equal((await ask('GET', '/copied/READ%20ME.txt')).body, text.body);
  await venus.conflicts.repair(caller, object.fid, { keepAll: true });
  t.same(venus.conflicts.count(), {});
});

story(
  'where the last writer wins, what was overwritten is in a folder of its own',
  async (t, world) => {
    const { ask, venus } = world;
    await ask('MKCOL', '/docs');
    await contested(world, '/docs');
    t.same(await hrefs(world, '/docs'), ['/docs/', '/docs/plan.txt'], 'the others are not listed');
    t.equal((await ask('GET', at('docs', bobs))).status, 404);
    t.same(venus.conflicts.count(), {});
    t.same(await hrefs(world, '/.coda'), [
      '/.coda/',
      ...['conflicts', 'overwritten', 'snapshots'].map((name) => `/.coda/${name}/`),
    ]);
    t.same(await hrefs(world, '/.coda/conflicts'), ['/.coda/conflicts/']);
    const folder = '/.coda/overwritten/docs - plan.txt/';
    t.same(await hrefs(world, '/.coda/overwritten'), ['/.coda/overwritten/', folder]);
    const inside = await hrefs(world, at('.coda', 'overwritten', 'docs - plan.txt'));
    t.same([...inside].sort(), [folder, `${folder}${bobs}`, `${folder}${carols}`].sort());
    const version = (name: string): string => at('.coda', 'overwritten', 'docs - plan.txt', name);
    t.equal((await ask('GET', version(bobs))).body, 'by bob');
    t.equal((await ask('COPY', version(bobs), moving('/bobs.txt'))).status, 201);
    t.equal((await ask('GET', '/bobs.txt')).body, 'by bob');
    t.equal((await ask('DELETE', version(bobs))).status, 204);
    t.equal((await ask('GET', version(bobs))).status, 404);
    t.equal((await ask('MOVE', version(carols), moving('/docs/plan.txt'))).status, 204);
    t.equal((await ask('GET', '/docs/plan.txt')).body, 'by carol', 'it is back');
    t.same(await hrefs(world, '/.coda/overwritten'), ['/.coda/overwritten/']);
    t.equal((await ask('DELETE', '/docs/plan.txt')).status, 204);
    t.same(await hrefs(world, '/docs'), ['/docs/'], 'nothing takes the name');
  },
  { conflicts: 'last-writer-wins' },
);

story('a conflict that cannot be named is repaired through its folder', async (t, world) => {
  const { ask, venus } = world;
  const fid = await contested(world);
  // As if a folder above it could not be reached.
  const { conflicts } = venus;
  const list = conflicts.list.bind(conflicts);
  conflicts.list = async function* () {
    for await (const batch of list())
      yield batch.map((report): ConflictReport => ({ ...report, path: null }));
  };
  const [, member = ''] = await hrefs(world, '/.coda/conflicts');
  t.match(member, /^\/\.coda\/conflicts\/plan\.txt \([0-9a-f]{6}\)\/$/);
  const version = (name: string): string => at(...member.split('/').filter((part) => part !== ''), name);
  t.equal((await ask('DELETE', version(carols))).status, 204, 'one of three is given up alone');
  t.equal((await ask('GET', '/plan.txt')).body, 'by alice');
  t.equal((await ask('GET', version(bobs))).body, 'by bob');
  t.equal((await ask('MOVE', version(bobs), moving('/rescued.txt'))).status, 201);
  t.equal((await ask('GET', '/rescued.txt')).body, 'by bob');
  t.same(venus.conflicts.count(), {});
  const repair = venus.conflicts.repair.bind(venus.conflicts);
  venus.addVersion(fid, { author: 'bob', host: 'g2', time: bobsTime, bytes: Buffer.from('by bob') });
  venus.conflicts.repair = async () => {
    venus.conflicts.repair = repair;
    await repair(caller, fid, { keepAll: true });
    return repair(caller, fid, { keepAll: true });
  };
  t.equal((await ask('DELETE', version(bobs))).status, 404, 'somebody else has decided meanwhile');
});
