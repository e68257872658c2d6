/** A realm whose volume is dumped and restored. */
import { BareGateway } from './gateway.js';
import { BareRealm, digestOf, realmKey, root, volume } from './realm.js';
import { onlyKey, type Fid, type VolumeId } from '../../vice/interface/index.js';
import type { Network } from '../../vice/seam/network.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { Administration } from '../../gateway/administration/administration.js';
import { checkedDump } from '../../gateway/administration/dump/checked-dump.js';
import { dropLeftover, dumpSource, type DumpWish } from '../../gateway/administration/dump/dumping.js';
import { restored, type Restored, type RestoreWish } from '../../gateway/administration/dump/restoring.js';
import type { VolumeState } from '../../gateway/administration/dump/volume-state.js';
import { dumped } from '../../gateway/administration/dump/writer.js';

export class Killed extends Error {
  override readonly message = 'killed';
}

export type Source = AsyncIterable<Uint8Array>;

/** The command line, which dies before its `steps`th word to a server; contents that it brings go through `way`. */
export function command(
  realm: BareRealm,
  steps = Infinity,
  way: (source: Source) => Source = (source) => source,
): Administration {
  let left = steps;
  const alive = (): void => {
    if ((left -= 1) < 0) throw new Killed();
  };
  const network = realm.network.host('admin');
  const dying: Network = {
    listen: (address, service) => network.listen(address, service),
    dial: async (address, options) => {
      const link = await network.dial(address, options);
      return {
        hello: link.hello,
        closed: link.closed,
        silence: () => link.silence(),
        close: () => link.close(),
        call: async (name, argument, callOptions) => {
          if (name !== 'locate') alive();
          return link.call(name, argument, callOptions);
        },
        download: async (path, start, signal) => {
          alive();
          return link.download(path, start, signal);
        },
        upload: async (path, start, source, signal) => {
          alive();
          return link.upload(path, start, way(source), signal);
        },
      };
    },
  };
  return new Administration(realm.realm, onlyKey(realmKey), 'op', { clock: realm.clock, network: dying });
}

export async function bytesFrom(
  realm: BareRealm,
  administration: Administration,
  wish: Partial<DumpWish>,
): Promise<Buffer> {
  const entry = (await realm.run(administration.document())).volumes.find(({ id }) => id === volume);
  if (entry === undefined) throw new Error('no volume');
  const now = realm.clock.wall();
  const whole = {
    volume: entry,
    snapshot: undefined,
    since: undefined,
    target: '/x',
    writer: 'a',
    isLeft: () => true,
    now,
    ...wish,
  };
  return realm.run(dumpedBytes(administration, whole));
}

export async function dumpedBytes(administration: Administration, wish: DumpWish): Promise<Buffer> {
  await dropLeftover(administration, wish);
  const source = await dumpSource(administration, wish);
  const chunks: Uint8Array[] = [];
  for await (const chunk of dumped(source.state, source.base, { objects: 0, bytes: 0 })) chunks.push(chunk);
  await source.close();
  return Buffer.concat(chunks);
}

export function read(buffer: Buffer): ReturnType<typeof checkedDump> {
  return checkedDump({
    name: 'office.dump',
    size: buffer.length,
    read: (start, length) => Promise.resolve(buffer.subarray(start, start + length)),
    pause: () => Promise.resolve(),
  });
}

export function restore(
  realm: BareRealm,
  administration: Administration,
  state: VolumeState,
  wish: Partial<RestoreWish> = {},
): Promise<Restored> {
  const world = { administration, clock: realm.clock, random: seededRandom(7) };
  const progress = { objects: 0, bytes: 0, sent: 0 };
  return realm.run(restored(state, { name: 'again', servers: undefined, ...wish }, world, progress));
}

/** What people see of a volume at a server. */
export async function seen(realm: BareRealm, server: string, of: VolumeId): Promise<unknown> {
  const found = await realm.dump(server, of);
  return [...found].map(
    ([path, { contents, versions, conflicts, data, mode, modified, author, properties }]) => {
      return {
        path,
        contents,
        versions,
        conflicts: conflicts.length,
        store: data?.storeId,
        mode,
        modified,
        author,
        properties,
      };
    },
  );
}

/** A tree with a folder that is older than the one that it is in, and with versions made apart. */
export async function office(
  packedBytes = 16,
): Promise<{ realm: BareRealm; ann: BareGateway; letters: Fid }> {
  const realm = new BareRealm();
  realm.packedBytes = packedBytes;
  await realm.start('s1', 's2', 's3');
  const ann = new BareGateway(realm, 'a');
  const bob = new BareGateway(realm, 'b');
  const letters = await ann.make('mkdir', root, 'letters');
  await ann.file(letters, 'offer', 'an offer');
  const above = await ann.make('mkdir', root, 'above');
  await ann.rename(letters, root, 'letters', above, 'letters');
  const large = await ann.make('create', above, 'large');
  const text = 'large contents. '.repeat(9000);
  for (const server of ann.reach) await (await ann.client(server)).upload('staging/large', 0, text);
  const digest = digestOf(text);
  await ann.apply([{ op: 'store', fid: large, length: text.length, digest, modified: 5, saved: 1 }]);
  for (let index = 0; index < 130; index += 1)
    await ann.file(letters, `letter ${index}`, `text ${index >> 1}`);
  const shared = await ann.file(root, 'shared', 'before');
  ann.reach = ['s1'];
  bob.reach = ['s2'];
  await ann.store(shared, 'of ann');
  await bob.store(shared, 'of bob');
  ann.reach = ['s1', 's2', 's3'];
  await realm.clock.advance(130_000);
  return { realm, ann, letters };
}
