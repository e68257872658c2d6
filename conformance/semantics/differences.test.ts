/**
 * A large file with an insertion in its middle, saved through one gateway and read through another that has the old
 * version: counted in bytes at the servers, what moves is what is new, both ways.
 *
 * `CODA_DIFFERENCE_BYTES=1073741824` for a file of 1 GiB.
 */
import t from 'tap';
import { scaled } from '../test-scale.js';
import { digestOf, insertedBytes, LargeFileStage } from './large-file.js';

t.setTimeout(1_800_000);

const fileBytes = Number(process.env['CODA_DIFFERENCE_BYTES'] ?? scaled(200_000_000, 100_000_000));
/** Of the file. */
const mostMoved = fileBytes * 0.02;
/** 23 bytes a chunk of 64 KiB, about (vice/difference/cutter.ts), and half as many again. */
const recipeBytes = (fileBytes / 65_536) * 23 * 1.5;

t.test(`1 MB is put into the middle of ${Math.round(fileBytes / 1e6)} MB`, async (t) => {
  // The links of this machine are so fast that nothing would be compared; this test is about bytes.
  const stage = await LargeFileStage.open({ differences: 'always', cacheBytes: 8 * fileBytes });
  t.teardown(() => stage.close());
  const [ada, bob] = stage.people;
  const first = await stage.moved(async () => {
    await ada.save(fileBytes, 0);
    await stage.drained();
  });
  for (const at of first) {
    t.ok(at.in >= fileBytes && at.in < fileBytes * 1.01, `the first time all of it, once: ${at.in} bytes`);
  }
  t.equal(await bob.read(), digestOf(fileBytes, 0));

  const rounds = [
    { writer: ada, reader: bob, who: 'ada saves, bob reads' },
    { writer: bob, reader: ada, who: 'bob saves, ada reads' },
  ];
  for (const [round, { writer, reader, who }] of rounds.entries()) {
    const percent = (bytes: number): string => `${bytes} bytes, ${((bytes * 100) / fileBytes).toFixed(3)} %`;
    const saved = await stage.moved(async () => {
      await writer.save(fileBytes, round + 1);
      await stage.drained();
    });
    for (const at of saved)
      t.ok(at.in >= insertedBytes && at.in < mostMoved, `${who}: ${percent(at.in)}, to a server`);
    const expected = digestOf(fileBytes, round + 1);
    const fetched = await stage.moved(async () => {
      t.equal(await reader.read(), expected, who);
    });
    const out = fetched.reduce((sum, at) => sum + at.out, 0);
    t.ok(out >= insertedBytes && out < mostMoved + recipeBytes, `${who}: ${percent(out)}, from the servers`);
    t.equal(await writer.read(), expected, 'and the writer reads the same');
  }
  if (!t.passing()) t.comment(stage.logs());
});
