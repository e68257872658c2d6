/**
 * cadaver, typed at: a source tree of more than 1,000 files is put in, changed, renamed, locked, got out, and
 * compared byte by byte, while servers are killed and come back.
 */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { run, skipWithout } from '../program.js';
import { Realm } from '../realm.js';
import { Disturbance } from './disturbance.js';
import { differences, filesOf, makeSourceTree } from './source-tree.js';
import { Stopwatch } from './stopwatch.js';

/** All folders that hold one of `files`, parents first. */
function foldersOf(files: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const file of files) {
    for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) folders.add(folder);
  }
  return [...folders].sort();
}

function quoted(path: string): string {
  return `"${path}"`;
}

t.setTimeout(600_000);

t.test('a source tree with cadaver', { skip: skipWithout('cadaver') }, async (t) => {
  const realm = await Realm.start();
  const folder = await mkdtemp(join(tmpdir(), 'coda-cadaver-test-'));
  t.teardown(async () => {
    await realm.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const { url, user, password } = realm.ready;
  // cadaver takes passwords only from here.
  const host = new URL(url).hostname;
  await writeFile(join(folder, '.netrc'), `machine ${host} login ${user} password ${password}\n`, {
    mode: 0o600,
  });
  const cadaver = async (...commands: string[]): Promise<string> => {
    const input = `${[...commands, 'quit'].join('\n')}\n`;
    const { code, output } = await run('cadaver', [url], {
      input,
      env: { HOME: folder },
      cwd: folder,
      timeoutMs: 300_000,
    });
    t.equal(code, 0, `cadaver ends well after ${commands.length} commands`);
    const faults = output
      .split('\n')
      .filter((line) => /(^|\] |: )(failed\b|Could not|Unrecogni[sz]ed)/.test(line));
    t.same(faults.slice(0, 5), [], `no command of ${commands[0] ?? ''} ... failed`);
    return output;
  };
  const disturbance = new Disturbance(realm);
  const watch = new Stopwatch((text) => t.comment(`cadaver: ${text}`));
  const expected = join(folder, 'expected');
  t.ok((await makeSourceTree(expected)) >= 1_000, 'the tree has 1,000 files');
  const files = await filesOf(expected);

  const makeFolders = foldersOf(files).map((name) => `mkcol ${quoted(`project/${name}`)}`);
  const puts = files.map((file) => `put ${quoted(join(expected, file))} ${quoted(`project/${file}`)}`);
  const putting = cadaver('mkcol project', ...makeFolders, ...puts);
  await Promise.all([putting, soon().then(() => disturbance.kill('s1'))]);
  watch.lap(`${files.length} files put`);

  await writeFile(join(expected, 'zod/package.json'), '{ "changed": true }\n');
  await rename(join(expected, 'undici/lib'), join(expected, 'undici/library'));
  await rename(join(expected, 'zod/README.md'), join(expected, 'README of zod.md'));
  await cadaver(
    'lock project/zod/package.json',
    `put ${quoted(join(expected, 'zod/package.json'))} project/zod/package.json`,
    'unlock project/zod/package.json',
    'move project/undici/lib project/undici/library',
    'move project/zod/README.md "project/README of zod.md"',
    'copy project/hard project/copy',
    'delete project/copy/empty',
    'rmcol project/copy',
    'set edited-by conformance',
    'propset project edited-by conformance',
    'propget project edited-by',
  );
  watch.lap('changed, renamed, locked');

  const out = join(folder, 'out');
  const changed = await filesOf(expected);
  for (const name of ['', ...foldersOf(changed)]) await mkdir(join(out, name), { recursive: true });
  const gets = changed.map((file) => `get ${quoted(`project/${file}`)} ${quoted(join(out, file))}`);
  await Promise.all([cadaver(...gets), soon().then(() => disturbance.kill('s2'))]);
  watch.lap('got out');
  t.same(await differences(expected, out), [], 'what came out is what was made, byte by byte');
  await cadaver('rmcol project');
  await disturbance.over();
  t.same(disturbance.victims, ['s1', 's2'], 'servers were killed meanwhile');
});

/** Some time after the program has begun. What is checked does not depend on when. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1_500));
}
