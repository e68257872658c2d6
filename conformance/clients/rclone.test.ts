/**
 * A day's work with rclone: a source tree of more than 1,000 files is copied in, changed, synchronised,
 * renamed, copied out and compared byte by byte, while servers are killed and come back.
 */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { run, skipWithout, type Ended } from '../program.js';
import { Realm } from '../realm.js';
import { Disturbance } from './disturbance.js';
import { differences, makeSourceTree, workOn } from './source-tree.js';
import { Stopwatch } from './stopwatch.js';

t.setTimeout(600_000);

t.test('a source tree with rclone', { skip: skipWithout('rclone') }, async (t) => {
  const realm = await Realm.start();
  const folder = await mkdtemp(join(tmpdir(), 'coda-rclone-test-'));
  t.teardown(async () => {
    await realm.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const { url, user, password } = realm.ready;
  const obscured = (await run('rclone', ['obscure', password])).stdout.trim();
  // One try: what needs a second one is a failure of ours.
  const settings = {
    RCLONE_CONFIG: join(folder, 'rclone.conf'),
    RCLONE_CONFIG_SHARE_TYPE: 'webdav',
    RCLONE_CONFIG_SHARE_VENDOR: 'other',
    RCLONE_CONFIG_SHARE_URL: url,
    RCLONE_CONFIG_SHARE_USER: user,
    RCLONE_CONFIG_SHARE_PASS: obscured,
    RCLONE_RETRIES: '1',
    RCLONE_LOW_LEVEL_RETRIES: '1',
  };
  const rclone = async (...args: string[]): Promise<Ended> => {
    const ended = await run('rclone', args, { env: settings, timeoutMs: 300_000 });
    t.equal(ended.code, 0, `rclone ${args.join(' ')}${ended.code === 0 ? '' : `\n${ended.output}`}`);
    return ended;
  };
  const disturbance = new Disturbance(realm);
  const watch = new Stopwatch((text) => t.comment(`rclone: ${text}`));
  const expected = join(folder, 'expected');
  const count = await makeSourceTree(expected);
  t.ok(count >= 1_000, `the tree has ${count} files`);

  await Promise.all([rclone('copy', expected, 'share:project'), soon().then(() => disturbance.kill('s3'))]);
  watch.lap(`${count} files copied in`);
  await disturbance.over();

  const sameLength = await workOn(expected);
  const syncing = rclone('sync', expected, 'share:project');
  await Promise.all([syncing, soon().then(() => disturbance.kill('s1'))]);
  // From a WebDAV server of no known vendor rclone takes neither times nor hashes, only lengths.
  await writeFile(join(folder, 'list'), `${sameLength.join('\n')}\n`);
  await rclone('copy', '--ignore-times', '--files-from', join(folder, 'list'), expected, 'share:project');
  watch.lap('synchronised');
  await rclone('moveto', 'share:project/zod', 'share:project/zed');
  await rclone('moveto', 'share:project/hard/large.bin', 'share:project/largest file.bin');
  await rename(join(expected, 'zod'), join(expected, 'zed'));
  await rename(join(expected, 'hard/large.bin'), join(expected, 'largest file.bin'));
  watch.lap('renamed');

  const out = join(folder, 'out');
  await rclone('copy', 'share:project', out);
  watch.lap('copied out');
  t.same(await differences(expected, out), [], 'what came out is what was made, byte by byte');
  await rclone('purge', 'share:project');
  t.equal((await rclone('lsf', 'share:')).stdout.trim(), '', 'nothing is left');
  await disturbance.over();
  t.same(disturbance.victims, ['s3', 's1'], 'servers were killed meanwhile');
});

/** Some time after the program has begun. What is checked does not depend on when. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2_000));
}
