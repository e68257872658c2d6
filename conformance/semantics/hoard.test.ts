/** Hoarding on real processes: a profile, a walk, and what a person has afterwards when every server is gone. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import { Davfs2Mount, skipWithoutMounts } from '../clients/davfs2-mount.js';
import { until } from '../program.js';
import { read, succeed } from './exchange.js';
import { RealmStage, untilDrained, untilVolume } from './stage.js';

t.setTimeout(600_000);

/** As in figure 4 of Kistler and Satyanarayanan 1992, with a file by its name besides. */
const profile = `# Personal files
a /coda/usr/jjk 100:c+
a /coda/usr/jjk/papers 100:d+
# System files
add /coda/project/coda/src/venus 100:c+
a "/coda/project/read me.txt"
`;

const folders = ['/usr', '/usr/jjk', '/usr/jjk/papers', '/usr/jjk/papers/sosp', '/project', '/project/coda'];
const more = ['/project/coda/src', '/project/coda/src/venus', '/project/coda/src/vice'];
const hoarded = [
  '/usr/jjk/calendar',
  '/usr/jjk/papers/draft',
  '/usr/jjk/papers/sosp/figure',
  '/project/coda/src/venus/hdb.cc',
  '/project/read me.txt',
];
const others = ['/project/coda/src/vice/srv.cc', '/project/other'];
const missingSchema = z.object({ missing: z.array(z.object({ path: z.string(), reason: z.string() })) });

/** A large one among them, of which a walk has something to tell. */
function contentsOf(path: string): string {
  return path.endsWith('figure') ? path.padEnd(3_000_000, ' and so on') : `what is in ${path}`;
}

t.test('coda hoard walk && coda disconnect', async (t) => {
  const stage = await RealmStage.open('killed');
  const own = await mkdtemp(join(tmpdir(), 'coda-hoard-'));
  t.teardown(async () => {
    await stage.close();
    await rm(own, { recursive: true, force: true });
  });
  const [g1, g2] = [stage.client('g1'), stage.client('g2')];
  const user = ['--user', stage.realm.ready.user];
  const at = ['--gateway', 'g1', ...user];
  for (const folder of [...folders, ...more]) await succeed(g2, 'MKCOL', folder);
  for (const path of [...hoarded, ...others]) await succeed(g2, 'PUT', path, contentsOf(path));
  await untilDrained(stage);

  const file = join(own, 'profile');
  await writeFile(file, profile);
  await stage.coda('hoard', 'load', file, ...at);
  const listed = await stage.coda('hoard', 'list', ...at);
  t.same(listed.trim().split('\n'), [
    'a /project/coda/src/venus 100:c+',
    'a /usr/jjk 100:c+',
    'a /usr/jjk/papers 100:d+',
    'a "/project/read me.txt" 10',
  ]);
  t.match(await stage.coda('hoard', 'walk', ...at), /nothing is missing/);
  await succeed(g2, 'PUT', '/usr/jjk/papers/sosp/late', contentsOf('late'));
  await stage.coda('hoard', 'add', '/nowhere', '500', ...at);
  const verified = missingSchema.parse(JSON.parse(await stage.coda('hoard', 'walk', '--json', ...at)));
  t.same(verified.missing, [{ path: '/nowhere', reason: 'not-found' }]);
  t.match(await stage.coda('cache', '--gateway', 'g1'), /caches \d+ files/);

  await stage.coda('disconnect', '--gateway', 'g1');
  await untilVolume(stage, 'g1', 'that it is disconnected', ({ avsg }) => avsg.length === 0);
  await stage.loseServers();
  for (const path of hoarded) t.equal(await read(g1, path), contentsOf(path), path);
  t.equal(
    await read(g1, '/usr/jjk/papers/sosp/late'),
    contentsOf('late'),
    'what came before the second walk',
  );
  for (const path of others) t.equal((await g1.request('GET', path)).status, 503, `${path} was not hoarded`);

  const noMounts = skipWithoutMounts();
  await t.test('through a mount', { skip: noMounts }, async (t) => {
    const mount = await Davfs2Mount.mount(stage.share);
    t.teardown(() => mount.drop());
    for (const path of hoarded) {
      const seen = await readFile(join(mount.folder, path), 'utf8');
      t.equal(seen, contentsOf(path), path);
    }
  });
  await stage.regainServers();
  await stage.coda('reconnect', '--gateway', 'g1');
  await untilDrained(stage);
});

t.test('coda spy proposes what was opened', async (t) => {
  const stage = await RealmStage.open('killed', { gateways: 1 });
  t.teardown(() => stage.close());
  const g1 = stage.client('g1');
  await succeed(g1, 'MKCOL', '/docs');
  const paths = ['/docs/a', '/docs/b', '/docs/c', '/single'];
  for (const path of paths) await succeed(g1, 'PUT', path, path);
  let heard = false;
  const spying = stage.coda('spy', '--seconds', '20', '--json').finally(() => (heard = true));
  // It may take a moment to listen: people go on opening files meanwhile.
  await until('the spy to have ended', 120_000, async () => {
    for (const path of paths) await read(g1, path);
    return heard ? true : undefined;
  });
  const { profile: proposed } = z.object({ profile: z.array(z.string()) }).parse(JSON.parse(await spying));
  t.same(proposed, ['a /docs 100:c+', 'a /single 100']);
});
