/** What a gateway keeps in mind of its servers over a crash: how far it has heard them, and that it is an old copy. */
import t from 'tap';
import {
  counterOf,
  type Argument,
  type Fid,
  type Result,
  type VolumeId,
} from '../../vice/interface/index.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { seededRandom } from '../../vice/seam/twin/seeded-random.js';
import { ObjectCache } from '../cache/object-cache.js';
import { unknownQuality } from '../remote/link-quality.js';
import type { ServerLink } from '../remote/server-link.js';
import { Identity } from '../store/identity.js';
import { WriteBuffer } from '../store/write-buffer.js';
import { Volume, type Member } from './volume.js';

const id = '7f000001' as VolumeId;
const fid = '7f000001.7.1' as Fid;
const watching: Result<'watch'> = { replica: 'r1', incarnation: 'i', stamp: 5, changed: [], seen: [] };

interface Opened {
  readonly volume: Volume;
  readonly member: Member;
  readonly identity: Identity;
  readonly buffer: WriteBuffer;
  readonly asked: Argument<'watch'>[];
}

let lives = 0;

/** On `store`, with a server that answers `watch` so. */
async function open(store: MemoryStore, watch: () => Promise<Result<'watch'>>): Promise<Opened> {
  const buffer = new WriteBuffer(store);
  const identity = await Identity.open(buffer, seededRandom((lives += 1)), 'here');
  const asked: Argument<'watch'>[] = [];
  const call = (_name: 'watch', argument: Argument<'watch'>): Promise<Result<'watch'>> => {
    asked.push(argument);
    return watch();
  };
  const [quality, sendingQuality] = [unknownQuality, unknownQuality];
  const link = { name: 's1', weak: false, quality, sendingQuality, call } as unknown as ServerLink;
  const volume = new Volume(
    { id, name: 'root', replicas: [{ id: 'r1', server: 's1' }] },
    (name) => (name === link.name ? link : undefined),
    { cache: new ObjectCache(buffer), buffer, log: silentLog, identity, onChange: () => undefined },
  );
  const [member] = volume.members;
  if (member === undefined) throw new Error('the volume has one replica');
  return { volume, member, identity, buffer, asked };
}

t.test('killed between a break and what was before it, a gateway asks for all of it again', async (t) => {
  const store = new MemoryStore({});
  const first = await open(store, async () => watching);
  await first.volume.join(first.member);
  first.volume.broken(first.member, { push: 'break', volume: id, fids: [fid], stamp: 6 });
  await first.buffer.flush();

  const after = store.reopen();
  const second = await open(after, () => new Promise(() => undefined));
  void second.volume.join(second.member);
  t.equal(second.asked[0]?.since, 6);
  second.volume.broken(second.member, { push: 'break', volume: id, fids: [fid], stamp: 9 });
  await second.buffer.flush();

  const third = await open(after.reopen(), async () => ({ ...watching, stamp: 9 }));
  await third.volume.join(third.member);
  t.equal(third.asked[0]?.since, 6, 'nobody has said yet what 7 and 8 were');
});

t.test('an old copy of a data folder stays one, whichever servers it reaches later', async (t) => {
  const store = new MemoryStore({});
  await open(store, async () => watching);
  const copy = store.reopen();
  const first = await open(store, async () => watching);
  const seen = counterOf(first.identity.newStoreId('ann'));

  const second = await open(copy, async () => ({ ...watching, seen: [seen] }));
  await t.rejects(second.volume.join(second.member), { kind: 'damaged', message: /is an old copy/ });
  t.equal(second.volume.writable.length, 0);
  await second.buffer.flush();

  const third = await open(copy.reopen(), async () => watching);
  await third.volume.join(third.member);
  t.match(third.volume.fault, /is an old copy/);
});
