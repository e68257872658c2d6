/** `coda import` and `coda export` as a person meets them: processes, a realm of three servers, a kill. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { run, skipWithout, until, type Ended } from '../../conformance/program.js';
import { codaCommand, Realm } from '../../conformance/realm.js';

const tally = z.object({ files: z.number(), bytes: z.number() });
const reportSchema = z.object({ copied: tally, passedOver: tally });

t.setTimeout(400_000);

/** Path -> kind, time to the millisecond, and text of a link; of folders below the top. */
function times(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const path of fs.readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (path === '.coda-properties.jsonl') continue;
    const stats = fs.lstatSync(join(folder, path));
    const target = stats.isSymbolicLink() ? ` -> ${fs.readlinkSync(join(folder, path))}` : '';
    found[path] = `${stats.isDirectory() ? 'folder' : 'file'} ${Math.round(stats.mtimeMs)}${target}`;
  }
  return found;
}

/** A small tree with awkward names and times. */
function growTree(folder: string): void {
  fs.mkdirSync(join(folder, 'empty'), { recursive: true });
  fs.mkdirSync(join(folder, 'docs', 'deep', 'deeper'), { recursive: true });
  fs.writeFileSync(join(folder, 'five.bin'), Buffer.alloc(5_000_000, 'five megabytes, in pieces '));
  const names = [
    'plan.txt',
    ' blanks ',
    '100% #1?&=+.txt',
    '%2e%2e',
    '\u00fcml\u00e4ut \u{1f600}',
    '-rf',
    'a"b\'c`$d',
    '.x',
  ];
  for (const name of names) fs.writeFileSync(join(folder, 'docs', name), `this is ${name}`);
  fs.writeFileSync(join(folder, 'docs', 'deep', 'deeper', 'n'.repeat(255)), 'long');
  fs.writeFileSync(join(folder, 'docs', 'deep', 'nothing'), '');
  fs.symlinkSync('docs/plan.txt', join(folder, 'link'));
  fs.utimesSync(join(folder, 'docs', 'plan.txt'), 981_173_106.789, 981_173_106.789);
  fs.utimesSync(join(folder, 'docs', '.x'), new Date(-86_400_500), new Date(-86_400_500));
  for (const name of ['empty', 'docs']) fs.utimesSync(join(folder, name), 946_684_800.5, 946_684_800.5);
}

async function same(t: Test, one: string, other: string): Promise<void> {
  const { code, output } = await run('diff', [
    '-r',
    '--no-dereference',
    '-x',
    '.coda-properties.jsonl',
    one,
    other,
  ]);
  t.equal(code, 0, `${other} is ${one}: ${output}`);
  t.same(times(other), times(one), 'and so are its times');
}

t.test('a tree in, killed half way, in again, and out', { skip: skipWithout('diff', 'tar') }, async (t) => {
  const folder = t.testdir({});
  const at = (name: string): string => join(folder, name);
  growTree(at('tree'));
  const realm = await Realm.start();
  t.teardown(() => realm.stop());
  const client = realm.client();
  t.teardown(() => client.close());
  const coda = (...args: string[]): Promise<Ended> => realm.coda(...args, '--user', 'ann');
  const status = async (path: string): Promise<number> => (await client.request('GET', path)).status;

  // Holes, so that they cost nothing to make, and as many as are sent at a time: it is killed while they are.
  const halves = Array.from({ length: 8 }, (_, index) => at(`tree/half-${index}.bin`));
  for (const half of halves) {
    fs.writeFileSync(half, '');
    fs.truncateSync(half, 100 * 2 ** 20);
  }
  const importing = spawn(
    process.execPath,
    [codaCommand, 'import', at('tree'), 'root:/in/here', '--data', realm.data, '--user', 'ann'],
    { stdio: 'ignore' },
  );
  const ended = once(importing, 'exit');
  await until('the first file to be there', 60_000, async () => {
    return (await status('/in/here/five.bin')) === 200 ? true : undefined;
  });
  importing.kill('SIGKILL');
  await ended;
  t.equal(await status('/in/here/half-7.bin'), 404, 'what was on its way is not there');
  for (const half of halves) fs.rmSync(half);

  const again = await coda('import', at('tree'), 'root:/in/here', '--json');
  t.equal(again.code, 0, again.output);
  const report: unknown = JSON.parse(again.stdout);
  t.match(report, { gateway: 'g1', volume: 'root', path: '/in/here', refusals: 0, sent: true, waiting: 0 });
  const { copied, passedOver } = reportSchema.parse(report);
  t.ok(passedOver.bytes >= 5_000_000, 'what was there was not sent again');
  t.ok(copied.files >= 1, 'the rest was');
  t.equal(copied.files + passedOver.files, 11);
  t.match((await client.request('GET', '/in/here/docs/plan.txt')).body.toString(), 'this is plan.txt');

  const xml =
    '<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop><x:color>red &amp; blue</x:color>' +
    '</D:prop></D:set></D:propertyupdate>';
  t.equal((await client.request('PROPPATCH', '/in/here/docs/plan.txt', { body: xml })).status, 207);
  t.match(await coda('export', 'root:/in/here', at('out')), { code: 0, stdout: /copied: 11 files/ });
  await same(t, at('tree'), at('out'));
  t.match(await coda('export', 'root:/in/here', at('out')), {
    code: 0,
    stdout: /copied: nothing\nthere already: 11 files/,
  });
  t.match(await coda('export', 'root:/in/here', at('all.tar')), { code: 0 });
  fs.mkdirSync(at('untarred'));
  const untar = await run('tar', [
    '--warning=no-unknown-keyword',
    '-xf',
    at('all.tar'),
    '-C',
    at('untarred'),
  ]);
  t.equal(untar.code, 0, untar.output);
  await same(t, at('tree'), at('untarred'));

  t.match(await coda('import', at('out'), 'root:/second'), { code: 0 });
  const find = '<D:propfind xmlns:D="DAV:"><D:prop><x:color xmlns:x="urn:x"/></D:prop></D:propfind>';
  const found = await client.request('PROPFIND', '/second/docs/plan.txt', {
    body: find,
    headers: { depth: '0' },
  });
  t.match(found.body.toString(), 'red &amp; blue', 'a property has made the journey');

  fs.writeFileSync(at('tree/docs/plan.txt'), 'another plan');
  const refused = await coda('import', at('tree'), 'root:/in/here');
  t.match(refused, { code: 4, output: /docs\/plan\.txt: it is there and differs; --replace/ });
  t.match((await client.request('GET', '/in/here/docs/plan.txt')).body.toString(), 'this is plan.txt');
  t.match(await coda('import', at('tree'), 'root:/in/here', '--replace'), {
    code: 0,
    stdout: /copied: 1 file /,
  });
  t.match((await client.request('GET', '/in/here/docs/plan.txt')).body.toString(), 'another plan');

  t.equal((await realm.coda('disconnect')).code, 0);
  fs.writeFileSync(at('tree/docs/late.txt'), 'late');
  const waiting = await coda('import', at('tree'), 'root:/in/here');
  t.match(waiting, {
    code: 0,
    stdout: /copied: 1 file.*still wait at g1, on its disk; it sends them by itself/s,
  });
  t.equal((await realm.coda('reconnect')).code, 0);
  t.match(await coda('import', at('tree'), 'root:/in/here'), {
    code: 0,
    stdout: /The servers have everything/,
  });

  const wrong = await Promise.all([
    coda('import', at('nowhere'), 'root'),
    coda('import', at('all.tar'), 'root'),
    coda('import', at('tree'), 'rot:/x'),
    coda('import', at('tree'), 'root:/.coda/x'),
    coda('export', 'root:/nowhere/at/all', at('x')),
    coda('export', 'root:/in/here/five.bin', at('x')),
    coda('export', 'root:/in', at('all.tar')),
  ]);
  t.match(wrong, [
    { code: 2, output: /cannot be read.*Give a folder/ },
    { code: 2, output: /is no folder/ },
    { code: 4, output: /no volume "rot".*Did you mean "root"/ },
    { code: 4, output: /the gateway's own/ },
    { code: 4, output: /There is no root:\/nowhere\/at\/all/ },
    { code: 4, output: /is no folder/ },
    { code: 4, output: /exists.*--replace/ },
  ]);
  t.notOk(fs.existsSync(at('x')), 'nothing was made for nothing');
});
