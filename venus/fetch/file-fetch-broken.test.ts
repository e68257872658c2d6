/** Transfers that break, lie, or end with their gateway: they go on where they were. */
import t from 'tap';
import { isFailure } from '../../vice/interface/index.js';
import { blockBytes } from '../../vice/seam/containers.js';
import {
  blocks,
  contents,
  contentsOf,
  Reading,
  Scripted,
  Story,
} from '../../conformance/bare-venus/file-readers.js';

t.test('a transfer that breaks goes on from another source at the block where it broke', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  s1.breaksAt = 7;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  await reading.over;
  t.equal(reading.failure, undefined);
  t.equal(story.given, blocks, 'each block once');
  t.equal(Math.min(...s2.given), 7);
});

t.test('a block that does not match is taken from another source; nobody gets the other bytes', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  s1.liesAt = 5;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 4 * blockBytes, 8 * blockBytes);
  await story.pass();
  await reading.over;
  t.ok(reading.bytes.equals(contents.subarray(4 * blockBytes, 8 * blockBytes)));
  t.ok(s2.given.includes(5));
});

t.test('where no source has a block the reader is told, after what is sound', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  s1.liesAt = s2.liesAt = 5;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  await reading.over;
  t.ok(isFailure(reading.failure, 'damaged'), String(reading.failure));
  t.ok(reading.bytes.equals(contents.subarray(0, 5 * blockBytes)));
  s2.liesAt = -1;
  const again = new Reading(fetch, 5 * blockBytes, 6 * blockBytes);
  await story.pass();
  t.ok(again.bytes.equals(contents.subarray(5 * blockBytes, 6 * blockBytes)), 'asked again, it is there');
});

t.test('other block digests than those of the file are no proof', async (t) => {
  const other = contentsOf(blocks, 2);
  const [s1, s2] = [new Scripted('s1', other), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, 10);
  await story.pass();
  t.ok(reading.bytes.equals(contents.subarray(0, 10)));
  t.equal(s2.requests[0]?.proof, true);
});

t.test(
  'a late block is asked of a second source; the first to bring it wins, the other one stops',
  async (t) => {
    const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
    const story = await Story.begin([s1, s2]);
    s1.stopsAt = 2;
    const { fetch, release } = await story.use();
    const reading = new Reading(fetch, 0, 10 * blockBytes, 4);
    await story.pass(500);
    t.equal(s2.requests.length, 0, 'not yet late');
    await story.pass(1000);
    t.equal(s2.requests[0]?.first, 2);
    t.equal(reading.chunks.length, 4);
    t.ok(s1.stopped >= 1, 'what it was asked for is taken back');
    t.equal(s2.preferred, 0, 'one race says little');
    const asked = s1.requests.length;
    reading.take(1000);
    await story.pass();
    await reading.over;
    t.equal(s1.requests.length, asked, 'but the rest of this file is asked of the faster one');
    release();
    await story.pass(2000);
    s1.stopsAt = 0;
    const again = await story.use();
    const other = new Reading(again.fetch, 20 * blockBytes, 21 * blockBytes);
    await story.pass(2000);
    await other.over;
    t.equal(s2.preferred, 1, 'two in a row do');
  },
);

t.test('a killed gateway goes on with the blocks that it has', async (t) => {
  const before = new Scripted('s1');
  const story = await Story.begin([before]);
  before.stopsAt = 10;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  t.equal(reading.chunks.length, 10);
  await story.restart();
  const s1 = new Scripted('s1');
  story.sources[0] = s1;
  const again = await story.use();
  const rest = new Reading(again.fetch, 0, contents.length);
  await story.pass();
  await rest.over;
  t.equal(rest.failure, undefined);
  t.equal(s1.given.length, blocks - 9, 'and the one that the crash had spoilt');
  t.ok(s1.requests.every(({ proof }) => !proof));
  await story.pass(2000);
  t.ok(story.cache.has(story.data.digest));
});
