/**
 * Full disks under a real realm: nothing that was acknowledged is lost, what is refused is refused with 507 and has
 * changed nothing, reading and removing go on, and so does writing when there is space again, without a restart.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { until } from '../program.js';
import { Realm } from '../realm.js';
import { Ledger } from './ledger.js';
import { inOwnMounts, SmallDisk } from './small-disk.js';

const mebibyte = 1024 * 1024;
/** A gateway asks its servers for their free space at most so often, and they come together in the background. */
const soonMs = 60_000;
const replicas = ['s1', 's2', 's3'] as const;

t.setTimeout(300_000);

if (inOwnMounts(t, import.meta.filename)) {
  apart();
  together();
}

/** Bytes that no compression and no other file can stand for. */
function bytes(length: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest();
}

async function realmIn(
  t: Test,
  gateways: number,
  mount: (data: string) => readonly SmallDisk[],
): Promise<Realm> {
  const folder = await mkdtemp(join(tmpdir(), 'coda-disks-'));
  const data = join(folder, 'realm');
  const disks = mount(data);
  t.teardown(async () => {
    for (const disk of disks) disk.unmount();
    await rm(folder, { recursive: true, force: true });
  });
  const realm = await Realm.start({ data, gateways });
  t.teardown(async () => {
    if (!t.passing()) t.comment(await realm.logs());
    await realm.stop();
  });
  return realm;
}

/** Three servers and a gateway, each with a disk of its own; a second gateway sees what the servers have. */
function apart(): void {
  void t.test('each role on a disk of its own', async (t) => {
    const disks = new Map<string, SmallDisk>();
    const mount = (data: string): readonly SmallDisk[] => {
      for (const name of replicas)
        disks.set(name, SmallDisk.mount(join(data, 'servers', name), 96 * mebibyte));
      disks.set('g1', SmallDisk.mount(join(data, 'gateways', 'g1'), 96 * mebibyte));
      return [...disks.values()];
    };
    const realm = await realmIn(t, 2, mount);
    const ledger = new Ledger(realm.client('g1'));
    const disksOf = (...names: readonly string[]): readonly SmallDisk[] =>
      names.flatMap((name) => disks.get(name) ?? []);
    await begin(t, ledger);

    await t.test("the gateway's disk is full", async (t) => {
      const own = disksOf('g1');
      for (const disk of own) disk.fill();
      for (const [what, status] of await attempts(ledger, 'gateway')) refusedOrSmall(t, what, status);
      t.equal(await putUnannounced(realm, '/unannounced', 8), 507, 'a body of unknown length');
      t.same(await ledger.differences(), [], 'nothing has changed');
      await goesOn(t, realm, ledger, 'gateway');
      await writesAgain(t, ledger, own, 'gateway');
    });

    await t.test('the disk of one server is full', async (t) => {
      const [full] = disksOf('s2');
      full?.fill();
      for (const [what, status] of await attempts(ledger, 'one')) t.ok(status < 300, `${what}: ${status}`);
      t.same(await ledger.differences(), [], 'the others have it');
      await goesOn(t, realm, ledger, 'one');
      await writesAgain(t, ledger, disksOf('s2'), 'one');
      await alike(realm);
      for (const name of ['s1', 's3']) await realm.coda('servers', 'stop', name);
      t.same(await ledger.differences(realm.client('g2')), [], 'it has caught up: alone, it has everything');
      for (const name of ['s1', 's3']) await realm.coda('servers', 'start', name);
    });

    await t.test('the disks of all servers are full', async (t) => {
      const theirs = disksOf(...replicas);
      for (const disk of theirs) disk.fill();
      // A gateway may answer for a change with its own disk.
      for (const [what, status] of await attempts(ledger, 'all')) {
        t.ok(status < 300 || status === 507, `${what}: ${status}`);
      }
      t.same(await ledger.differences(), []);
      await goesOn(t, realm, ledger, 'all');
      await writesAgain(t, ledger, theirs, 'all');
      await alike(realm);
      const others = realm.client('g2');
      const same = async (): Promise<true | undefined> =>
        (await ledger.differences(others)).length === 0 ? true : undefined;
      await until('the other gateway to show the same', soonMs, same, 1000);
    });
  });
}

/** A realm on the one disk of a small machine, filled by its own users. */
function together(): void {
  void t.test('everything on one disk', async (t) => {
    const disks: SmallDisk[] = [];
    const realm = await realmIn(t, 1, (data) => {
      disks.push(SmallDisk.mount(data, 160 * mebibyte));
      return disks;
    });
    const ledger = new Ledger(realm.client());
    await begin(t, ledger);
    let status = 201;
    for (let number = 0; status === 201 && number < 40; number += 1) {
      status = await ledger.put(`/filling${number}`, bytes(4 * mebibyte, `filling${number}`));
    }
    t.equal(status, 507, 'the disk is full at last');
    t.same(await ledger.differences(), [], 'all that was acknowledged is there');
    for (const disk of disks) disk.fill();
    // The gateway's cache lies on the same disk and gives way: some of it may fit after all.
    for (const [what, answer] of await attempts(ledger, 'disk'))
      t.ok(answer === 507 || answer < 300, `${what}: ${answer}`);
    t.same(await ledger.differences(), [], 'what was refused has changed nothing, what was taken is there');
    await goesOn(t, realm, ledger, 'disk');
    for (const path of ledger.paths.filter((each) => each.startsWith('/filling'))) {
      t.equal(await ledger.remove(path), 204, 'people make room');
    }
    await writesAgain(t, ledger, disks, 'disk');
    await alike(realm);
  });
}

async function begin(t: Test, ledger: Ledger): Promise<void> {
  t.equal(await ledger.put('/kept', bytes(10, 'kept')), 201);
  t.equal(await ledger.put('/kept-large', bytes(2 * mebibyte, 'kept-large')), 201);
  for (const story of ['gateway', 'one', 'all', 'disk']) {
    t.equal(await ledger.put(`/doomed-${story}`, bytes(1000, story)), 201);
  }
}

/** Files that are new and not, sent inside the closing call and before it. @returns how each was answered */
async function attempts(ledger: Ledger, story: string): Promise<readonly (readonly [string, number])[]> {
  const answers: (readonly [string, number])[] = [];
  const put = async (path: string, length: number): Promise<void> => {
    answers.push([`${path}, ${length} bytes`, await ledger.put(path, bytes(length, `${story}${path}`))]);
  };
  await put(`/new-${story}`, 10);
  await put('/kept', 20);
  await put(`/new-large-${story}`, 8 * mebibyte);
  await put('/kept-large', 3 * mebibyte);
  return answers;
}

/** The store's reserve may still take some small files; what it took is there, as the ledger will see. */
function refusedOrSmall(t: Test, what: string, status: number): void {
  const isSmall = / \d\d bytes$/.test(what);
  t.ok(status === 507 || (isSmall && status < 300), `${what}: ${status}`);
}

/** What needs no space for contents. */
async function goesOn(t: Test, realm: Realm, ledger: Ledger, story: string): Promise<void> {
  const client = realm.client();
  t.equal(await ledger.remove(`/doomed-${story}`), 204, 'a file is removed');
  t.equal(await ledger.move('/kept', '/moved'), 201, 'another moved');
  t.equal(await ledger.move('/moved', '/kept'), 201);
  t.equal((await client.request('MKCOL', `/folder-${story}`)).status, 201, 'a folder made');
  t.equal((await client.request('DELETE', `/folder-${story}`)).status, 204, 'and removed');
  t.same(await ledger.differences(), []);
}

async function writesAgain(
  t: Test,
  ledger: Ledger,
  full: readonly SmallDisk[],
  story: string,
): Promise<void> {
  for (const disk of full) disk.free();
  // How much space there is may be some seconds old.
  const done = async (): Promise<true | undefined> =>
    (await attempts(ledger, `again-${story}`)).every(([, status]) => status < 300) ? true : undefined;
  await until('writing to go on', soonMs, done, 500);
  t.same(await ledger.differences(), [], 'writing goes on');
}

/** A body whose length nobody knows before its end. @returns the status of the answer */
function putUnannounced(realm: Realm, path: string, mebibytes: number): Promise<number> {
  const { url, user, password } = realm.ready;
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL(path, url), { method: 'PUT', auth: `${user}:${password}` });
    outgoing.once('error', reject).once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    for (let sent = 0; sent < mebibytes; sent += 1) outgoing.write(bytes(mebibyte, `${path}${sent}`));
    outgoing.end();
  });
}

/** Waits until all servers say that they hold as much. */
async function alike(realm: Realm): Promise<void> {
  let seen: readonly string[] = [];
  const same = async (): Promise<true | undefined> => {
    seen = await Promise.all(realm.ready.servers.map(({ url }) => usedBytes(url)));
    return new Set(seen).size === 1 ? true : undefined;
  };
  await until('the servers to hold the same', soonMs, same, 200).catch((cause: unknown) => {
    throw new Error(`${String(cause)}; they hold ${seen.join(', ')} bytes`, { cause });
  });
}

async function usedBytes(server: string): Promise<string> {
  const text = await (await fetch(new URL('metrics', server))).text();
  return /^vice_volume_used_bytes\{.*\} (\d+)$/m.exec(text)?.[1] ?? `no number in ${text.slice(0, 200)}`;
}
