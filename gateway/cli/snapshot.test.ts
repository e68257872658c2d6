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
