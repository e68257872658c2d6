import type { Test } from 'tap';
import { isFailure, type FailureKind } from '../../vice/interface/index.js';
import { blockDigestsOf, digestOf } from '../../vice/seam/block-digests.js';
import { blockBytes, type Containers } from '../../vice/seam/containers.js';
import type { PartialBeginning, PartialContainer } from '../../vice/seam/partial-container.js';

/** Containers on an empty disk, what a restart finds there, and what harms contents in part. */
export interface PartialsUnderTest {
  readonly containers: Containers;
  /** After `close`, or instead of it after a crash. */
  reopen(): Promise<Containers>;
  /** Changes one bit of contents in part, behind their back; they lie in one file. */
  damage(digest: string, byte: number): Promise<void>;
}

export type MakePartials = (t: Test) => Promise<PartialsUnderTest>;

const contents = Buffer.concat(
  [1, 2, 3, 4, 5].map((letter) => Buffer.alloc(letter === 5 ? 1234 : blockBytes, letter)),
);
const digest = digestOf(contents);
const beginning: PartialBeginning = {
  digest,
  length: contents.length,
  blockDigests: blockDigestsOf(contents),
};
const blocks = [0, 1, 2, 3, 4];

/** What every Containers must do with contents in part (CO-5 to CO-8), whatever it stands on. */
export function partialContainersContract(t: Test, name: string, make: MakePartials): void {
  void t.test(`${name}: contents in part`, async (t) => {
    await taken(t, make);
    await completed(t, make);
    await left(t, make);
    await spoilt(t, make);
    await inSegments(t, make);
  });
}

function block(number: number): Buffer {
  return contents.subarray(number * blockBytes, (number + 1) * blockBytes);
}

async function taken(t: Test, make: MakePartials): Promise<void> {
  await t.test('CO-5: what does not match is not taken', async (t) => {
    const { containers } = await make(t);
    await failsWith(t, containers.beginPartial({ ...beginning, digest: digestOf(block(0)) }), 'damaged');
    await failsWith(t, containers.beginPartial({ ...beginning, length: 7 * blockBytes }), 'damaged');
    const partial = await containers.beginPartial(beginning);
    await failsWith(t, partial.write(0, block(1)), 'damaged');
    await failsWith(t, partial.write(4, block(0)), 'damaged');
    await failsWith(t, partial.write(0, block(0).subarray(1)), 'damaged');
    await failsWith(t, partial.write(5, block(0)), 'damaged');
    t.equal(partial.bytes, 0);
    await failsWith(t, partial.read(0), 'not-found');
    await partial.write(3, block(3));
    await partial.write(3, block(3));
    await partial.write(4, block(4));
    t.same(
      blocks.filter((each) => partial.has(each)),
      [3, 4],
    );
    t.equal(partial.bytes, blockBytes + 1234);
    t.ok(block(3).equals(await partial.read(3)));
    t.ok(block(4).equals(await partial.read(4)));
    t.notOk(partial.has(17));
  });

  await t.test('CO-6: contents in part are no container', async (t) => {
    const { containers } = await make(t);
    const partial = await containers.beginPartial(beginning);
    for (const each of blocks) await partial.write(each, block(each));
    t.equal(await containers.has(digest), false);
    await failsWith(t, containers.read(digest), 'not-found');
    t.same(await list(containers), []);
  });

  await t.test('one opener at a time; beginning anew begins with nothing', async (t) => {
    const { containers } = await make(t);
    const partial = await containers.beginPartial(beginning);
    await partial.write(1, block(1));
    await t.rejects(containers.openPartial(digest));
    await t.rejects(containers.removePartial(digest));
    await partial.close();
    await partial.close();
    await t.rejects(partial.read(1));
    const anew = await containers.beginPartial(beginning);
    t.equal(anew.bytes, 0);
    await anew.remove();
    t.equal(await containers.openPartial(digest), undefined);
    await containers.removePartial(digest);
  });
}

async function completed(t: Test, make: MakePartials): Promise<void> {
  await t.test('CO-6: it becomes a container when all blocks are here, in any order', async (t) => {
    const { containers, reopen } = await make(t);
    const partial = await containers.beginPartial(beginning);
    for (const each of [4, 0, 3, 1]) {
      await partial.write(each, block(each));
      t.equal(await partial.complete(), false);
    }
    await Promise.all([partial.write(2, block(2)), partial.write(2, block(2))]);
    t.equal(await partial.complete(), true);
    t.same(await list(containers), [[digest, contents.length]]);
    t.same(await partials(containers), []);
    t.ok(contents.equals(await whole(containers)));
    t.ok(Buffer.from(beginning.blockDigests).equals(await containers.blockDigests(digest)));
    await containers.close();
    const again = await reopen();
    t.ok(contents.equals(await whole(again)), 'after a restart too');
    t.equal(await again.openPartial(digest), undefined);
    await again.close();
  });

  await t.test('the digests of blocks prove themselves', async (t) => {
    const { containers } = await make(t);
    await failsWith(t, containers.blockDigests(digest), 'not-found');
    for (const length of [0, 1, blockBytes, contents.length]) {
      const some = contents.subarray(0, length);
      const spool = await containers.spool();
      await spool.write(Buffer.from(some));
      await spool.commit();
      t.ok(blockDigestsOf(some).equals(await containers.blockDigests(digestOf(some))), `${length} bytes`);
    }
  });
}

async function left(t: Test, make: MakePartials): Promise<void> {
  await t.test('CO-7: a restart finds the blocks that were written', async (t) => {
    const { containers, reopen } = await make(t);
    const partial = await containers.beginPartial(beginning);
    for (const each of [1, 4]) await partial.write(each, block(each));
    await containers.close();
    const again = await reopen();
    t.same(await partials(again), [[digest, contents.length, blockBytes + 1234]]);
    const found = await mustOpen(again);
    t.same(
      blocks.filter((each) => found.has(each)),
      [1, 4],
    );
    t.equal(found.segmentBlocks, undefined);
    t.ok(block(1).equals(await found.read(1)));
    for (const each of [0, 2, 3]) await found.write(each, block(each));
    t.equal(await found.complete(), true);
    t.ok(contents.equals(await whole(again)));
    await again.close();
  });
}

async function spoilt(t: Test, make: MakePartials): Promise<void> {
  await t.test('CO-5: a block that has changed is not here', async (t) => {
    const { containers, damage } = await make(t);
    const partial = await containers.beginPartial(beginning);
    for (const each of [1, 2]) await partial.write(each, block(each));
    await damage(digest, blockBytes + 9);
    await failsWith(t, partial.read(1), 'damaged');
    t.equal(partial.has(1), false);
    t.equal(partial.bytes, blockBytes);
    t.ok(block(2).equals(await partial.read(2)));
    await partial.write(1, block(1));
    t.ok(block(1).equals(await partial.read(1)));
  });

  await t.test('CO-1: what a crash has spoilt does not become part of a container', async (t) => {
    const { containers, reopen, damage } = await make(t);
    const partial = await containers.beginPartial(beginning);
    for (const each of [0, 1, 2, 3]) await partial.write(each, block(each));
    await containers.close();
    await damage(digest, 2 * blockBytes);
    const again = await reopen();
    const found = await mustOpen(again);
    await found.write(4, block(4));
    t.equal(await found.complete(), false);
    t.equal(found.has(2), false);
    await found.write(2, block(2));
    t.equal(await found.complete(), true);
    t.ok(contents.equals(await whole(again)));
    await again.close();
  });
}

async function inSegments(t: Test, make: MakePartials): Promise<void> {
  await t.test('segments are given up one by one, also after a restart', async (t) => {
    const { containers, reopen } = await make(t);
    const partial = await containers.beginPartial({ ...beginning, segmentBlocks: 2 });
    for (const each of blocks) await partial.write(each, block(each));
    await partial.drop(0);
    t.same(
      blocks.filter((each) => partial.has(each)),
      [2, 3, 4],
    );
    await failsWith(t, partial.read(0), 'not-found');
    await partial.write(0, block(0));
    await partial.drop(2);
    await partial.drop(2);
    t.equal(partial.bytes, 3 * blockBytes);
    await t.rejects(partial.complete());
    await containers.close();
    const again = await reopen();
    const found = await mustOpen(again);
    t.equal(found.segmentBlocks, 2);
    t.same(
      blocks.filter((each) => found.has(each)),
      [0, 2, 3],
    );
    for (const each of [0, 2, 3]) t.ok(block(each).equals(await found.read(each)));
    await again.close();
  });
}

/** What contents in part must do on a disk of `room` bytes. */
export function fullDiskPartialContract(
  t: Test,
  name: string,
  room: number,
  make: (t: Test) => Promise<Containers>,
): void {
  void t.test(`${name}: a full disk refuses blocks, and keeps those that it has`, async (t) => {
    const containers = await make(t);
    const large = Buffer.alloc(2 * room, 'l');
    const partial = await containers.beginPartial({
      digest: digestOf(large),
      length: large.length,
      blockDigests: blockDigestsOf(large),
    });
    const bytes = large.subarray(0, blockBytes);
    // CO-8: a block far behind takes only its own room.
    const last = Math.floor(large.length / blockBytes) - 1;
    await partial.write(last, bytes);
    let refused: unknown;
    for (let each = 0; each < last && refused === undefined; each += 1) {
      await partial.write(each, bytes).catch((error: unknown) => (refused = error));
    }
    t.ok(isFailure(refused, 'no-space'));
    t.ok(partial.bytes >= room / 4 && partial.bytes <= room, `${partial.bytes} bytes were taken`);
    t.ok(bytes.equals(await partial.read(last)));
    t.ok(bytes.equals(await partial.read(0)));
    await partial.remove();
    const spool = await containers.spool();
    await spool.write(Buffer.from(bytes));
    t.ok(await spool.commit(), 'its room is free again');
  });
}

async function mustOpen(containers: Containers): Promise<PartialContainer> {
  const found = await containers.openPartial(digest);
  if (found === undefined) throw new Error('nothing was left');
  return found;
}

async function failsWith(t: Test, promise: Promise<unknown>, kind: FailureKind): Promise<void> {
  const [outcome] = await Promise.allSettled([promise]);
  t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, kind), kind);
}

async function whole(containers: Containers): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await containers.read(digest)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function list(containers: Containers): Promise<[string, number][]> {
  const listed: [string, number][] = [];
  for await (const each of containers.list()) listed.push([each.digest, each.length]);
  return listed;
}

async function partials(containers: Containers): Promise<[string, number, number][]> {
  const listed: [string, number, number][] = [];
  for await (const each of containers.partials()) listed.push([each.digest, each.length, each.bytes]);
  return listed;
}
