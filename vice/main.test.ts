/** A Vice server as it runs: real disk, real sockets, end to end, and again after a restart. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  makeFid,
  makeStoreId,
  rootFid,
  signCredential,
  type Argument,
  type CallName,
  type Fid,
  type Mutation,
  type RealmDocument,
  type Result,
  type VenusId,
  type VolumeId,
} from './interface/index.js';
import { startVice, type Vice } from './main.js';
import { blockDigest, containerDigest } from './seam/block-digests.js';
import { blockBytes } from './seam/containers.js';
import { silentLog } from './seam/log.js';
import type { Link } from './seam/network.js';
import { systemClock } from './seam/real/system-clock.js';
import { wsNetwork } from './seam/real/ws-network.js';

const volume = '7f000001' as VolumeId;
const root = rootFid(volume);
const venus = 'a'.repeat(16) as VenusId;
const realmKey = new Uint8Array(randomBytes(32));
const realm: RealmDocument = {
  format: 1,
  version: 1,
  realm: 'office',
  name: 'office',
  servers: [{ name: 's1', address: 'ws://127.0.0.1:1' }],
  volumes: [{ id: volume, name: 'root', replicas: [{ id: 'r1', server: 's1' }] }],
  rootVolume: volume,
};

const realmKeyFile = join(t.testdir({}), 'realm.key');
writeFileSync(realmKeyFile, realmKey);

const started = {
  name: 's1',
  listen: 'ws://127.0.0.1:0',
  realmKey: realmKeyFile,
  realm,
  logLevel: 'silent',
} as const;

function digestOf(bytes: Uint8Array): string {
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += blockBytes) {
    blocks.push(blockDigest(bytes.subarray(at, at + blockBytes)));
  }
  return containerDigest(Buffer.concat(blocks));
}

async function dial(vice: Vice): Promise<Link> {
  const clock = systemClock();
  const peer = { role: 'gateway', name: `gateway/${venus}` } as const;
  const credential = signCredential(realmKey, realm.realm, peer, clock.wall() + 60_000);
  return wsNetwork({ clock, log: silentLog }).dial(vice.address, {
    credential: () => credential,
    onPush() {},
  });
}

async function call<C extends CallName>(link: Link, name: C, argument: Argument<C>): Promise<Result<C>> {
  return (await link.call(name, argument)) as Result<C>;
}

async function* inChunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

async function download(link: Link, digest: string, start = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await link.download(`container/${digest}`, start)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

t.test('make, store, list and read, then all of it again after a restart', async (t) => {
  const data = t.testdir();
  const config = { ...started, data };
  let vice = await startVice(config);
  t.teardown(() => vice.close());
  let link = await dial(vice);

  let counter = 0;
  const common = (): Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'> => {
    counter += 1;
    return { storeId: makeStoreId(venus, counter), time: 1, author: 'ann', host: 'g1', base: {} };
  };
  const mutate = async (records: Mutation[], more: Partial<Argument<'mutate'>> = {}): Promise<void> => {
    const argument = { volume, records, inline: {}, transfers: {}, watermark: 0, cop2: [], ...more };
    t.match(await call(link, 'mutate', argument), { outcome: 'applied', replica: 'r1' });
  };
  const fids = [2, 3, 4].map((vnode) => makeFid(volume, vnode, venus));
  const [docs, small, large] = fids as [Fid, Fid, Fid];
  await mutate([
    { op: 'mkdir', ...common(), parent: root, name: 'docs', fid: docs, mode: 0o755 },
    { op: 'create', ...common(), parent: docs, name: 'small', fid: small, mode: 0o644 },
    { op: 'create', ...common(), parent: docs, name: 'large', fid: large, mode: 0o644 },
  ]);
  const text = Buffer.from('a small file');
  const inline = { [digestOf(text)]: text };
  const close = { op: 'store', ...common(), base: { [small]: { [venus]: 2 } }, fid: small } as const;
  await mutate([{ ...close, length: text.length, digest: digestOf(text), modified: 7, saved: 7 }], {
    inline,
  });

  const bytes = randomBytes(3_000_000);
  const digest = digestOf(bytes);
  const store = { op: 'store', ...common(), base: { [large]: { [venus]: 3 } }, fid: large } as const;
  // The mutation is sent while the body is on its way, as a gateway does.
  const upload = link.upload('staging/large-1', 0, inChunks(bytes));
  const transfers = { [digest]: 'large-1' };
  await mutate([{ ...store, length: bytes.length, digest, modified: 8, saved: 8 }], { transfers });
  await upload;

  const check = async (): Promise<void> => {
    const { status, entries } = await call(link, 'list', { volume, fid: docs, full: true, cop2: [] });
    t.equal(status?.fid, docs);
    t.same(
      entries.map(({ name }) => name),
      ['large', 'small'],
    );
    t.match(entries[0]?.status.data, { digest, length: bytes.length });
    t.ok((await download(link, digest)).equals(bytes));
    t.ok((await download(link, digest, 1_000_000)).equals(bytes.subarray(1_000_000)));
    t.ok((await download(link, digestOf(text))).equals(text));
    const { used } = await call(link, 'space', { volume });
    t.equal(used, bytes.length + text.length);
  };
  await check();
  const page = await fetch(vice.address.replace('ws:', 'http:') + '/metrics');
  const metrics = await page.text();
  t.match(metrics, /vice_calls_total\{name="mutate",outcome="ok"\} 3/);
  t.match(metrics, /vice_sessions\{role="gateway"\} 1/);
  t.match(metrics, /vice_volume_used_bytes\{volume="7f000001"\} 3000012/);
  t.match(metrics, /vice_volume_locked\{volume="7f000001"\} 0/);
  t.match(metrics, /vice_volume_snapshots\{volume="7f000001"\} 0/);
  t.match(metrics, /vice_volume_on_its_way\{volume="7f000001",state="filling"\} 0/);
  const health = await fetch(vice.address.replace('ws:', 'http:') + '/healthz');
  t.match(await health.json(), { server: 's1', realmVersion: 1 });

  const closed = link.closed;
  await vice.close();
  await closed;
  vice = await startVice({ ...config, realm: { ...realm, version: 0 } });
  link = await dial(vice);
  t.match(await call(link, 'locate', {}), { version: 1 }, 'what it has is newer than what it is given');
  await check();
  link.close();
});

t.test('a folder of another realm is refused, and let go of', async (t) => {
  const data = t.testdir();
  const config = { ...started, data };
  await (await startVice(config)).close();
  const other = { ...config, realm: { ...realm, realm: 'elsewhere' } };
  await t.rejects(startVice(other), /use another data folder/);
  await (await startVice(config)).close();
});
