/**
 * The real store and the real containers on disks that are too small for them. The disks are tmpfs that only
 * a child process sees (user and mount namespaces: no rights needed); where that is not allowed, the test is
 * skipped.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fullDiskContract } from '../../conformance/suites/containers.js';
import { fullDiskPartialContract } from '../../conformance/suites/partial-containers.js';
import { isFailure } from '../interface/index.js';
import { openFileContainers } from './real/file-containers.js';
import { reserveBytes } from './real/lmdb-reserve.js';
import { openLmdbStore } from './real/lmdb-store.js';

const diskBytes = 4 * 1024 * 1024;
/** With room for a store's reserve. */
const largerBytes = 4 * reserveBytes;
const disks = process.env['CODA_TEST_DISKS'];

if (disks === undefined) onSmallDisks();
else {
  storeStory(join(disks, 'small'));
  reserveStory(join(disks, 'larger'));
  containersStory(join(disks, 'small'));
}

function onSmallDisks(): void {
  const mounts = t.testdir({ small: {}, larger: {} });
  const arguments_ = (command: string): string[] => {
    const mount = (name: string, bytes: number): string =>
      `mount -t tmpfs -o size=${bytes} none "$0/${name}"`;
    const script = `${mount('small', diskBytes)} && ${mount('larger', largerBytes)} && exec "$@"`;
    return ['--map-root-user', '--mount', 'sh', '-c', script, mounts, ...command.split(' ')];
  };
  const possible = spawnSync('unshare', arguments_('true')).status === 0;
  if (!possible) {
    const skip = 'this machine does not let us mount a disk (unshare --map-root-user --mount)';
    void t.test('on a small disk', { skip }, async () => {});
    return;
  }
  const self = `${process.execPath} --enable-source-maps ${import.meta.filename}`;
  void t.spawn(
    'unshare',
    arguments_(self),
    { env: { ...process.env, CODA_TEST_DISKS: mounts } },
    'on a small disk',
  );
}

function storeStory(disk: string): void {
  const value = (length: number): Buffer => Buffer.alloc(length, 'x');

  void t.test('a store on a full disk undoes what does not fit, keeps the rest, and goes on', async (t) => {
    const folder = join(disk, 'store');
    const store = await openLmdbStore(folder);
    const keep = (key: string, length: number): Promise<void> => {
      return store.transact((transaction) => transaction.put(key, value(length)));
    };
    let kept = 0;
    let refusal: unknown;
    while (refusal === undefined && kept < 100) {
      await keep(`big${kept}`, 100_000).then(
        () => (kept += 1),
        (error: unknown) => (refusal = error),
      );
    }
    t.ok(isFailure(refusal, 'no-space'), String(refusal));
    t.equal(store.get(`big${kept}`), undefined);
    const outcomes = await Promise.allSettled([keep('a', 10), keep('huge', 2_000_000), keep('b', 10)]);
    t.ok(outcomes.every((outcome) => outcome.status === 'rejected' && isFailure(outcome.reason, 'no-space')));
    t.equal(store.get('a'), undefined, 'transactions of one flush share its fate');
    await keep('small', 10);
    await store.transact((transaction) => {
      for (let number = 0; number < 5; number += 1) transaction.remove(`big${number}`);
    });
    // Pages that a commit frees can be used from the second commit after it on.
    await keep('small', 20);
    await keep('again', 100_000);
    await store.close();

    const filler = join(disk, 'filler');
    t.throws(() => writeFileSync(filler, Buffer.alloc(diskBytes)), { code: 'ENOSPC' });
    const reopened = await openLmdbStore(folder);
    t.pass('it opens although the disk has not a byte left');
    const keys = [...reopened.range({ start: '', end: '~' })].map((row) => `${row.key} ${row.value.length}`);
    const bigs = Array.from({ length: kept - 5 }, (_, index) => `big${index + 5} 100000`);
    t.same(keys, ['again 100000', 'small 20', ...bigs].sort());
    await reopened.close();
    rmSync(folder, { recursive: true });
    rmSync(filler);
  });
}

function reserveStory(disk: string): void {
  void t.test('what needs little goes on when contents have filled the disk', async (t) => {
    const folder = join(disk, 'store');
    const filler = join(disk, 'filler');
    let store = await openLmdbStore(folder);
    const keep = (key: string, length = 1000): Promise<void> => {
      return store.transact((transaction) => transaction.put(key, Buffer.alloc(length, key)));
    };
    for (let number = 0; number < 20; number += 1) await keep(`before${number}`);
    await store.close();
    t.throws(() => writeFileSync(filler, Buffer.alloc(largerBytes)), { code: 'ENOSPC' });
    store = await openLmdbStore(folder);
    for (let number = 0; number < 20; number += 1) {
      await keep(`full${number}`);
      await store.transact((transaction) => transaction.remove(`before${number}`));
    }
    const refused = await keep('large', 2 * reserveBytes).catch((error: unknown) => error);
    t.ok(isFailure(refused, 'no-space'), 'the reserve is not without end');
    await keep('small');
    rmSync(filler);
    await keep('large', 2 * reserveBytes);
    await store.transact((transaction) => transaction.remove('large'));
    await store.close();

    store = await openLmdbStore(folder);
    const rows = [...store.range({ start: '', end: '~' })];
    const whole = rows.filter(({ key, value }) => Buffer.alloc(1000, key).equals(value));
    t.equal(whole.length, 21, 'nothing was written over');
    t.equal(rows.length, 21);
    await store.close();
    rmSync(folder, { recursive: true });
  });
}

function containersStory(disk: string): void {
  const folder = join(disk, 'containers');

  fullDiskContract(t, 'files', diskBytes, async (t) => {
    const containers = await openFileContainers(folder);
    t.teardown(() => containers.close());
    return containers;
  });

  fullDiskPartialContract(t, 'files', diskBytes, async (t) => {
    const containers = await openFileContainers(folder);
    t.teardown(() => containers.close());
    return containers;
  });

  void t.test('and its folder holds nothing of what did not fit', async (t) => {
    t.same(readdirSync(join(folder, 'spool')), []);
    t.same(readdirSync(join(folder, 'quarantine')), []);
  });
}
