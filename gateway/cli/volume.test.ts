/** `coda volume` for whole volumes: a real realm, ordered about from outside as an administrator does. */
import { request } from 'node:http';
import t from 'tap';
import { z } from 'zod';
import { until } from '../../conformance/program.js';
import { Realm } from '../../conformance/realm.js';
import type { WebdavClient } from '../../conformance/webdav-client.js';

t.setTimeout(300_000);

const listSchema = z.object({
  volumes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      mount: z.string().nullable(),
      path: z.string().nullable(),
      quota: z.number().nullable(),
      locked: z.boolean(),
      replicas: z.array(z.object({ server: z.string() })),
    }),
  ),
});

t.test('a volume is made, mounted, bounded, locked and deleted', async (t) => {
  const realm = await Realm.start({ servers: 2, gateways: 1 });
  t.teardown(() => realm.stop());
  const me = ['--user', realm.ready.user];
  const client = realm.client();
  t.teardown(() => client.close());
  const said = async (code: number, pattern: RegExp, ...args: string[]): Promise<string> => {
    const ended = await realm.coda('volume', ...args);
    t.equal(ended.code, code, `coda volume ${args.join(' ')}: ${ended.output}`);
    t.match(ended.output, pattern, args.join(' '));
    return ended.stdout;
  };
  const drawings = async (): Promise<z.infer<typeof listSchema>['volumes'][number] | undefined> => {
    const listed = listSchema.parse(JSON.parse(await said(0, /volumes/, 'list', '--json')));
    return listed.volumes.find(({ name }) => name === 'drawings');
  };

  await said(0, /is made, on s2/, 'create', 'drawings', '--servers', 's2');
  await said(0, /is there already, on s2/, 'create', 'drawings', '--servers', 's2');
  await said(4, /already, on s2/, 'create', 'drawings', '--servers', 's1,s2');
  await said(2, /no name of a volume/, 'create', 'a/b');
  await client.request('MKCOL', '/full');
  await client.request('MKCOL', '/full/folder');
  await said(4, /something in \/full/, 'mount', 'drawings', '/full', ...me);
  const acl = await realm.coda('acl', 'set', '/', 'System:AnyUser', 'read', realm.ready.user, 'all', ...me);
  t.equal(acl.code, 0, acl.output);
  const stranger = await realm.coda('acl', 'set', '/', 'bob', 'all', '--user', 'stranger');
  t.match(stranger.output, /stranger may not set the list of \/ \(has there: rl\)/);
  const whose = [realm.ready.user, 'System:Administrators'].join(', ');
  t.ok(stranger.output.includes(`may: ${whose}. Say in whose name: --user NAME.`), stranger.output);
  await said(0, /mounted at \/plans; the access list of that place/, 'mount', 'drawings', '/plans', ...me);
  await said(0, /mounted at \/plans$/m, 'mount', 'drawings', '/plans', ...me);
  await said(4, /is mounted; unmount it first/, 'delete', 'drawings', '--yes');
  await said(0, /1\.0 GiB/, 'quota', 'drawings', '1G');
  await client.request('PUT', '/plans/plan', { body: 'as it was' });
  await client.request('MKCOL', '/plans/folder');
  await client.request('PUT', '/outside', { body: 'outside' });
  await said(0, /only be read/, 'lock', 'drawings');
  const locked = await drawings();
  t.match(locked, { quota: 2 ** 30, locked: true, replicas: [{ server: 's2' }] });
  t.match(locked?.mount, /^[0-9a-f]{8}\./);
  await until(
    'the gateway to hear of the mount',
    10_000,
    async () => ((await drawings())?.path === '/plans' ? true : undefined),
    500,
  );
  await said(0, /^root +[0-9a-f]{8} +\/ .*\ndrawings \(locked\) +[0-9a-f]{8} +\/plans /m, 'list');
  await said(0, /locked.*\n9 B used, .* available, quota 1\.0 GiB/, 'info', 'drawings');
  await lockedAtTheDoor(t, client);
  t.same(
    await putWithExpectation(realm, '/plans/new'),
    { status: 403, isAsked: false },
    'no body is asked for',
  );
  t.same(await putWithExpectation(realm, '/outside'), { status: 204, isAsked: true });
  await said(0, /can be changed/, 'unlock', 'drawings');
  await until('the gateway to hear of it', 10_000, async () => {
    return (await client.request('PUT', '/plans/plan', { body: 'new' })).status === 204 ? true : undefined;
  });
  await said(0, /is called plans now/, 'rename', 'drawings', 'plans');
  await said(0, /is not mounted/, 'unmount', 'plans');
  await said(0, /^plans +[0-9a-f]{8} +not mounted/m, 'list');
  await said(2, /Give --yes/, 'delete', 'plans');
  await said(0, /is deleted/, 'delete', 'plans', '--yes');
  t.equal(await drawings(), undefined);
  await said(4, /root volume/, 'delete', 'root', '--yes');
});

/** A gateway that knows of the lock refuses whatever would change the volume, before it asks for a body. */
async function lockedAtTheDoor(t: Tap, client: WebdavClient): Promise<void> {
  await until('the gateway to hear of the lock', 10_000, async () => {
    return (await client.request('MKCOL', '/plans/first')).status === 403 ? true : undefined;
  });
  const headers = { destination: client.absolute('/plans/other') };
  const changes: readonly (readonly [string, string, object?])[] = [
    ['PUT', '/plans/plan', { body: 'other' }],
    ['MKCOL', '/plans/new'],
    ['DELETE', '/plans/plan'],
    ['DELETE', '/plans/folder'],
    ['MOVE', '/plans/plan', { headers }],
    ['COPY', '/plans/plan', { headers }],
    ['COPY', '/outside', { headers }],
    ['MOVE', '/outside', { headers }],
    ['MOVE', '/plans/plan', { headers: { destination: client.absolute('/from') } }],
    ['LOCK', '/plans/free', { body: lockBody }],
  ];
  for (const [method, path, options] of changes) {
    const { status, body } = await client.request(method, path, options);
    t.match(
      { status, body: body.toString() },
      { status: 403, body: /locked this volume/ },
      `${method} ${path}`,
    );
  }
  const set = await client.request('PROPPATCH', '/plans/plan', { body: propertyBody });
  t.match({ ...set, body: set.body.toString() }, { status: 207, body: /HTTP\/1\.1 403/ }, 'PROPPATCH');
  t.equal((await client.request('GET', '/plans/plan')).body.toString(), 'as it was');
  t.equal(
    (await client.request('COPY', '/plans/plan', { headers: { destination: client.absolute('/copy') } }))
      .status,
    201,
  );
  t.equal(
    (await client.request('PUT', '/outside', { body: 'changed' })).status,
    204,
    'others are as they were',
  );
}

/** What a client sees that waits for `100 Continue` before it sends its body. */
async function putWithExpectation(realm: Realm, path: string): Promise<{ status: number; isAsked: boolean }> {
  const { url, user, password } = realm.ready;
  const headers = { expect: '100-continue', 'content-length': '4' };
  return new Promise((resolve, reject) => {
    let isAsked = false;
    const asking = request(`${url.replace(/\/$/, '')}${path}`, {
      method: 'PUT',
      auth: `${user}:${password}`,
      headers,
    });
    asking.once('continue', () => {
      isAsked = true;
      asking.end('body');
    });
    asking.once('response', (reply) => {
      resolve({ status: reply.statusCode ?? 0, isAsked });
      asking.destroy();
    });
    asking.once('error', (error) => reject(error));
    asking.flushHeaders();
  });
}

const lockBody =
  '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>' +
  '<D:locktype><D:write/></D:locktype></D:lockinfo>';
const propertyBody =
  '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><x xmlns="urn:x">1</x></D:prop></D:set></D:propertyupdate>';

type Tap = Pick<typeof t, 'equal' | 'match'>;
