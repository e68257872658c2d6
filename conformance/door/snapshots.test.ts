/** Snapshots over real HTTP: the share as it was, read like the share, and never changed. */
import { readMultistatus } from '../../gateway/webdav/rehearsal.js';
import { story, type World } from './share.js';

const noon = Date.UTC(2024, 0, 1, 12, 0, 0);

async function hrefs({ ask }: World, path: string): Promise<readonly string[]> {
  const reply = await ask('PROPFIND', path, { headers: { depth: '1' } });
  return readMultistatus(reply.body).map(({ href }) => decodeURIComponent(href));
}

/** A folder with a letter in it, kept as "noon", then all of it changed. */
async function yesterday({ ask, venus }: World): Promise<void> {
  await ask('MKCOL', '/letters');
  await ask('PUT', '/letters/offer.txt', { body: 'the old offer', headers: { 'x-oc-mtime': '1600000000' } });
  await ask('MKCOL', '/letters/old');
  await ask('PUT', '/letters/old/first.txt', { body: 'the first one' });
  venus.snapshots.take('noon', noon);
  await ask('PUT', '/letters/offer.txt', { body: 'a new offer' });
  await ask('DELETE', '/letters/old');
}

story('yesterday is a folder: listed, looked at, read in whole and in part', async (t, world) => {
  const { ask } = world;
  t.same(await hrefs(world, '/.coda/snapshots'), ['/.coda/snapshots/'], 'there are none yet');
  await yesterday(world);
  t.same(await hrefs(world, '/.coda/snapshots'), ['/.coda/snapshots/', '/.coda/snapshots/noon/']);
  t.same(await hrefs(world, '/.coda/snapshots/noon'), [
    '/.coda/snapshots/noon/',
    '/.coda/snapshots/noon/letters/',
  ]);
  t.same(
    [...(await hrefs(world, '/.coda/snapshots/noon/letters'))].sort(),
    ['', 'offer.txt', 'old/'].map((name) => `/.coda/snapshots/noon/letters/${name}`),
  );
  const old = await ask('GET', '/.coda/snapshots/noon/letters/offer.txt');
  t.match(old, { status: 200, body: 'the old offer' });
  t.equal((await ask('GET', '/letters/offer.txt')).body, 'a new offer');
  const part = await ask('GET', '/.coda/snapshots/noon/letters/offer.txt', {
    headers: { range: 'bytes=4-6' },
  });
  t.match(part, { status: 206, body: 'old' });
  const same = { headers: { 'if-none-match': old.headers.etag ?? '' } };
  t.equal((await ask('GET', '/.coda/snapshots/noon/letters/offer.txt', same)).status, 304);
  t.match((await ask('GET', '/.coda/snapshots/noon/letters')).body, /offer\.txt/, 'also as a page');
  for (const nothing of ['never', 'noon/nothing', 'noon/letters/offer.txt/below', 'noon/a/b']) {
    t.equal((await ask('GET', `/.coda/snapshots/${nothing}`)).status, 404, nothing);
  }
  const told = await ask('PROPFIND', '/.coda/snapshots', { headers: { depth: '1' } });
  t.match(told.body, /Mon, 01 Jan 2024 12:00:00 GMT/, 'a snapshot has the time when it was taken');
});

story('copied out of it, old versions are back, with what belongs to them', async (t, world) => {
  const { ask } = world;
  await yesterday(world);
  const to = (destination: string, overwrite: 'T' | 'F'): { headers: Record<string, string> } => {
    return { headers: { destination, overwrite } };
  };
  const from = '/.coda/snapshots/noon/letters';
  t.equal((await ask('COPY', `${from}/offer.txt`, to('/letters/offer.txt', 'F'))).status, 412);
  t.equal((await ask('COPY', `${from}/offer.txt`, to('/letters/offer.txt', 'T'))).status, 204);
  const back = await ask('GET', '/letters/offer.txt');
  t.match(back, { body: 'the old offer', headers: { 'last-modified': 'Sun, 13 Sep 2020 12:26:40 GMT' } });
  t.equal((await ask('COPY', `${from}/old`, to('/letters/old again', 'F'))).status, 201);
  t.equal((await ask('GET', '/letters/old%20again/first.txt')).body, 'the first one');
  t.equal(
    (await ask('PUT', '/letters/old%20again/first.txt', { body: 'mine' })).status,
    204,
    'and are changed',
  );
  t.equal((await ask('GET', `${from}/old/first.txt`)).body, 'the first one');
});

story('nothing in it can be changed, and the answer says what to do', async (t, world) => {
  const { ask } = world;
  await yesterday(world);
  const from = '/.coda/snapshots/noon/letters';
  const attempts = [
    ['PUT', `${from}/offer.txt`, { body: 'x' }],
    ['PUT', `${from}/new.txt`, { body: 'x' }],
    ['DELETE', `${from}/offer.txt`, {}],
    ['DELETE', '/.coda/snapshots/noon', {}],
    ['MKCOL', `${from}/folder`, {}],
    ['MKCOL', '/.coda/snapshots/mine', {}],
    ['MOVE', `${from}/offer.txt`, { headers: { destination: '/taken.txt' } }],
    ['LOCK', `${from}/offer.txt`, {}],
    ['PROPPATCH', `${from}/offer.txt`, {}],
  ] as const;
  for (const [method, path, asked] of attempts) {
    const reply = await ask(method, path, asked);
    t.match(reply, { status: 403, body: /copy out of it what you need/ }, `${method} ${path}`);
  }
  const into = { headers: { destination: `${from}/offer.txt` } };
  t.equal((await ask('COPY', '/letters/offer.txt', into)).status, 403);
  t.equal((await ask('MOVE', '/letters/offer.txt', into)).status, 403);
  t.equal((await ask('GET', `${from}/offer.txt`)).body, 'the old offer');
});

story('while nobody can be asked, that is the answer', async (t, world) => {
  const { ask, venus } = world;
  await yesterday(world);
  venus.snapshots.isReachable = false;
  t.equal((await ask('GET', '/.coda/snapshots/noon/letters/offer.txt')).status, 503);
  t.equal((await ask('PROPFIND', '/.coda/snapshots', { headers: { depth: '1' } })).status, 503);
  t.equal(
    (await ask('PROPFIND', '/.coda', { headers: { depth: '1' } })).status,
    207,
    'conflicts are still seen',
  );
});
