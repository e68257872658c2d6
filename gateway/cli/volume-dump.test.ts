/** `coda volume dump`, `restore` and `snapshot restore`: a real realm, carried into files and back, from outside. */
import { spawn, type ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { watch } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { z } from 'zod';
import {
  fidOf,
  folder as madeFolder,
  madeDump,
  portable,
  root,
} from '../../conformance/bare-realm/made-dump.js';
import { codaCommand } from '../../conformance/coda-command.js';
import { Realm } from '../../conformance/realm.js';

t.setTimeout(300_000);

const writtenSchema = z.object({
  objects: z.number(),
  removed: z.number(),
  contents: z.number(),
  bytes: z.number(),
  incremental: z.boolean(),
});
const restoredSchema = z.object({ objects: z.number(), bytes: z.number(), sent: z.number() });

t.test('a volume leaves as files and comes back as another one', async (t) => {
  const realm = await Realm.start({ servers: 2, gateways: 1 });
  t.teardown(() => realm.stop());
  const folder = await mkdtemp(join(tmpdir(), 'coda-dump-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const client = realm.client();
  t.teardown(() => client.close());
  const me = ['--user', realm.ready.user];
  const file = (name: string): string => join(folder, name);
  const said = async (code: number, pattern: RegExp, ...args: string[]): Promise<string> => {
    const ended = await realm.coda('volume', ...args);
    t.equal(ended.code, code, `coda volume ${args.join(' ')}: ${ended.output}`);
    t.match(ended.output, pattern, args.join(' '));
    return ended.stdout;
  };
  const got = async (path: string): Promise<string> => {
    const { status, body } = await client.request('GET', path);
    return status === 200 ? body.toString() : `${status}`;
  };
  const put = async (path: string, body: string | Buffer): Promise<void> => {
    t.match((await client.request('PUT', path, { body })).status, /20[14]/, path);
  };

  const plan = Buffer.alloc(3_000_000, 'the plan of the first day. ');
  await said(0, /is made/, 'create', 'office', '--servers', 's1', '--mount', '/office', ...me);
  await client.request('MKCOL', '/office/letters');
  await client.request('MKCOL', '/office/letters/old');
  await put('/office/letters/offer.txt', 'an offer');
  await put('/office/letters/copy%20of%20the%20offer.txt', 'an offer');
  await put('/office/letters/old/plan.pdf', plan);
  await put('/office/empty', '');
  const modified = (await client.request('HEAD', '/office/letters/offer.txt')).headers['last-modified'];
  const acl = await realm.coda('acl', 'set', '/office/letters/old', realm.ready.user, 'all', ...me);
  t.equal(acl.code, 0, acl.output);
  await said(0, /is taken/, 'snapshot', 'create', 'office', 'first');

  const full = file('office.dump');
  await said(4, /no snapshot "frist"; it has "first"/, 'dump', 'office@frist', full);
  const first = writtenSchema.parse(
    JSON.parse(await said(0, /sha256/, 'dump', 'office@first', full, '--json')),
  );
  t.match(first, { objects: 7, removed: 0, contents: 2, bytes: plan.length + 8, incremental: false });
  await said(4, /exists/, 'dump', 'office', full);

  // The second day: changed, moved, removed, new.
  await put('/office/letters/offer.txt', 'a better offer');
  await put('/office/notes.txt', 'an offer');
  await client.request('DELETE', '/office/empty');
  await client.request('MOVE', '/office/letters/old/plan.pdf', {
    headers: { destination: client.absolute('/office/plan.pdf') },
  });
  const second = writtenSchema.parse(
    JSON.parse(await said(0, /sha256/, 'dump', 'office', file('second.dump'), '--since', full, '--json')),
  );
  t.match(second, { removed: 1, contents: 1, bytes: 14, incremental: true });
  await said(0, /1 removal, 1 content /, 'dump', 'office', file('third.dump'), '--since', 'first');
  await said(0, /^(?!.*dump )/s, 'snapshot', 'list', 'office');

  // A dump that is told to stop leaves neither file nor snapshot.
  await stoppedBy('SIGINT', realm, folder);
  t.same(
    (await readdir(folder)).filter((name) => name.startsWith('stopped')),
    [],
  );
  await said(0, /^(?!.*dump )/s, 'snapshot', 'list', 'office');
  // One that is killed does, and the next one takes them away.
  await stoppedBy('SIGKILL', realm, folder);
  t.equal((await readdir(folder)).filter((name) => /^stopped\.dump\..*\.tmp$/.test(name)).length, 1);
  await said(0, /dump /, 'snapshot', 'list', 'office');
  // Of two at a time into one file neither takes the other's; the later one finds the file.
  const slow = await begun(realm, folder);
  slow.kill('SIGSTOP');
  await said(0, /holds volume office/, 'dump', 'office', file('stopped.dump'));
  t.equal(
    (await readdir(folder)).filter((name) => /^stopped\.dump\..*\.tmp$/.test(name)).length,
    1,
    'of the slow one',
  );
  slow.kill('SIGCONT');
  t.same(await once(slow, 'close'), [4, null], 'it is told that there is such a file');
  await said(0, /^(?!.*dump )/s, 'snapshot', 'list', 'office');

  // Torn, changed, foreign, of the wrong order: nothing is made of them.
  const bytes = await readFile(full);
  await writeFile(file('torn.dump'), bytes.subarray(0, bytes.length - 1000));
  const changed = Buffer.from(bytes);
  changed[2_000_000] = (changed[2_000_000] ?? 0) ^ 1;
  await writeFile(file('changed.dump'), changed);
  await writeFile(file('foreign.dump'), 'PK and so on');
  await said(4, /torn\.dump is damaged at byte \d+: it is torn off/, 'restore', file('torn.dump'), 'again');
  await said(4, /checksum\. Use another copy/, 'restore', file('changed.dump'), 'again');
  await said(4, /does not begin as a dump/, 'restore', file('foreign.dump'), 'again');
  await said(2, /does not exist/, 'restore', file('none.dump'), 'again');
  const circle = [
    portable(root(1)),
    portable(madeFolder('a', fidOf('b'))),
    portable(madeFolder('b', fidOf('a'))),
  ];
  await writeFile(file('circle.dump'), madeDump(circle));
  await said(4, /circle\.dump cannot be a volume: .* is in itself/, 'restore', file('circle.dump'), 'again');
  await said(4, /is incremental: begin with/, 'restore', file('second.dump'), 'again');
  await said(4, /is a full dump: restore it alone/, 'restore', full, 'again', '--then', full);
  await said(0, /^(?!.*again)/s, 'list');

  const again = restoredSchema.parse(
    JSON.parse(await said(0, /sent/, 'restore', full, 'again', '--on', 's2', '--json')),
  );
  t.match(again, { objects: 7, sent: plan.length + 8 }, 'what the server does not have is sent');
  await said(0, /is there already: it was restored from that before/, 'restore', full, 'again', '--on', 's2');
  await said(4, /restored from something else/, 'restore', full, 'again', '--then', file('second.dump'));
  await said(4, /there is a volume again already, on s2/, 'restore', full, 'again', '--on', 's1');
  await said(0, /mounted/, 'mount', 'again', '/again', ...me);
  t.equal(await got('/again/letters/offer.txt'), 'an offer');
  t.equal(await got('/again/letters/copy%20of%20the%20offer.txt'), 'an offer');
  t.equal(await got('/again/letters/old/plan.pdf'), plan.toString());
  t.equal((await client.request('HEAD', '/again/letters/offer.txt')).headers['last-modified'], modified);
  const lists = await realm.coda('acl', 'get', '/again/letters/old', ...me);
  t.match(lists.output, /its own list\s+System:AnyUser +rlidwk\s+root +rlidwka/);
  t.equal(await got('/again/empty'), '');
  await put('/again/letters/offer.txt', 'changed in the new volume');
  t.equal(await got('/office/letters/offer.txt'), 'a better offer', 'the two are apart');

  await said(0, /holds all of it/, 'restore', full, 'both', '--then', file('second.dump'));
  await said(0, /mounted/, 'mount', 'both', '/both', ...me);
  t.same(
    (await client.list('/both')).map((path) => path.slice('/both'.length)),
    (await client.list('/office')).map((path) => path.slice('/office'.length)),
  );
  t.equal(await got('/both/letters/offer.txt'), 'a better offer');
  t.equal(await got('/both/notes.txt'), 'an offer', 'contents that only the first dump has');
  t.equal(await got('/both/plan.pdf'), plan.toString());

  await said(
    0,
    /holds all of it, on s1: .* of which 0 B were sent/,
    'snapshot',
    'restore',
    'office',
    'first',
  );
  await said(0, /mounted/, 'mount', 'office-first', '/first', ...me);
  t.equal(await got('/first/letters/offer.txt'), 'an offer');
  const scrub = await realm.coda('scrub', '--wait');
  t.equal(scrub.code, 0, scrub.output);
  t.same(
    (await readdir(folder)).filter((name) => name.endsWith('.tmp')),
    [],
    'nothing is left behind',
  );
});

/** A dump that gets `signal` as soon as it has begun to write. */
async function stoppedBy(signal: NodeJS.Signals, realm: Realm, folder: string): Promise<void> {
  const child = await begun(realm, folder);
  child.kill(signal);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
}

/** A dump that has begun to write. */
async function begun(realm: Realm, folder: string): Promise<ChildProcess> {
  const args = ['volume', 'dump', 'office', join(folder, 'stopped.dump'), '--data', realm.data];
  const before = new Set(await readdir(folder));
  const child = spawn(process.execPath, [codaCommand, ...args], { stdio: 'ignore' });
  const watcher = watch(folder);
  child.once('close', () => watcher.close());
  try {
    for await (const [, name] of on(watcher, 'change', { close: ['close'] }) as AsyncIterable<
      [string, string]
    >) {
      if (name.startsWith('stopped.') && !before.has(name)) break;
    }
    return child;
  } finally {
    watcher.close();
  }
}
