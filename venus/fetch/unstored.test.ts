/** Reading where the disk has no room: from whoever has it, every block checked, nothing kept. */
import t from 'tap';
import { Failure, isFailure } from '../../vice/interface/index.js';
import { blockDigestsOf, digestOf } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import { unknownQuality } from '../remote/link-quality.js';
import type { Arrival, BlockRequest, BlockSource } from './block-source.js';
import { unstored } from './unstored.js';

const contents = Buffer.from(
  Uint8Array.from({ length: 3 * blockBytes + 1000 }, (_, at) => (at * 7) ^ (at >> 8)),
);
const data = { digest: digestOf(contents), length: contents.length };

/** A server that answers with `bytes`, and breaks before block `until`. */
class Server implements BlockSource {
  readonly name = 'server';
  readonly quality = unknownQuality;
  readonly asked: BlockRequest[] = [];

  constructor(
    readonly bytes: Buffer,
    readonly until = Infinity,
    readonly proof: Uint8Array = blockDigestsOf(contents),
  ) {}

  prefer(): void {}

  async *arrivals(request: BlockRequest): AsyncGenerator<Arrival, void, undefined> {
    this.asked.push(request);
    if (request.proof) yield { kind: 'proof', blockDigests: this.proof };
    for (let block = request.first; block < request.end; block += 1) {
      if (block >= this.until) throw new Failure('unreachable', 'test', 'the line breaks');
      yield {
        kind: 'block',
        block,
        bytes: this.bytes.subarray(block * blockBytes, (block + 1) * blockBytes),
      };
    }
  }
}

async function read(sources: readonly BlockSource[], start = 0, end = contents.length): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of unstored(data, sources, start, end)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

t.test('any range comes as it is', async (t) => {
  for (const [start, end] of [
    [0, contents.length],
    [1, blockBytes + 1],
    [2 * blockBytes, 2 * blockBytes + 1],
    [3 * blockBytes + 999, contents.length],
  ] as const) {
    t.ok(
      (await read([new Server(contents)], start, end)).equals(contents.subarray(start, end)),
      `${start}-${end}`,
    );
  }
});

t.test('where a server breaks off the next one goes on, at the block where it broke', async (t) => {
  const [first, second] = [new Server(contents, 2), new Server(contents)];
  t.ok((await read([first, second])).equals(contents));
  t.same(
    [first, second].map(({ asked }) => asked[0]?.first),
    [0, 2],
  );
});

t.test('no byte of a block that is not what it should be comes through', async (t) => {
  const spoilt = Buffer.from(contents);
  spoilt[blockBytes + 5] = (spoilt[blockBytes + 5] ?? 0) ^ 1;
  const proof = Buffer.from(blockDigestsOf(spoilt));
  t.ok((await read([new Server(spoilt), new Server(contents)])).equals(contents), 'a block');
  t.ok(
    (await read([new Server(spoilt, Infinity, proof), new Server(contents)])).equals(contents),
    'its proof, too',
  );
  const [outcome] = await Promise.allSettled([read([new Server(spoilt)])]);
  t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'damaged'));
});

t.test('without a server it says so', async (t) => {
  const [outcome] = await Promise.allSettled([read([])]);
  t.ok(outcome.status === 'rejected' && isFailure(outcome.reason, 'unreachable'));
});
