/** How contents are brought to a server, seen from its side; and who goes first on a weak link. */
import t from 'tap';
import { Failure, isFailure, type Argument, type Fid, type VolumeId } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { sleep } from '../../vice/seam/clock.js';
import { ContainerCache } from '../cache/container-cache.js';
import { unknownQuality } from '../remote/link-quality.js';
import { ContentsSender, type ContentsSenderWorld, type Destination } from './contents-sender.js';
import { TrickleGate } from './trickle-gate.js';

const volume = '7f000001' as VolumeId;

interface Upload {
  readonly path: string;
  readonly start: number;
  readonly pieces: number[];
}

/** A server that says and does what a test wants. */
class Server {
  readonly clock = new SimulatedClock();
  readonly gate = new TrickleGate(this.clock);
  readonly offers: Argument<'offer'>['contents'][] = [];
  readonly uploads: Upload[] = [];
  weak = false;
  /** How contents can go as steps; without it they cannot. */
  differences: ContentsSenderWorld['differences'];
  /** Milliseconds of one piece of an upload. */
  pieceMs = 0;
  answer: (offered: Argument<'offer'>['contents'][number]) => { held: boolean; received: number } = () => ({
    held: false,
    received: 0,
  });
  /** Before an upload is taken. */
  judge: (upload: Upload) => void | Promise<void> = () => undefined;
  /** Server and path of the uploads under way, and most of them at once: all, and of one. */
  readonly running: string[] = [];
  mostRunning = 0;
  mostOfOne = 0;

  as(name: string): Destination {
    return {
      name,
      weak: this.weak,
      sendingQuality: unknownQuality,
      call: async (call, argument) => {
        if (call !== 'offer') throw new Error(`${call} is not a contents sender's call`);
        const { contents } = argument as Argument<'offer'>;
        this.offers.push(contents);
        // As the schema has it; the call's name was checked above.
        return { contents: contents.map((offered) => this.answer(offered)) } as never;
      },
      upload: async (path, source, signal, start = 0) => {
        const upload: Upload = { path, start, pieces: [] };
        this.uploads.push(upload);
        const what = `${name}/${path}`;
        this.running.push(what);
        this.mostRunning = Math.max(this.mostRunning, this.running.length);
        this.mostOfOne = Math.max(this.mostOfOne, this.running.filter((other) => other === what).length);
        try {
          await this.judge(upload);
          for await (const piece of source) {
            signal?.throwIfAborted();
            upload.pieces.push(piece.length);
            await sleep(this.clock, this.pieceMs);
          }
        } finally {
          this.running.splice(this.running.indexOf(what), 1);
        }
      },
    };
  }
}

/** A sender whose cache has contents of these lengths; and their digests. */
async function sender(
  server: Server,
  ...lengths: readonly number[]
): Promise<{ readonly bring: ContentsSender['bring']; readonly contents: ReadonlyMap<string, number> }> {
  const containers = new MemoryContainers();
  const contents = new Map<string, number>();
  for (const [index, length] of lengths.entries()) {
    const spool = await containers.spool();
    await spool.write(Buffer.alloc(length, index + 1));
    contents.set((await spool.commit()).digest, length);
  }
  const cache = await ContainerCache.open({
    containers,
    limitBytes: 1e9,
    isNeeded: () => true,
    log: silentLog,
  });
  const { clock, gate } = server;
  const { differences } = server;
  const world = { containers: cache, clock, gate, log: silentLog, differences };
  const contentsSender = new ContentsSender(world);
  return { bring: (...args) => contentsSender.bring(...args), contents };
}

function bytesOf({ pieces }: Upload): number {
  return pieces.reduce((sum, bytes) => sum + bytes, 0);
}

async function failureOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isFailure(error) ? error.kind : String(error)),
  );
}

t.test('one offer for all, then only what is missing, from where it is missing', async (t) => {
  const server = new Server();
  const { bring, contents } = await sender(server, 100_000, 200_000, 300_000, 400_000);
  const [held = '', half = '', whole = '', lied = ''] = [...contents.keys()];
  server.answer = ({ digest }) => {
    if (digest === held) return { held: true, received: 0 };
    const received = { [half]: 150_000, [whole]: 300_000, [lied]: 400_001 }[digest] ?? 0;
    return { held: false, received };
  };
  const transfers = await server.clock.until(bring(volume, server.as('s1'), contents));
  t.equal(server.offers.length, 1);
  t.same(Object.keys(transfers).sort(), [half, whole, lied].sort(), 'what is held is not named');
  t.equal(transfers[half], `c-${half.slice(0, 32)}`, 'the same for everybody who tries');
  const uploads = server.uploads.map((upload) => [upload.path, upload.start, bytesOf(upload)]).sort();
  const expected = [
    [`staging/c-${half.slice(0, 32)}`, 150_000, 50_000],
    [`staging/c-${whole.slice(0, 32)}`, 300_000, 0],
    [`staging/c-${lied.slice(0, 32)}`, 0, 400_000],
  ].sort();
  t.same(uploads, expected);
});

t.test('more contents than one offer may name', async (t) => {
  const server = new Server();
  const { bring, contents } = await sender(server, ...Array.from({ length: 150 }, (_, index) => 10 + index));
  server.pieceMs = 1;
  await server.clock.until(bring(volume, server.as('s1'), contents));
  t.same(
    server.offers.map((offer) => offer.length),
    [100, 50],
  );
  t.equal(server.uploads.length, 150);
  t.equal(server.mostRunning, 4);
});

t.test('what the server has an older version of goes as steps, from where it stands', async (t) => {
  const server = new Server();
  const asked: string[] = [];
  server.differences = {
    plan: async (_server, { digest, transfer, fid }) => {
      asked.push(`${fid} ${digest}`);
      const body = async function* (start: number): AsyncGenerator<Uint8Array, void, undefined> {
        yield Buffer.alloc((2_000_000 - start) / 1000);
      };
      return { path: `difference/${transfer}`, body };
    },
  };
  const { bring, contents } = await sender(server, 2_000_000, 300_000);
  const [large = '', other = ''] = [...contents.keys()];
  server.answer = ({ digest }) => ({ held: false, received: digest === large ? 1_000_000 : 0 });
  const fid = `${volume}.2.00000000000000aa` as Fid;
  const transfers = await server.clock.until(
    bring(volume, server.as('s1'), contents, new Map([[large, fid]])),
  );
  t.same(asked, [`${fid} ${large}`], 'not for contents of which nobody knows whose they are');
  const uploads = server.uploads.map((upload) => [upload.path, upload.start, bytesOf(upload)]).sort();
  t.same(uploads, [
    [`difference/${transfers[large]}`, 1_000_000, 1000],
    [`staging/${transfers[other]}`, 0, 300_000],
  ]);
});

t.test('where steps are not taken the rest goes as it is', async (t) => {
  const server = new Server();
  const body = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    yield Buffer.alloc(1000);
  };
  server.differences = { plan: async () => ({ path: 'difference/x', body }) };
  const { bring, contents } = await sender(server, 2_000_000);
  const [digest = ''] = [...contents.keys()];
  let received = 0;
  server.answer = () => ({ held: false, received });
  server.judge = ({ path }) => {
    if (!path.startsWith('difference/')) return;
    received = 700_000;
    throw new Failure('damaged', 'test', 'the old version is damaged');
  };
  const fid = `${volume}.2.00000000000000aa` as Fid;
  await server.clock.until(bring(volume, server.as('s1'), contents, new Map([[digest, fid]])));
  const uploads = server.uploads.map((upload) => [upload.path.split('/')[0], upload.start, bytesOf(upload)]);
  t.same(uploads, [
    ['difference', 0, 0],
    ['staging', 700_000, 1_300_000],
  ]);
  server.judge = () => {
    throw new Failure('unreachable', 'test', 'gone');
  };
  received = 0;
  const gone = failureOf(bring(volume, server.as('s1'), contents, new Map([[digest, fid]])));
  t.equal(await server.clock.until(gone), 'unreachable', 'a link that breaks is no misfit');
});

t.test('an upload that is out of step asks where to go on, but not for ever', async (t) => {
  const server = new Server();
  const { bring, contents } = await sender(server, 100_000);
  let received = 10_000;
  server.answer = () => ({ held: false, received: (received += 10_000) });
  server.judge = ({ start }) => {
    if (start < 40_000) throw new Failure('invalid', 'test', 'more is here by now');
  };
  await server.clock.until(bring(volume, server.as('s1'), contents));
  t.same(
    server.uploads.map(({ start }) => start),
    [20_000, 30_000, 40_000],
  );
  server.judge = () => {
    throw new Failure('cancelled', 'test', 'somebody else');
  };
  t.equal(await failureOf(server.clock.until(bring(volume, server.as('s1'), contents))), 'busy');
  t.equal(server.uploads.length, 6);
});

t.test('when one upload fails, all end before it is told', async (t) => {
  const server = new Server();
  server.pieceMs = 1000;
  const { bring, contents } = await sender(server, 2_000_000, 2_000_001, 2_000_002, 70_000, 70_001);
  server.judge = async ({ path }) => {
    if (!path.endsWith([...contents.keys()][3]?.slice(0, 32) ?? '')) return;
    await sleep(server.clock, 500);
    throw new Failure('no-space', 'test', 'the disk is full');
  };
  t.equal(await failureOf(server.clock.until(bring(volume, server.as('s1'), contents))), 'no-space');
  t.same(server.running, []);
  t.equal(server.uploads.length, 4, 'what had not begun does not begin');
  t.equal(server.clock.pending, 0, 'no timer is left');
});

t.test('the same contents are not sent twice to one server at a time', async (t) => {
  const server = new Server();
  server.pieceMs = 100;
  const { bring, contents } = await sender(server, 300_000, 400_000);
  const [first = '', second = ''] = [...contents.keys()];
  const others = [
    bring(volume, server.as('s1'), new Map([[first, 300_000]])),
    bring('7f000002' as VolumeId, server.as('s1'), contents),
    bring(volume, server.as('s1'), new Map([[second, 400_000]])),
    bring(volume, server.as('s2'), contents),
  ];
  await server.clock.until(Promise.all(others));
  t.equal(server.mostOfOne, 1);
  t.equal(server.mostRunning, 4, 'what is different goes side by side');
  t.equal(server.uploads.length, 6, 'whoever comes later asks the server anew');
});

t.test('what a server keeps for us is offered again while the rest is under way', async (t) => {
  const server = new Server();
  server.weak = true;
  server.pieceMs = 60_000;
  const { bring, contents } = await sender(server, 70_000, 30_000, 320_000);
  const [held = '', small = ''] = [...contents.keys()];
  server.answer = ({ digest }) => ({ held: digest === held, received: 0 });
  await server.clock.until(bring(volume, server.as('s1'), contents));
  const [, ...renewals] = server.offers;
  t.ok(renewals.length >= 3, `${renewals.length} renewals in eleven minutes`);
  t.same(
    renewals.at(-1)?.map(({ digest }) => digest),
    [held, small],
    'not what is being sent',
  );
  t.equal(server.mostRunning, 1, 'one after the other on a weak link');
  t.equal(server.clock.pending, 0);
});

t.test('contents that this gateway has lost are no contents', async (t) => {
  const server = new Server();
  const { bring } = await sender(server);
  const contents = new Map([['0'.repeat(64), 100_000]]);
  t.equal(await failureOf(server.clock.until(bring(volume, server.as('s1'), contents))), 'not-found');
});

t.test('on a weak link a fetch goes first', async (t) => {
  const server = new Server();
  server.weak = true;
  const { bring, contents } = await sender(server, 320 * 1024);
  const release = server.gate.fetching();
  const brought = bring(volume, server.as('s1'), contents);
  await server.clock.advance(10_000);
  const sent = server.uploads.map(bytesOf)[0] ?? 0;
  t.ok(sent > 0 && sent <= 5 * 32 * 1024, 'slices, not a stream; and not nothing');
  t.ok(server.uploads[0]?.pieces.every((bytes) => bytes <= 32 * 1024));
  release();
  release();
  const before = server.clock.monotonic();
  await server.clock.until(brought);
  t.equal(server.clock.monotonic(), before + 250, 'and the rest soon');

  server.weak = false;
  server.gate.fetching();
  const then = server.clock.monotonic();
  await server.clock.until(bring(volume, server.as('s1'), contents));
  t.equal(server.clock.monotonic(), then, 'a strong link has room for both');
});
