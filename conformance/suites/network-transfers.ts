/** The part of the Network suite that moves container bytes. */
import type { Test } from 'tap';
import { Failure } from '../../vice/interface/index.js';
import {
  chunksOf,
  collect,
  eventually,
  failsWith,
  fid,
  linked,
  pattern,
  type MakeNetwork,
} from './network-fixture.js';

export function downloads(suite: Test, make: MakeNetwork): void {
  suite.test('a download brings the bytes from start on', async (t) => {
    const { net, service, link } = await linked(t, make);
    const bytes = pattern(1_234_567);
    service.files.set('a/b c%/ü', bytes).set('empty', new Uint8Array());
    const whole = await net.settle(link.download('a/b c%/ü', 0).then(collect));
    t.ok(whole.equals(bytes));
    const rest = await net.settle(link.download('a/b c%/ü', 1_000_001).then(collect));
    t.ok(rest.equals(bytes.subarray(1_000_001)));
    t.equal((await net.settle(link.download('empty', 0).then(collect))).length, 0);
    t.equal(service.ended, 3);
  });

  suite.test('a download that cannot begin, or breaks off, says why', async (t) => {
    const { net, service, link } = await linked(t, make);
    await failsWith(t, net.settle(link.download('nothing', 0)), 'not-found', 'at once');
    service.files.set('damaged', pattern(300_000));
    const source = await net.settle(link.download('damaged', 0));
    const damaged = { name: 'Failure', kind: 'damaged', fid: fid ?? '' };
    await t.rejects(net.settle(collect(source)), damaged, 'in the middle');
  });

  suite.test('a receiver that stops reading, or gives up, ends the source', async (t) => {
    const { net, service, link } = await linked(t, make);
    service.files.set('endless', pattern(100_000));
    const stops = async (): Promise<void> => {
      for await (const chunk of await link.download('endless', 0)) if (chunk.length > 0) break;
    };
    await net.settle(stops());
    await eventually(net, 'the first source has ended', () => service.ended === 1);

    const controller = new AbortController();
    const source = await net.settle(link.download('endless', 0, controller.signal));
    const collected = failsWith(t, net.settle(collect(source)), 'cancelled', 'given up');
    setImmediate(() => controller.abort());
    await collected;
    await eventually(net, 'the second source has ended', () => service.ended === 2);
    await failsWith(t, link.download('endless', 0, controller.signal), 'cancelled', 'before it began');
  });

  suite.test('transfers fail with their link', async (t) => {
    const { net, service, link } = await linked(t, make);
    service.files.set('endless', pattern(100_000));
    const source = await net.settle(link.download('endless', 0));
    link.close();
    await failsWith(t, net.settle(collect(source)), 'unreachable', 'under way');
    await failsWith(t, link.download('endless', 0), 'unreachable', 'a new download');
    await failsWith(t, link.upload('x', 0, chunksOf(pattern(1))), 'unreachable', 'a new upload');
    await eventually(net, 'the source has ended', () => service.ended === 1);
  });
}

export function uploads(suite: Test, make: MakeNetwork): void {
  suite.test('an upload arrives whole, also behind what is there', async (t) => {
    const { net, service, link } = await linked(t, make);
    const bytes = pattern(1_234_567);
    await net.settle(link.upload('new', 0, chunksOf(bytes)));
    t.ok(Buffer.from(service.files.get('new') ?? []).equals(bytes));
    service.files.set('part', bytes.subarray(0, 700_000));
    await net.settle(link.upload('part', 600_000, chunksOf(bytes.subarray(600_000))));
    t.ok(Buffer.from(service.files.get('part') ?? []).equals(bytes));
    await net.settle(link.upload('empty', 0, chunksOf(new Uint8Array())));
    t.equal(service.files.get('empty')?.length, 0);
  });

  suite.test('an upload that is refused says why, however much is still to come', async (t) => {
    const { net, link } = await linked(t, make);
    for (const length of [20_000_000, 10]) {
      const upload = link.upload('full', 0, chunksOf(pattern(length)));
      await failsWith(t, net.settle(upload), 'no-space', `${length} bytes`);
    }
  });

  suite.test('a server that has enough need not take all', async (t) => {
    const { net, link, call } = await linked(t, make);
    await net.settle(link.upload('known', 0, chunksOf(pattern(3_000_000))));
    t.equal(await call('echo', 1), 1);
  });

  suite.test('an upload whose source hangs fails with its link', async (t) => {
    const { net, service, link } = await linked(t, make);
    const hangs = async function* (): AsyncGenerator<Uint8Array> {
      yield pattern(100);
      await new Promise(() => undefined);
    };
    const upload = failsWith(t, link.upload('hung', 0, hangs()), 'unreachable', 'the upload');
    await net.pass(20);
    link.close();
    await upload;
    await eventually(net, 'the server has noticed', () => service.uploads[0] === 'unreachable');
  });

  suite.test('half an upload never looks whole', async (t) => {
    const { net, service, link } = await linked(t, make);
    const fails = async function* (): AsyncGenerator<Uint8Array> {
      yield pattern(100_000);
      throw new Failure('no-space', 'test', 'the spool cannot be read');
    };
    await failsWith(t, net.settle(link.upload('half', 0, fails())), 'no-space', 'the source fails');
    await eventually(net, 'the server has noticed', () => service.uploads.length === 1);

    const controller = new AbortController();
    const stops = async function* (): AsyncGenerator<Uint8Array> {
      yield pattern(100_000);
      controller.abort();
      yield pattern(100_000);
    };
    const stopped = link.upload('half', 0, stops(), controller.signal);
    await failsWith(t, net.settle(stopped), 'cancelled', 'given up');
    await eventually(net, 'the server has noticed', () => service.uploads.length === 2);
    t.same(service.uploads, ['unreachable', 'unreachable']);
    t.notOk(service.files.has('half'));
  });
}
