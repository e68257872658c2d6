/** Contents on their way from peers to a disk that has its own troubles. */
import t from 'tap';
import { Failure } from '../interface/index.js';
import type { Link } from '../seam/network.js';
import { PackedContainers } from '../seam/packed-containers.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { digestOf } from '../seam/block-digests.js';
import { containerFetcher } from './fetch-container.js';

const text = Buffer.from('contents of a file');
const { signal } = new AbortController();

/** A peer that sends `sent`. */
function peer(sent: Uint8Array): Link {
  async function* download(_path: string, start: number): AsyncIterable<Uint8Array> {
    yield sent.subarray(start);
  }
  const link = { download: async (path: string, start: number) => download(path, start) };
  return link as unknown as Link;
}

const fault = new Failure('damaged', 'containers', 'the disk fails: replace it');
const wanted = { digest: digestOf(text), length: text.length, signal };

t.test('a disk that fails just when it shall keep them says so, and takes nothing more', async (t) => {
  const containers = new MemoryContainers();
  containers.failNext(1, 'damaged');
  const fetched = containerFetcher(containers, () => undefined)({ ...wanted, sources: [peer(text)] });
  await t.rejects(fetched, fault);
  t.equal(containers.openSpools, 0);
});

t.test(
  'small ones, whose row the disk does not take, are not written on into what that has closed',
  async (t) => {
    const kept = new MemoryContainers();
    let tries = 0;
    const write = async (): Promise<void> => {
      if ((tries += 1) === 1) throw fault;
    };
    const rows = { get: () => undefined, walk: () => [], write };
    const pause = async (): Promise<void> => undefined;
    const containers = new PackedContainers({ rows, containers: kept, packedBytes: 1000, pause });
    await containerFetcher(containers, () => undefined)({ ...wanted, sources: [peer(text)] });
    t.equal(tries, 2, 'all again, while there is a peer to ask');
  },
);

t.test('after a peer that sends something else another one is asked, from the beginning', async (t) => {
  for (const wrong of ['contents of a fil?', 'contents of a file, and more']) {
    const containers = new MemoryContainers();
    const sources = [peer(Buffer.from(wrong)), peer(text)];
    await containerFetcher(containers, () => undefined)({ ...wanted, sources });
    t.ok(await containers.has(wanted.digest));
    t.equal(containers.openSpools, 0);
  }
});

t.test('that one peer does not have it says nothing of another one that cannot be asked', async (t) => {
  const refusing = (kind: 'not-found' | 'unreachable'): Link => {
    const download = async (): Promise<never> => {
      throw new Failure(kind, 'test', `the peer says ${kind}`);
    };
    return { download } as unknown as Link;
  };
  const told = async (...kinds: readonly ('not-found' | 'unreachable')[]): Promise<unknown> => {
    const fetch = containerFetcher(new MemoryContainers(), () => undefined);
    return fetch({ ...wanted, sources: kinds.map(refusing) }).catch((error: unknown) => error);
  };
  t.match(await told('not-found', 'not-found'), { kind: 'not-found' });
  t.match(await told('unreachable', 'not-found'), { kind: 'unreachable' });
  t.match(await told('not-found', 'unreachable'), { kind: 'unreachable' });
});
