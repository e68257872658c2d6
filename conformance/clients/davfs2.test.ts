/**
 * A day's work on a davfs2 mount: a source tree of more than 1,000 files is copied in, changed, renamed,
 * copied out through a second mount with an empty cache, and compared byte by byte, while servers are killed
 * and come back.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Realm } from '../realm.js';
import { Davfs2Mount, skipWithoutMounts } from './davfs2-mount.js';
import { Disturbance } from './disturbance.js';
import { differences, makeSourceTree, workOn } from './source-tree.js';
import { Stopwatch } from './stopwatch.js';

t.setTimeout(600_000);

t.test('a source tree on a davfs2 mount', { skip: skipWithoutMounts() }, async (t) => {
  const realm = await Realm.start();
  const folder = await mkdtemp(join(tmpdir(), 'coda-davfs2-test-'));
  const mounts: Davfs2Mount[] = [];
  t.teardown(async () => {
    for (const mount of mounts) await mount.drop();
    await realm.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const disturbance = new Disturbance(realm);
  const watch = new Stopwatch((text) => t.comment(`davfs2: ${text}`));
  const expected = join(folder, 'expected');
  const count = await makeSourceTree(expected);
  t.ok(count >= 1_000, `the tree has ${count} files`);

  const first = await Davfs2Mount.mount(realm.ready);
  mounts.push(first);
  const copying = cp(expected, join(first.folder, 'project'), { recursive: true });
  await Promise.all([copying, soon().then(() => disturbance.kill('s2'))]);
  watch.lap(`${count} files copied in`);
  await disturbance.over();

  await workOn(expected);
  await workOn(join(first.folder, 'project'), () => disturbance.kill('s1'));
  watch.lap('changed and renamed');
  await first.unmount();
  await disturbance.over();

  const second = await Davfs2Mount.mount(realm.ready);
  mounts.push(second);
  const out = join(folder, 'out');
  await cp(join(second.folder, 'project'), out, { recursive: true });
  watch.lap('copied out');
  await second.unmount();
  t.same(await differences(expected, out), [], 'what came out is what was made, byte by byte');
  t.same(disturbance.victims, ['s2', 's1'], 'servers were killed meanwhile');
});

/** Some time after copying has begun. What is checked does not depend on when. */
function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 3_000));
}
