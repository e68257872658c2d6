/** Files in part and whole ones in one cache (RM-1 to RM-3 of partial-room.ts). */
import t from 'tap';
import { blockDigestsOf, digestOf } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { ContainerCache } from '../cache/container-cache.js';
import { PartialRoom } from './partial-room.js';
import { SharedPartial } from './shared-partial.js';

const limit = 16 * blockBytes;

class Stage {
  readonly disk = new MemoryContainers();
  cache!: ContainerCache;
  room!: PartialRoom;

  static async open(): Promise<Stage> {
    const stage = new Stage();
    const { disk } = stage;
    stage.cache = await ContainerCache.open({
      ...{ containers: disk, limitBytes: limit, isNeeded: () => false, log: silentLog },
    });
    stage.room = await PartialRoom.open(disk, stage.cache);
    return stage;
  }

  get bytes(): number {
    return this.cache.bytes + this.room.bytes;
  }

  /** Stores whole contents, and closes them. */
  async store(letter: string, blocks = 1): Promise<string> {
    const spool = await this.cache.spool(blocks * blockBytes);
    for (let block = 0; block < blocks; block += 1) await spool.write(Buffer.alloc(blockBytes, letter));
    const { digest, length } = await spool.commit();
    this.cache.adopt(digest, length)();
    await spool.abort();
    await settled();
    return digest;
  }

  /** Somebody reads the first `here` of `blocks` blocks, and has them open until the result is called. */
  async read(letter: string, blocks: number, here: number): Promise<() => Promise<void>> {
    const contents = Buffer.alloc(blocks * blockBytes, letter);
    const [digest, blockDigests] = [digestOf(contents), blockDigestsOf(contents)];
    const { length } = contents;
    const partial = new SharedPartial(await this.disk.beginPartial({ digest, length, blockDigests }));
    const use = { isWanted: () => true, cameWhole: () => undefined };
    this.room.opened({ digest, length }, partial, use);
    for (let block = 0; block < here; block += 1) {
      await partial.write(block, contents.subarray(0, blockBytes));
      this.room.grew(digest, block);
      await this.room.make();
    }
    await settled();
    return async () => {
      await partial.close();
      this.room.closed(digest);
      this.room.letGo(digest);
      await settled();
    };
  }
}

/** What goes on in the background has come to its end: nothing here waits for time. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((go) => setImmediate(go));
}

t.test('what comes in part makes whole contents go: the limit holds for both together', async (t) => {
  const stage = await full();
  const { cache, room } = stage;
  const close = await stage.read('z', 12, 10);
  t.equal(room.bytes, 10 * blockBytes);
  t.ok(cache.bytes + room.bytes <= limit, `${cache.bytes} and ${room.bytes} bytes`);
  await close();
});

t.test('whole contents that come make those in part go, down to their share', async (t) => {
  const stage = await Stage.open();
  for (const letter of 'uvwxyz') await (await stage.read(letter, 8, 2))();
  t.equal(stage.room.bytes, 12 * blockBytes, 'while nobody needs the room they may stay');
  for (const letter of 'abcdefghi') await stage.store(letter);
  t.equal(stage.room.bytes, 6 * blockBytes, 'only what had to');
  t.equal(stage.cache.bytes, 9 * blockBytes, 'and nothing whole went instead');
  for (const letter of 'jklmnop') await stage.store(letter);
  t.equal(stage.room.bytes, 4 * blockBytes, 'their share they keep');
  t.ok(stage.bytes <= limit);
});

t.test('a limit that is lowered holds for contents in part, too', async (t) => {
  const stage = await full();
  const close = await stage.read('z', 8, 6);
  await stage.cache.setLimit(6 * blockBytes);
  t.same([stage.room.bytes, stage.cache.bytes], [6 * blockBytes, 0], 'what is open stays');
  await close();
  await stage.cache.setLimit(2 * blockBytes);
  t.ok(stage.bytes <= 2 * blockBytes);
});

t.test('what is here as a whole is not here in part', async (t) => {
  const stage = await Stage.open();
  await (
    await stage.read('a', 4, 3)
  )();
  t.equal(stage.room.bytes, 3 * blockBytes);
  const digest = await stage.store('a', 4);
  t.ok(stage.cache.has(digest));
  t.equal(stage.room.bytes, 0);
  for await (const left of stage.disk.partials()) t.fail(`${left.digest} is here in part`);
});

/** As much as its margin allows. */
async function full(): Promise<Stage> {
  const stage = await Stage.open();
  for (const letter of 'abcdefghijklmno') await stage.store(letter);
  return stage;
}
