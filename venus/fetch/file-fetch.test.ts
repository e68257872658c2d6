/** A cold file on its way, on twins: sources that answer when the story says so. */
import t from 'tap';
import { isFailure } from '../../vice/interface/index.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { blocks, contents, Reading, Scripted, Story } from '../../conformance/bare-venus/file-readers.js';

t.test('the first byte is there before the last one, and a slow reader is not left behind', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 3;
  const { fetch, release } = await story.use();
  const reading = new Reading(fetch, 0, contents.length);
  await story.pass();
  t.equal(reading.chunks.length, 3);
  s1.go();
  await story.pass();
  await reading.over;
  release();
  t.ok(reading.bytes.equals(contents.subarray(0, reading.bytes.length)));
  t.ok(fetch.isWhole || reading.bytes.length === contents.length);
  await story.pass(2000);
  t.ok(story.cache.has(story.data.digest), 'whole in the end');
  t.equal(s1.given.length, blocks, 'each block once');
});

t.test('a reader who does not read on gets no more than is read ahead', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length, 1);
  await story.pass();
  t.equal(s1.given.length, 4);
  reading.take(3);
  await story.pass();
  t.ok(s1.given.length > 4 && s1.given.length <= 16, `${s1.given.length}: it grows as he reads on`);
});

t.test('a range asks for its blocks alone, with the proof in the same answer', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const { fetch, release } = await story.use();
  const start = 20 * blockBytes + 5;
  const reading = new Reading(fetch, start, start + 100);
  await story.pass();
  t.ok(reading.bytes.equals(contents.subarray(start, start + 100)));
  t.same(s1.given, [20]);
  t.equal(s1.requests.length, 1);
  const again = new Reading(fetch, start + blockBytes, start + 2 * blockBytes);
  await story.pass();
  t.ok(again.bytes.equals(contents.subarray(start + blockBytes, start + 2 * blockBytes)));
  t.same(s1.given, [20, 21, 22]);
  t.equal(s1.requests[1]?.proof, false, 'the proof came once');
  release();
});

t.test('readers of one file share one transfer, each at his own pace', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 2;
  const { fetch } = await story.use();
  const [one, two] = [new Reading(fetch, 0, contents.length, 1), new Reading(fetch, 0, contents.length)];
  await story.pass();
  t.same([one.chunks.length, two.chunks.length], [1, 2]);
  s1.go();
  await story.pass();
  await two.over;
  one.take(1000);
  await story.pass();
  await one.over;
  t.equal(s1.given.length, blocks);
});

t.test('who hangs up ends what nobody else wants, and nothing else', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 6;
  const one = await story.use();
  const reading = new Reading(one.fetch, 0, contents.length, 2);
  await story.pass();
  const two = await story.use();
  const other = new Reading(two.fetch, 0, contents.length);
  await story.pass();
  await reading.hangUp();
  one.release();
  await story.pass(5000);
  t.equal(s1.stopped, 0, 'the other one still waits');
  const gone = other.hangUp();
  s1.stopsAt = 7;
  s1.go();
  s1.stopsAt = 7;
  await story.pass();
  await gone;
  two.release();
  await story.pass(5000);
  t.ok(s1.given.length < blocks, `${s1.given.length} of ${blocks} blocks came`);
  const here = s1.given.length;
  const third = await story.use();
  const last = new Reading(third.fetch, 0, contents.length);
  s1.go();
  await story.pass();
  await last.over;
  t.equal(s1.given.length, blocks, `the ${here} blocks that had come were not asked for again`);
});

t.test('nor does a transfer go on for a file that is open and not read', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  s1.stopsAt = 3;
  const { fetch } = await story.use();
  const reading = new Reading(fetch, 0, contents.length, 2);
  await story.pass();
  await reading.hangUp();
  await story.pass(500);
  t.equal(s1.stopped, 0, 'who seeks hangs up and comes back');
  await story.pass(1000);
  t.equal(s1.stopped, 1);
});

t.test('what was read in part can be wanted whole', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const { fetch, release } = await story.use();
  await Promise.all([new Reading(fetch, 30 * blockBytes, 33 * blockBytes).over, story.pass()]);
  const whole = fetch.whole(false);
  await story.pass();
  await whole;
  t.ok(fetch.isWhole && story.cache.has(story.data.digest));
  t.equal(s1.given.length, blocks);
  release();
  await story.pass(2000);
  t.equal(story.fetches.bytes, 0);
});

t.test(
  'what has become whole another way meanwhile is not fetched any more, and not here twice',
  async (t) => {
    const s1 = new Scripted('s1');
    const story = await Story.begin([s1]);
    s1.stopsAt = 5;
    const { fetch, release } = await story.use();
    const reading = new Reading(fetch, 0, contents.length);
    await story.pass();
    const spool = await story.cache.spool(contents.length);
    await spool.write(contents);
    await spool.commit();
    await spool.abort();
    await story.pass();
    await reading.over;
    t.equal(reading.failure, undefined);
    t.same([reading.chunks.length, fetch.isWhole], [5, true], 'the rest is in the cache');
    t.same([story.fetches.bytes, s1.given.length, s1.stopped > 0], [0, 5, true]);
    for await (const { digest } of story.containers.partials()) t.fail(`${digest} is here in part`);
    release();
    await story.pass(2000);
  },
);

t.test('what is wanted in the background gives way while a user waits', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  const user = story.gate.fetching();
  const { fetch } = await story.use();
  const whole = fetch.whole(false);
  await story.pass(1000);
  t.equal(s1.given.length, 0, 'it waits for its turn');
  await story.pass(1500);
  t.equal(s1.given.length, 1, 'one block, then it waits again');
  const reading = new Reading(fetch, 0, 4 * blockBytes);
  const far = new Reading(fetch, 30 * blockBytes, 31 * blockBytes);
  await story.pass(100);
  t.same([reading.chunks.length, far.chunks.length], [4, 1], 'not when somebody waits for the same');
  user();
  await story.pass(300);
  await whole;
  t.equal(s1.given.length, blocks);
});

t.test('whoever wants other bytes need not wait for what was begun in the background', async (t) => {
  const s1 = new Scripted('s1');
  const story = await Story.begin([s1]);
  story.gate.fetching();
  const { fetch } = await story.use();
  void fetch.whole(false);
  await story.pass(100);
  const far = new Reading(fetch, 30 * blockBytes, 31 * blockBytes);
  await story.pass(100);
  t.equal(far.chunks.length, 1);
});

t.test(
  'a file larger than the cache is read through it, and what is behind the reader makes room',
  async (t) => {
    const limit = 4 * 1024 * 1024;
    const s1 = new Scripted('s1');
    const story = await Story.begin([s1], limit);
    const { fetch, release } = await story.use();
    const reading = new Reading(fetch, 0, contents.length, 0);
    let most = 0;
    for (let block = 0; block < blocks; block += 1) {
      reading.take(1);
      await story.pass(10);
      most = Math.max(most, story.fetches.bytes);
    }
    reading.take(1);
    await story.pass();
    await reading.over;
    t.ok(reading.bytes.equals(contents));
    t.ok(fetch.inSegments && !fetch.isWhole);
    t.ok(most <= limit, `${most} bytes at most`);
    const tail = new Reading(fetch, contents.length - 10, contents.length);
    await story.pass();
    t.ok(tail.bytes.equals(contents.subarray(-10)));
    t.ok(s1.given.length <= blocks + 1, 'the end is still here');
    release();
  },
);

t.test('a disk that is full is said at once, and nobody is asked for what cannot be kept', async (t) => {
  const [s1, s2] = [new Scripted('s1'), new Scripted('s2')];
  const story = await Story.begin([s1, s2]);
  story.containers = new MemoryContainers({ capacity: 2 * blockBytes });
  await story.start();
  const { fetch } = await story.use();
  const whole = fetch.whole(true).catch((error: unknown) => error);
  await story.pass();
  t.ok(isFailure(await whole, 'no-space'));
  t.ok(s1.requests.length + s2.requests.length <= 2);
});
