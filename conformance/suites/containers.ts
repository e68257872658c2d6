import type { Test } from 'tap';
import { emptyDigest, isFailure, type FailureKind } from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import { blockBytes, type Containers } from '../../vice/seam/containers.js';

/** Containers on an empty disk, what a restart finds there, and what harms one. */
export interface ContainersUnderTest {
  readonly containers: Containers;
  /** After `close`, or instead of it after a crash. */
  reopen(): Promise<Containers>;
  /** Changes one bit of a stored container's contents, behind its back. */
  damage(digest: string, byte: number): Promise<void>;
}

export type MakeContainers = (t: Test) => Promise<ContainersUnderTest>;

/** Lengths around every border of a block. */
const lengths = [0, 1, 31, 32, 33, 4096, blockBytes - 1, blockBytes, blockBytes + 1, 3 * blockBytes, 900_000];

/** What every Containers must do (CO-1 to CO-4), whatever it stands on. */
export function containersContract(t: Test, name: string, make: MakeContainers): void {
  void t.test(`${name}: containers`, async (t) => {
    await stored(t, make);
    await spooled(t, make);
    await read(t, make);
    await checked(t, make);
  });
}

async function stored(t: Test, make: MakeContainers): Promise<void> {
  await t.test('CO-1: what was committed is whole, also after a restart', async (t) => {
    const { containers, reopen } = await make(t);
    for (const length of lengths) {
      const contents = sample(length);
      const { digest } = await store(containers, contents);
      t.equal(digest, digestOf(contents), `${length} bytes: named by their digest`);
      t.equal(await containers.has(digest), true);
      t.equal(await containers.length(digest), length);
      t.ok(contents.equals(await collect(await containers.read(digest))), `${length} bytes: read back`);
    }
    t.equal(digestOf(Buffer.alloc(0)), emptyDigest);
    await containers.close();
    const again = await reopen();
    const listed = await list(again);
    t.same(new Map(listed), new Map(lengths.map((length) => [digestOf(sample(length)), length])));
    for (const length of lengths) {
      const found = await collect(await again.read(digestOf(sample(length))));
      t.ok(found.equals(sample(length)), `${length} bytes: still there`);
    }
    await again.close();
  });

  await t.test('the digest does not depend on how the contents were cut into chunks', async (t) => {
    const { containers } = await make(t);
    const contents = sample(2 * blockBytes + 12_345);
    for (const size of [1000, 65_536, blockBytes, blockBytes + 1, contents.length]) {
      const spool = await containers.spool();
      for (let start = 0; start < contents.length; start += size) {
        const chunk = Buffer.from(contents.subarray(start, start + size));
        await spool.write(chunk);
        chunk.fill(0);
        t.equal(spool.length, Math.min(contents.length, start + size));
      }
      t.same(await spool.commit(), { digest: digestOf(contents), length: contents.length });
    }
  });

  await t.test('CO-4: the same contents are stored once', async (t) => {
    const { containers } = await make(t);
    const stored = await Promise.all([1, 2, 3].map(() => store(containers, sample(5000))));
    t.equal(new Set(stored.map(({ digest }) => digest)).size, 1);
    t.same(await list(containers), [[digestOf(sample(5000)), 5000]]);
  });

  await t.test('many at once', async (t) => {
    const { containers } = await make(t);
    const sizes = Array.from({ length: 40 }, (_, index) => index * 997);
    await Promise.all(sizes.map((size) => store(containers, sample(size))));
    t.same(new Map(await list(containers)), new Map(sizes.map((size) => [digestOf(sample(size)), size])));
    t.ok((await containers.space()) > 0);
  });
}

async function spooled(t: Test, make: MakeContainers): Promise<void> {
  await t.test('CO-3: an aborted or forgotten spool leaves nothing', async (t) => {
    const { containers, reopen } = await make(t);
    for (const length of [10, 3 * blockBytes]) {
      const aborted = await containers.spool();
      await aborted.write(sample(length));
      await aborted.abort();
      await aborted.abort();
      await t.rejects(aborted.write(sample(1)));
      const forgotten = await containers.spool();
      await forgotten.write(sample(length));
    }
    t.same(await list(containers), []);
    await containers.close();
    const again = await reopen();
    t.same(await list(again), []);
    t.equal(await again.has(digestOf(sample(10))), false);
    await again.close();
  });

  await t.test('a spool is closed by its commit; aborting it then takes nothing back', async (t) => {
    const { containers } = await make(t);
    const spool = await containers.spool();
    await spool.write(sample(100));
    const { digest } = await spool.commit();
    await spool.abort();
    await t.rejects(spool.write(sample(1)));
    await t.rejects(spool.commit());
    t.equal(await containers.has(digest), true);
  });
}

/** Of containers that can be told to `refuse` the next commit, as a full disk does. */
export function refusedCommitContract(
  t: Test,
  name: string,
  make: () => { readonly containers: Containers; readonly refuse: (length: number) => void },
): void {
  void t.test(`${name}: a spool whose commit has failed says so again, and leaves nothing`, async (t) => {
    for (const length of [10, 3 * blockBytes]) {
      const { containers, refuse } = make();
      const spool = await containers.spool();
      await spool.write(sample(length));
      refuse(length);
      const failures: unknown[] = [];
      for (const use of [() => spool.commit(), () => spool.commit(), () => spool.write(sample(1))])
        failures.push(await use().catch((error: unknown) => error));
      t.ok(isFailure(failures[0], 'no-space'));
      t.ok(
        failures.every((failure) => failure === failures[0]),
        'the same failure each time',
      );
      await spool.abort();
      t.same(await list(containers), []);
      t.equal(
        (await store(containers, sample(length))).digest,
        digestOf(sample(length)),
        'another one may do better',
      );
    }
  });
}

async function read(t: Test, make: MakeContainers): Promise<void> {
  await t.test('any range, in chunks of at most one block', async (t) => {
    const { containers } = await make(t);
    for (const length of [0, 1000, 3 * blockBytes + 77]) {
      const contents = sample(length);
      const { digest } = await store(containers, contents);
      const marks = [
        0,
        1,
        999,
        blockBytes - 1,
        blockBytes,
        blockBytes + 1,
        2 * blockBytes,
        length,
        length + 5,
      ];
      for (const start of marks) {
        for (const end of marks) {
          const found = await collect(await containers.read(digest, start, end));
          if (!found.equals(contents.subarray(start, Math.max(start, end))))
            t.fail(`${start} to ${end} of ${length}`);
        }
      }
      for await (const chunk of await containers.read(digest))
        t.ok(chunk.length > 0 && chunk.length <= blockBytes);
    }
  });

  await t.test('what is not there, and what is no digest', async (t) => {
    const { containers } = await make(t);
    const absent = digestOf(sample(1));
    t.equal(await containers.has(absent), false);
    await failsWith(t, containers.read(absent), 'not-found');
    await failsWith(t, containers.length(absent), 'not-found');
    await containers.remove(absent);
    for (const digest of ['', '../../etc/passwd', absent.toUpperCase(), `${absent}\n`]) {
      await failsWith(t, containers.read(digest), 'invalid');
      await failsWith(t, containers.remove(digest), 'invalid');
    }
  });

  await t.test('a reader may stop early, or never start', async (t) => {
    const { containers } = await make(t);
    const { digest } = await store(containers, sample(4 * blockBytes));
    for await (const chunk of await containers.read(digest)) {
      t.equal(chunk.length, blockBytes);
      break;
    }
    const unread = (await containers.read(digest))[Symbol.asyncIterator]();
    await unread.return?.();
    t.same(await unread.next(), { done: true, value: undefined });
  });

  await t.test('an open read goes on when the container is removed meanwhile', async (t) => {
    const { containers } = await make(t);
    const contents = sample(5 * blockBytes);
    const { digest } = await store(containers, contents);
    const chunks: Uint8Array[] = [];
    for await (const chunk of await containers.read(digest)) {
      if (chunks.length === 0) await containers.remove(digest);
      chunks.push(chunk);
    }
    t.ok(Buffer.concat(chunks).equals(contents));
    t.equal(await containers.has(digest), false);
    await containers.remove(digest);
  });
}

async function checked(t: Test, make: MakeContainers): Promise<void> {
  const cases = [
    { length: 1000, byte: 0, start: 0, end: 1000, sound: 0 },
    { length: 1000, byte: 999, start: 10, end: 20, sound: 0 },
    { length: 4 * blockBytes, byte: 2 * blockBytes, start: 0, end: 4 * blockBytes, sound: 2 * blockBytes },
    {
      length: 4 * blockBytes,
      byte: 3 * blockBytes - 1,
      start: 2 * blockBytes,
      end: 2 * blockBytes + 1,
      sound: 0,
    },
  ];
  for (const { length, byte, start, end, sound } of cases) {
    await t.test(`byte ${byte} of ${length}, read from ${start} to ${end}`, async (t) => {
      const { containers, damage } = await make(t);
      const contents = sample(length);
      const { digest } = await store(containers, contents);
      await damage(digest, byte);
      const chunks: Uint8Array[] = [];
      const reading = (async () => {
        for await (const chunk of await containers.read(digest, start, end)) chunks.push(chunk);
      })();
      await failsWith(t, reading, 'damaged');
      t.ok(
        Buffer.concat(chunks).equals(contents.subarray(start, start + sound)),
        'only sound blocks came out',
      );
      t.equal(await containers.has(digest), false);
      t.same(await list(containers), []);
      await failsWith(t, containers.read(digest), 'not-found');
      await store(containers, contents);
      t.ok(contents.equals(await collect(await containers.read(digest))), 'fetched again, it is whole');
    });
  }

  await t.test('other ranges of a damaged container stay readable', async (t) => {
    const { containers, damage } = await make(t);
    const contents = sample(4 * blockBytes);
    const { digest } = await store(containers, contents);
    await damage(digest, 3 * blockBytes);
    const found = await collect(await containers.read(digest, 5, blockBytes + 5));
    t.ok(found.equals(contents.subarray(5, blockBytes + 5)));
  });
}

/** What containers must do on a disk that takes no more than about `room` bytes. */
export function fullDiskContract(
  t: Test,
  name: string,
  room: number,
  make: (t: Test) => Promise<Containers>,
): void {
  void t.test(`${name}: a full disk refuses, forgets the spool and goes on`, async (t) => {
    const containers = await make(t);
    const { digest } = await store(containers, sample(1000));
    const spool = await containers.spool();
    let refused: unknown;
    try {
      for (let written = 0; written < 2 * room; written += blockBytes)
        await spool.write(Buffer.alloc(blockBytes));
      await spool.commit();
    } catch (error) {
      refused = error;
    }
    t.ok(isFailure(refused, 'no-space'));
    await failsWith(t, spool.write(sample(1)), 'no-space');
    await spool.abort();
    t.same(await list(containers), [[digest, 1000]]);
    t.ok((await collect(await containers.read(digest))).equals(sample(1000)));
    await store(containers, sample(2000));
  });
}

async function failsWith(t: Test, promise: Promise<unknown>, kind: FailureKind): Promise<void> {
  const [outcome] = await Promise.allSettled([promise]);
  t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, kind), kind);
}

async function store(
  containers: Containers,
  contents: Uint8Array,
): Promise<{ digest: string; length: number }> {
  const spool = await containers.spool();
  await spool.write(contents);
  return spool.commit();
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function list(containers: Containers): Promise<[string, number][]> {
  const listed: [string, number][] = [];
  for await (const { digest, length } of containers.list()) listed.push([digest, length]);
  return listed;
}

/** Contents that differ from block to block and from length to length. */
function sample(length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4)).map((_, at) => Math.imul(at + 1, 2654435761) ^ length);
  return Buffer.from(words.buffer, 0, length);
}
