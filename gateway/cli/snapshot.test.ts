/** `coda volume snapshot` and what is seen of it in the mount: a real realm, from outside. */
import t from 'tap';
import { z } from 'zod';
import { Realm } from '../../conformance/realm.js';
import { until } from '../../conformance/program.js';

t.setTimeout(300_000);

const listSchema = z.object({
  snapshots: z.array(
    z.object({
      volume: z.string(),
      name: z.string(),
      servers: z.array(z.string()),
      lacking: z.array(z.string()),
    }),
  ),
  silent: z.array(z.object({ server: z.string() })),
});

t.test('yesterday is kept at every server, read in the mount, and deleted again', async (t) => {
  const realm = await Realm.start({ servers: 2, gateways: 1 });
  t.teardown(() => realm.stop());
  const client = realm.client();
  t.teardown(() => client.close());
  const said = async (code: number, pattern: RegExp, ...args: string[]): Promise<string> => {
    const ended = await realm.coda('volume', 'snapshot', ...args);
    t.equal(ended.code, code, `coda volume snapshot ${args.join(' ')}: ${ended.output}`);
    t.match(ended.output, pattern, args.join(' '));
    return ended.stdout;
  };
  const listed = async (): Promise<z.infer<typeof listSchema>> => {
    return listSchema.parse(JSON.parse(await said(0, /snapshots/, 'list', '--json')));
  };
  const got = async (path: string): Promise<string> => {
    const { status, body } = await client.request('GET', path);
    return status === 200 ? body.toString() : `${status}`;
  };

  const large = Buffer.alloc(3_000_000, 'the old plan. ');
  await client.request('MKCOL', '/letters');
  await client.request('PUT', '/letters/offer.txt', { body: 'the old offer' });
  await client.request('PUT', '/letters/plan.pdf', { body: large });
  await client.request('MKCOL', '/drawings');
  await said(0, /there are no snapshots/, 'list');
  await said(0, /noon of volume root is taken, at s1, s2; read it under/, 'create', 'root', 'noon');
  await said(0, /was taken before/, 'create', 'root', 'noon');
  await said(2, /no name of a snapshot/, 'create', 'root', 'a/b');
  await said(4, /no volume "rot"/, 'create', 'rot', 'noon');

  await client.request('PUT', '/letters/offer.txt', { body: 'a new offer' });
  await client.request('PUT', '/letters/plan.pdf', { body: 'nothing of it is left' });
  await client.request('DELETE', '/drawings');
  await said(0, /is taken/, 'create', 'root');
  const after = await listed();
  t.match(after.snapshots, [
    { volume: 'root', name: 'noon', servers: ['s1', 's2'], lacking: [] },
    { volume: 'root', name: /^\d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d$/, servers: ['s1', 's2'] },
  ]);

  t.same(await client.list('/.coda/snapshots/noon'), [
    '/.coda/snapshots/noon/drawings/',
    '/.coda/snapshots/noon/letters/',
  ]);
  t.equal(await got('/.coda/snapshots/noon/letters/offer.txt'), 'the old offer');
  t.equal(await got('/letters/offer.txt'), 'a new offer');
  const plan = await client.request('GET', '/.coda/snapshots/noon/letters/plan.pdf');
  t.ok(plan.body.equals(large), 'contents that no file has any more');
  t.equal((await client.request('PUT', '/.coda/snapshots/noon/x', { body: 'x' })).status, 403);
  const back = await client.request('COPY', '/.coda/snapshots/noon/letters/offer.txt', {
    headers: { destination: client.absolute('/letters/offer%20of%20noon.txt') },
  });
  t.equal(back.status, 201);
  t.equal(await got('/letters/offer%20of%20noon.txt'), 'the old offer');

  const killed = await realm.kill('s1');
  await realm.restarted('s1', killed);
  await until('s1 to tell of its snapshots again', 60_000, async () => {
    const { snapshots } = await listed();
    return snapshots[0]?.servers.includes('s1') === true ? true : undefined;
  });
  const scrub = await realm.coda('scrub', '--wait');
  t.equal(scrub.code, 0, scrub.output);

  await said(0, /noon of volume root is deleted, at s1, s2/, 'delete', 'root', 'noon');
  await said(4, /no snapshot of volume root "noon"/, 'delete', 'root', 'noon');
  await until('the gateway to hear of it', 30_000, async () => {
    return (await got('/.coda/snapshots/noon/letters/offer.txt')) === '404' ? true : undefined;
  });
  t.equal((await listed()).snapshots.length, 1);
});

t.test('when all replicas have moved, the snapshot is there, is read, and is restored', async (t) => {
  const realm = await Realm.start({ servers: 1, gateways: 1 });
  t.teardown(() => realm.stop());
  const client = realm.client();
  t.teardown(() => client.close());
  const said = async (pattern: RegExp, ...args: string[]): Promise<string> => {
    const ended = await realm.coda(...args);
    t.equal(ended.code, 0, `coda ${args.join(' ')}: ${ended.output}`);
    t.match(ended.output, pattern, args.join(' '));
    return ended.stdout;
  };
  const large = Buffer.alloc(3_000_000, 'the old plan. ');
  await client.request('MKCOL', '/letters');
  await client.request('PUT', '/letters/offer.txt', { body: 'the old offer' });
  await client.request('PUT', '/letters/plan.pdf', { body: large });
  await said(/is taken, at s1/, 'volume', 'snapshot', 'create', 'root', 'noon');
  await client.request('PUT', '/letters/plan.pdf', { body: 'nothing of it is left' });
  await client.request('DELETE', '/letters/offer.txt');
  await said(/holds all of it, on s1/, 'volume', 'snapshot', 'restore', 'root', 'noon');

  await said(/s2/, 'server', 'add', 's2');
  await said(/s2/, 'volume', 'replica', 'move', 'root', 's1', 's2');
  const after = listSchema.parse(
    JSON.parse(await said(/noon/, 'volume', 'snapshot', 'list', 'root', '--json')),
  );
  t.match(after.snapshots, [{ name: 'noon', servers: ['s2'], lacking: [] }], 'as soon as the move is done');
  const plan = await client.request('GET', '/.coda/snapshots/noon/letters/plan.pdf');
  t.ok(plan.body.equals(large), 'contents that no file has any more');
  const offer = await client.request('GET', '/.coda/snapshots/noon/letters/offer.txt');
  t.equal(offer.body.toString(), 'the old offer');

  await said(/is there already: it was restored from that/, 'volume', 'snapshot', 'restore', 'root', 'noon');
  await said(/holds all of it, on s2/, 'volume', 'snapshot', 'restore', 'root', 'noon', '--as', 'again');
  await said(/again/, 'volume', 'mount', 'again', '/again');
  await until('the gateway to show what was restored', 60_000, async () => {
    const got = await client.request('GET', '/again/letters/plan.pdf');
    return got.status === 200 && got.body.equals(large) ? true : undefined;
  });
  const scrub = await realm.coda('scrub', '--wait');
  t.equal(scrub.code, 0, scrub.output);
});

const putBackSchema = z.object({
  copied: z.object({ files: z.number(), folders: z.number() }),
  passedOver: z.object({ files: z.number() }),
  refused: z.array(z.object({ path: z.string(), reason: z.string() })),
  beside: z.array(z.object({ path: z.string(), name: z.string() })),
  sent: z.boolean(),
});

t.test('files and folders come back where they were, and never over what is there', async (t) => {
  const realm = await Realm.start({ servers: 1, gateways: 1 });
  t.teardown(() => realm.stop());
  const client = realm.client();
  t.teardown(() => client.close());
  const day = new Date().toISOString().slice(0, 10);
  const restored = async (code: number, ...args: string[]): Promise<z.infer<typeof putBackSchema>> => {
    const ended = await realm.coda('volume', 'snapshot', 'restore', ...args, '--json');
    t.equal(ended.code, code, `restore ${args.join(' ')}: ${ended.output}`);
    return putBackSchema.parse(JSON.parse(ended.stdout));
  };
  const got = async (path: string): Promise<string> => {
    const { status, body } = await client.request('GET', encodeURI(path));
    return status === 200 ? body.toString() : `${status}`;
  };

  await client.request('MKCOL', '/docs');
  await client.request('MKCOL', '/docs/deep');
  for (const name of ['plan.txt', 'gone.txt', 'same.txt', 'deep/one.txt'])
    await client.request('PUT', `/docs/${name}`, { body: `the old ${name}` });
  await client.request('PUT', '/note', { body: 'an old note' });
  t.equal((await realm.coda('volume', 'snapshot', 'create', 'root', 'noon')).code, 0);
  await client.request('PUT', '/docs/plan.txt', { body: 'a new plan' });
  await client.request('DELETE', '/docs/gone.txt');
  await client.request('DELETE', '/docs/deep');
  await client.request('PUT', '/docs/new.txt', { body: 'new' });
  await client.request('DELETE', '/note');

  const one = await restored(0, 'root', 'noon', '/note', 'docs/plan.txt');
  t.match(one, {
    copied: { files: 2 },
    beside: [{ path: 'docs/plan.txt', name: `plan (noon ${day}).txt` }],
    sent: true,
  });
  t.equal(await got('/note'), 'an old note');
  t.equal(await got('/docs/plan.txt'), 'a new plan');
  t.equal(await got(`/docs/plan (noon ${day}).txt`), 'the old plan.txt');

  await client.request('PUT', encodeURI(`/docs/plan (noon ${day}).txt`), { body: 'edited' });
  const folder = await restored(0, 'root', 'noon', '/docs');
  t.match(folder, { copied: { files: 3, folders: 1 }, passedOver: { files: 1 } });
  t.equal(await got('/docs/deep/one.txt'), 'the old deep/one.txt');
  t.equal(await got('/docs/gone.txt'), 'the old gone.txt');
  t.equal(await got('/docs/new.txt'), 'new');
  t.equal(await got(`/docs/plan (noon ${day}).txt`), 'edited');
  t.equal(await got(`/docs/plan (noon ${day} 2).txt`), 'the old plan.txt');
  t.match(
    await restored(0, 'root', 'noon', '/'),
    { copied: { files: 0, folders: 0 }, beside: [] },
    'nothing twice',
  );

  t.match(await restored(0, 'root', 'noon', '/docs', '--replace'), { copied: { files: 1 }, beside: [] });
  t.equal(await got('/docs/plan.txt'), 'the old plan.txt');
  const none = await restored(4, 'root', 'noon', '/docs/new.txt', '/note');
  t.match(none.refused, [{ path: 'docs/new.txt', reason: /nothing of that name is in the snapshot/ }]);
  const unknown = await realm.coda('volume', 'snapshot', 'restore', 'root', 'evening', '/docs');
  t.equal(unknown.code, 4, unknown.output);
  t.match(unknown.output, /knows of no snapshot "evening" of volume root/);
  const odd = await realm.coda('volume', 'snapshot', 'restore', 'root', 'noon', '/docs', '--as', 'again');
  t.equal(odd.code, 2, odd.output);

  await client.request('DELETE', '/docs');
  await client.request('PUT', '/docs', { body: 'a file' });
  t.match((await restored(0, 'root', 'noon', '/docs')).beside, [
    { path: 'docs', name: `docs (noon ${day})` },
  ]);
  t.equal(await got(`/docs (noon ${day})/deep/one.txt`), 'the old deep/one.txt');
  await client.request('DELETE', '/note');
  const rights = await realm.coda('acl', 'set', '/', 'System:AnyUser', 'rl');
  t.equal(rights.code, 0, rights.output);
  const bob = await realm.coda('volume', 'snapshot', 'restore', 'root', 'noon', '/note', '--user', 'bob');
  t.equal(bob.code, 4, bob.output);
  t.match(bob.output, /bob may put nothing into this folder/, 'rights are checked as for anybody');
  t.equal(await got('/note'), '404');
});
