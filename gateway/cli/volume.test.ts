/** `coda volume` for whole volumes: a real realm, ordered about from outside as an administrator does. */
import t from 'tap';
import { z } from 'zod';
import { Realm } from '../../conformance/realm.js';

t.setTimeout(300_000);

const listSchema = z.object({
  volumes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      mount: z.string().nullable(),
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
  await said(0, /mounted at \/plans; the access list of that place/, 'mount', 'drawings', '/plans', ...me);
  await said(0, /mounted at \/plans$/m, 'mount', 'drawings', '/plans', ...me);
  await said(4, /is mounted; unmount it first/, 'delete', 'drawings', '--yes');
  await said(0, /1\.0 GiB/, 'quota', 'drawings', '1G');
  await said(0, /only be read/, 'lock', 'drawings');
  const locked = await drawings();
  t.match(locked, { quota: 2 ** 30, locked: true, replicas: [{ server: 's2' }] });
  t.match(locked?.mount, /^[0-9a-f]{8}\./);
  await said(0, /locked.*\n0 B used, .* available, quota 1\.0 GiB/, 'info', 'drawings');
  await said(0, /can be changed/, 'unlock', 'drawings');
  await said(0, /is called plans now/, 'rename', 'drawings', 'plans');
  await said(0, /is not mounted/, 'unmount', 'plans');
  await said(2, /Give --yes/, 'delete', 'plans');
  await said(0, /is deleted/, 'delete', 'plans', '--yes');
  t.equal(await drawings(), undefined);
  await said(4, /root volume/, 'delete', 'root', '--yes');
});
