/** What travels inside a call, and how long the call may take. */
import t from 'tap';
import { Failure, type Argument, type Mutation, type VolumeId } from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import type { CallOptions } from '../../vice/seam/network.js';
import { MemoryContainers } from '../../vice/seam/twin/memory-containers.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import { ContainerCache } from '../cache/container-cache.js';
import type { LogEntry } from '../log/modify-log.js';
import type { Member, Volume } from '../volume/volume.js';
import { BatchSender } from './batch-sender.js';
import { TrickleGate } from './trickle-gate.js';

const volume = '7f000001' as VolumeId;
const fileBytes = 40 * 1024;

/** One server, and a log of some small files for it. */
class Sending {
  readonly clock = new SimulatedClock();
  readonly gate = new TrickleGate(this.clock);
  weak = false;
  readonly mutates: { readonly inline: number; readonly transfers: number; readonly timeoutMs: number }[] =
    [];
  uploaded = 0;
  readonly #containers = new MemoryContainers();
  readonly #entries: LogEntry[] = [];

  async log(files: number): Promise<void> {
    for (let index = 1; index <= files; index += 1) {
      const spool = await this.#containers.spool();
      await spool.write(Buffer.alloc(fileBytes, index));
      const { digest, length } = await spool.commit();
      const fid = `${volume}.${index + 1}.00000000000000aa` as Mutation['fid'];
      const common = { time: 0, author: 'ann', host: 'g1', base: { [fid]: {} }, fid };
      const storeId = `00000000000000aa:${index}` as Mutation['storeId'];
      const records: Mutation[] = [
        { op: 'store', storeId, ...common, length, digest, modified: 0, saved: 0 },
      ];
      this.#entries.push({
        sequence: index,
        volume,
        records,
        appliedBy: [],
        acknowledged: true,
        offered: true,
      });
    }
  }

  async send(): Promise<unknown> {
    const { clock, gate } = this;
    const world = { containers: this.#containers, limitBytes: 1e9, isNeeded: () => true, log: silentLog };
    const containers = await ContainerCache.open(world);
    const server = {
      name: 's1',
      weak: this.weak,
      call: (name: string, argument: unknown, options?: CallOptions) => this.#call(name, argument, options),
      upload: async (_path: string, source: AsyncIterable<Uint8Array>) => {
        for await (const piece of source) this.uploaded += piece.length;
      },
    };
    const member = { replica: 'r1', server } as unknown as Member;
    const told = { id: volume, takeCop2: () => [], addCop2: () => undefined } as unknown as Volume;
    const sender = new BatchSender({ containers, clock, gate, log: silentLog });
    const records = this.#entries.flatMap((entry) => entry.records);
    const transfers = (): undefined => undefined;
    return sender.send({ volume: told, member, batch: this.#entries, records, watermark: 1, transfers });
  }

  async #call(name: string, argument: unknown, options: CallOptions | undefined): Promise<unknown> {
    if (name === 'offer') {
      const { contents } = argument as Argument<'offer'>;
      return { contents: contents.map(() => ({ held: false, received: 0 })) };
    }
    if (name !== 'mutate') throw new Failure('incompatible', 'test', `nobody calls ${name} here`);
    const { inline, transfers } = argument as Argument<'mutate'>;
    this.mutates.push({
      inline: Object.values(inline).reduce((sum, body) => sum + body.length, 0),
      transfers: Object.keys(transfers).length,
      timeoutMs: options?.timeoutMs ?? 0,
    });
    return { outcome: 'applied', replica: 'r1', stamp: 1, versions: [], ahead: [] };
  }
}

t.test('on a strong link small contents travel inside the call', async (t) => {
  const sending = new Sending();
  await sending.log(10);
  await sending.clock.until(sending.send());
  t.match(sending.mutates, [{ inline: 10 * fileBytes, transfers: 0 }]);
  t.equal(sending.uploaded, 0);
});

t.test(
  'a call may take as long as its contents need on a link that is not known to be weak yet',
  async (t) => {
    const sending = new Sending();
    await sending.log(10);
    await sending.clock.until(sending.send());
    const { timeoutMs = 0 } = sending.mutates[0] ?? {};
    t.ok(timeoutMs > (10 * fileBytes * 1000) / 5_000, `${timeoutMs} ms, at 5 kB a second`);
  },
);

t.test('on a weak link none do: they are brought a slice at a time, and a fetch goes first', async (t) => {
  const sending = new Sending();
  sending.weak = true;
  await sending.log(10);
  const release = sending.gate.fetching();
  const sent = sending.send();
  await sending.clock.advance(1_999);
  t.equal(sending.uploaded, 0, 'nothing before the first slice');
  await sending.clock.advance(2_002);
  t.ok(sending.uploaded > 0 && sending.uploaded <= 2 * 32 * 1024, `${sending.uploaded} bytes in two slices`);
  t.same(sending.mutates, []);
  release();
  await sending.clock.until(sent);
  t.match(sending.mutates, [{ inline: 0, transfers: 10 }]);
  t.equal(sending.uploaded, 10 * fileBytes);
});
