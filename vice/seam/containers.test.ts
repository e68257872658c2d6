import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  containersContract,
  fullDiskContract,
  refusedCommitContract,
} from '../../conformance/suites/containers.js';
import {
  fullDiskPartialContract,
  partialContainersContract,
} from '../../conformance/suites/partial-containers.js';
import { isFailure } from '../interface/index.js';
import { blockDigestsOf, contentsLength, digestOf } from './block-digests.js';
import { blockBytes, type Containers } from './containers.js';
import { openFileContainers } from './real/file-containers.js';
import { packContents, PackedContainers, storedRows } from './packed-containers.js';
import type { Store } from './store.js';
import { MemoryContainers } from './twin/memory-containers.js';
import { MemoryStore } from './twin/memory-store.js';
import { seededRandom } from './twin/seeded-random.js';
import { SimulatedClock } from './twin/simulated-clock.js';

containersContract(t, 'files', async (t) => {
  const folder = t.testdir();
  const containers = await openFileContainers(folder);
  t.teardown(() => containers.close());
  return {
    containers,
    reopen: () => openFileContainers(folder),
    damage: async (digest, byte) => flipBit(join(folder, digest.slice(0, 2), digest), byte),
  };
});

containersContract(t, 'memory', async () => {
  const containers = new MemoryContainers();
  return {
    containers,
    reopen: async () => containers.reopen(),
    damage: async (digest, byte) => containers.damage(digest, byte),
  };
});

partialContainersContract(t, 'files', async (t) => {
  const folder = t.testdir();
  const containers = await openFileContainers(folder);
  t.teardown(() => containers.close());
  return {
    containers,
    reopen: () => openFileContainers(folder),
    damage: async (digest, byte) => flipBit(join(folder, 'partial', digest, '0'), byte),
  };
});

partialContainersContract(t, 'memory', async () => {
  const containers = new MemoryContainers();
  return {
    containers,
    reopen: async () => containers.reopen(),
    damage: async (digest, byte) => containers.damagePartial(digest, byte),
  };
});

partialContainersContract(t, 'packed', async () => {
  const [store, below] = [new MemoryStore(), new MemoryContainers()];
  return {
    containers: packed(store, below),
    reopen: async () => packed(store.reopen(), below.reopen()),
    damage: async (digest, byte) => below.damagePartial(digest, byte),
  };
});

fullDiskPartialContract(t, 'memory', 4_000_000, async () => new MemoryContainers({ capacity: 4_000_000 }));

containersContract(t, 'packed', async () => {
  const store = new MemoryStore();
  const below = new MemoryContainers();
  return {
    containers: packed(store, below),
    reopen: async () => packed(store.reopen(), below.reopen()),
    damage: (digest, byte) => damagePacked(store, below, digest, byte),
  };
});

refusedCommitContract(t, 'memory', () => {
  const containers = new MemoryContainers();
  return { containers, refuse: () => containers.failNext() };
});

refusedCommitContract(t, 'packed', () => {
  const [rows, below] = [new MemoryStore(), new MemoryContainers()];
  const refuse = (length: number): void => (length > 5000 ? below.failNext() : rows.failNext('no-space'));
  return { containers: packed(rows, below), refuse };
});

void t.test('packed contents', async (t) => {
  await t.test('are one with what names them: after a power cut both are there, or neither', async (t) => {
    for (const keepsRunning of [false, true]) {
      const clock = new SimulatedClock();
      const store = new MemoryStore({ clock, flushMs: 10 });
      const below = new MemoryContainers();
      const bytes = Buffer.from('small');
      const digest = digestOf(bytes);
      void store.transact((transaction) => {
        packContents(transaction, digest, bytes);
        transaction.put('names it', Buffer.from(digest));
      });
      t.equal(await packed(store, below).has(digest), true, 'seen at once');
      const found = store.crash(keepsRunning);
      t.equal(found.get('names it') !== undefined, keepsRunning);
      t.equal(await packed(found, below.crash()).has(digest), keepsRunning);
    }
  });

  await t.test('that a file holds since an older version are found there', async (t) => {
    const below = new MemoryContainers();
    const digest = await store(below, Buffer.from('old'));
    const containers = packed(new MemoryStore(), below);
    t.equal(await containers.length(digest), 3);
    t.equal((await collect(await containers.read(digest))).toString(), 'old');
    await containers.remove(digest);
    t.equal(await below.has(digest), false);
  });

  await t.test('that are damaged stay for a person to look at', async (t) => {
    const memory = new MemoryStore();
    const containers = packed(memory, new MemoryContainers());
    const digest = await store(containers, Buffer.from('precious'));
    await damagePacked(memory, new MemoryContainers(), digest, 0);
    const [refused] = await Promise.allSettled([containers.read(digest)]);
    t.ok(refused.status === 'rejected' && isFailure(refused.reason, 'damaged'));
    t.equal(Buffer.from(memory.get(`contents-damaged/${digest}`) ?? []).toString(), 'qrecious');
  });

  await t.test('are listed without holding others up', async (t) => {
    const memory = new MemoryStore();
    let pauses = 0;
    const pause = async (): Promise<void> => void (pauses += 1);
    const containers = packed(memory, new MemoryContainers(), pause);
    for (let index = 0; index < 1200; index += 1) await store(containers, Buffer.from(String(index)));
    let listed = 0;
    for await (const { length } of containers.list()) listed += length > 0 ? 1 : 0;
    t.same([listed, pauses], [1200, 4]);
  });
});

function packed(store: Store, below: Containers, pause = async (): Promise<void> => undefined): Containers {
  return new PackedContainers({ rows: storedRows(store), containers: below, packedBytes: 5000, pause });
}

async function damagePacked(
  store: Store,
  below: MemoryContainers,
  digest: string,
  byte: number,
): Promise<void> {
  const key = `contents/${digest}`;
  const bytes = store.get(key);
  if (bytes === undefined) return below.damage(digest, byte);
  bytes[byte] = (bytes[byte] ?? 0) ^ 1;
  await store.transact((transaction) => transaction.put(key, bytes));
}

fullDiskContract(t, 'memory', 1_000_000, async () => new MemoryContainers({ capacity: 1_000_000 }));

void t.test('the containers folder', async (t) => {
  await t.test('holds containers by their digests, and no spool once they are stored', async (t) => {
    const folder = t.testdir();
    const containers = await openFileContainers(folder);
    const digest = await store(containers, Buffer.from('hello'));
    t.same(readdirSync(join(folder, digest.slice(0, 2))), [digest]);
    t.same(readdirSync(join(folder, 'spool')), []);
    await containers.close();
    t.same(readdirSync(folder).includes('in-use'), false);
    await t.rejects(containers.has(digest), { message: /closed/ });
  });

  await t.test('is rid of the spools of a killed process when it is opened', async (t) => {
    const folder = t.testdir({ format: 'coda-containers 1\n', spool: { abandoned: 'half a fil' } });
    const containers = await openFileContainers(folder);
    t.same(readdirSync(join(folder, 'spool')), []);
    await containers.close();
  });

  await t.test('belongs to one opener at a time', async (t) => {
    const folder = t.testdir();
    const containers = await openFileContainers(folder);
    const [second] = await Promise.allSettled([openFileContainers(folder)]);
    t.ok(second.status === 'rejected' && isFailure(second.reason, 'invalid'));
    await containers.close();
  });

  await t.test('puts damaged containers aside, whatever the damage', async (t) => {
    const folder = t.testdir();
    const containers = await openFileContainers(folder);
    const contents = Buffer.alloc(3 * blockBytes, 'x');
    const harms: readonly [string, (path: string) => void][] = [
      ['shorter by a byte', (path) => truncateSync(path, contents.length + 3 * 32 - 1)],
      ['shorter by a block', (path) => truncateSync(path, 2 * blockBytes + 2 * 32)],
      ['empty', (path) => truncateSync(path, 0)],
      ['another digest of a block', (path) => flipBit(path, contents.length + 40)],
      ['other contents', (path) => flipBit(path, 2 * blockBytes)],
    ];
    for (const [name, harm] of harms) {
      const digest = await store(containers, contents);
      const path = join(folder, digest.slice(0, 2), digest);
      harm(path);
      const [outcome] = await Promise.allSettled([drain(containers, digest)]);
      t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'damaged'), name);
      t.equal(await containers.has(digest), false);
      t.same(readdirSync(join(folder, 'quarantine')), [digest]);
    }
    await containers.close();
    const again = await openFileContainers(folder);
    const digest = await store(again, contents);
    t.equal(await drain(again, digest), contents.length);
    await again.close();
  });

  await t.test('notices that a file is another whole container', async (t) => {
    const folder = t.testdir();
    const containers = await openFileContainers(folder);
    for (const length of [10, 3 * blockBytes]) {
      const digest = await store(containers, Buffer.alloc(length, 'a'));
      const other = await store(containers, Buffer.alloc(length, 'b'));
      copyFileSync(join(folder, other.slice(0, 2), other), join(folder, digest.slice(0, 2), digest));
      const [outcome] = await Promise.allSettled([drain(containers, digest)]);
      t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'damaged'));
      t.equal(await drain(containers, other), length);
    }
    await containers.close();
  });

  await t.test('does not insist on a container that vanished behind our back', async (t) => {
    const folder = t.testdir();
    const containers = await openFileContainers(folder);
    const digest = await store(containers, Buffer.from('hello'));
    unlinkSync(join(folder, digest.slice(0, 2), digest));
    const [outcome] = await Promise.allSettled([drain(containers, digest)]);
    t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'not-found'));
    t.equal(await containers.has(digest), false);
    await containers.close();
  });
});

void t.test('the memory containers', async (t) => {
  await t.test('keep over a crash what was committed, and only that', async (t) => {
    const clock = new SimulatedClock();
    const containers = new MemoryContainers({ clock, flushMs: 10 });
    const kept = await clock.until(store(containers, Buffer.from('kept')));
    let answered = false;
    void store(containers, Buffer.from('lost')).then(() => (answered = true));
    await clock.advance(5);
    const after = containers.crash();
    await clock.advance(100);
    t.notOk(answered);
    t.equal(await after.has(kept), true);
    t.equal(await after.has(digestOf(Buffer.from('lost'))), false);
  });

  await t.test('a commit under way may have reached the disk although nobody was told', async (t) => {
    const clock = new SimulatedClock();
    const containers = new MemoryContainers({ clock, flushMs: 10 });
    let answered = false;
    void store(containers, Buffer.from('kept')).then(() => (answered = true));
    await clock.advance(5);
    const after = containers.crash(true);
    await clock.advance(100);
    t.notOk(answered);
    t.equal(await after.has(digestOf(Buffer.from('kept'))), true);
    t.same(after.digests, [digestOf(Buffer.from('kept'))]);
  });

  await t.test('can be made to refuse a commit', async (t) => {
    const containers = new MemoryContainers();
    containers.failNext();
    const [refused] = await Promise.allSettled([store(containers, Buffer.from('contents'))]);
    t.ok(refused.status === 'rejected' && isFailure(refused.reason, 'no-space'));
    await store(containers, Buffer.from('contents'));
    containers.failNext();
    containers.mend();
    await store(containers, Buffer.from('other contents'));
  });

  await t.test('do not trust the disk any more once it has failed to flush, until a restart', async (t) => {
    const containers = new MemoryContainers();
    const kept = await store(containers, Buffer.from('before'));
    containers.failNext(1, 'damaged', 1);
    const last = await store(containers, Buffer.from('the last one that is flushed'));
    for (let time = 0; time < 2; time += 1) {
      const [failed] = await Promise.allSettled([store(containers, Buffer.from('contents'))]);
      t.ok(failed.status === 'rejected' && isFailure(failed.reason, 'damaged'));
    }
    t.same([await containers.has(kept), await containers.has(last)], [true, true], 'what is there is read');
    await store(containers.reopen(), Buffer.from('contents'));
  });

  await t.test('a power cut leaves any blocks of contents in part, or beginnings of them', async (t) => {
    const blocks = [1, 2, 3].map((value) => Buffer.alloc(blockBytes, value));
    const contents = Buffer.concat(blocks);
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const containers = new MemoryContainers();
      const digest = digestOf(contents);
      const beginning = { digest, length: contents.length, blockDigests: blockDigestsOf(contents) };
      const partial = await containers.beginPartial(beginning);
      for (const [index, block] of blocks.entries()) await partial.write(index, block);
      const left = await containers.crash(false, true, seededRandom(seed)).openPartial(digest);
      if (left === undefined) seen.add('nothing');
      for (let index = 0; left !== undefined && index < blocks.length; index += 1) {
        const found = await left.read(index).then(
          (bytes) => Buffer.compare(bytes, blocks[index] ?? Buffer.alloc(0)) === 0,
          (error: unknown) => isFailure(error) && error.kind,
        );
        seen.add(String(found));
        t.equal(left.has(index), found === true, 'what does not match is not here');
      }
    }
    t.same([...seen].sort(), ['damaged', 'not-found', 'nothing', 'true']);
  });

  await t.test('what was removed may be there again after a power cut, until the next commit', async (t) => {
    const containers = new MemoryContainers();
    const [one, two] = [
      await store(containers, Buffer.from('one')),
      await store(containers, Buffer.from('two')),
    ];
    await containers.remove(one);
    await store(containers, Buffer.from('three'));
    await containers.remove(two);
    const after = containers.crash(false, true);
    t.equal(await after.has(one), false);
    t.equal(await after.has(two), true);
    t.equal(await after.crash().has(two), true);
  });

  await t.test('has room for so many bytes more, and knows of bodies that nobody ends', async (t) => {
    const containers = new MemoryContainers();
    await store(containers, Buffer.from('before'));
    containers.leave(4);
    const spool = await containers.spool();
    t.equal(containers.openSpools, 1);
    const [refused] = await Promise.allSettled([spool.write(Buffer.from('12345'))]);
    t.ok(refused.status === 'rejected' && isFailure(refused.reason, 'no-space'));
    t.equal(containers.openSpools, 0);
    await store(containers, Buffer.from('1234'));
    containers.mend();
    await store(containers, Buffer.from('12345'));
  });
});

void t.test('the length of the contents follows from the length of the file', async (t) => {
  for (const length of [0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 10 * blockBytes, 2 ** 41 + 5]) {
    const fileBytes = length + Math.ceil(length / blockBytes) * 32;
    t.equal(contentsLength(fileBytes), length);
  }
  for (const fileBytes of [1, 32, blockBytes + 33, blockBytes + 64])
    t.equal(contentsLength(fileBytes), undefined);
});

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function store(containers: Containers, contents: Uint8Array): Promise<string> {
  const spool = await containers.spool();
  await spool.write(contents);
  return (await spool.commit()).digest;
}

async function drain(containers: Containers, digest: string): Promise<number> {
  let length = 0;
  for await (const chunk of await containers.read(digest)) length += chunk.length;
  return length;
}

function flipBit(path: string, position: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, position);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(file, byte, 0, 1, position);
  closeSync(file);
}
