/**
 * A weak link, made by the kernel (tc tbf): while a gateway's log trickles to the servers, a user reads what is not in
 * the cache. Not time is measured but what else goes through the cable between his request and the answer.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { callControlDoor } from '../../gateway/realm/control-door.js';
import { KillingGround, type Place } from '../crash/killing-ground.js';
import { skipWithout, until } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { SeparateNetwork, skipWithoutNetworks } from './separate-network.js';

t.setTimeout(900_000);

/**
 * Bits a second, as of a slow DSL line. Not even one server alone on it gets what makes a link strong (weakBelow in
 * venus/remote/link-quality.ts): TCP may let one of three have nearly all, and the volume would not be weak (LQ-4).
 */
const [there, back] = ['384kbit', '1mbit'];
const letterBytes = 64 * 1024;
/** See venus/reintegration/trickle-gate.ts. */
const sliceBytes = 32 * 1024;
/** What was on its way already when the user asked: in the sockets of three servers, and in the queue of the cable. */
const underWayBytes = 64 * 1024;
/** Of contents in one call, on a link of which nothing is known (venus/reintegration/batch.ts). */
const callBytes = 512 * 1024;
const letters = 4;

/** Contents of small files travel inside calls on a strong link; those of large ones beside them, several at a time. */
const logs = [
  { name: 'small files', files: 84, bytes: 40 * 1024 },
  { name: 'large files', files: 14, bytes: 256 * 1024 },
];

const skip = skipWithout('tc') || (await skipWithoutNetworks());

for (const { name, files, bytes } of logs) {
  t.test(`a fetch on a weak link waits for one slice of the log at most: ${name}`, { skip }, async (t) => {
    const base = await mkdtemp(join(tmpdir(), 'coda-weak-'));
    const network = await SeparateNetwork.make();
    t.teardown(async () => {
      await network.remove();
      await rm(base, { recursive: true, force: true });
    });
    const placeOf = (name: string): Place =>
      name.startsWith('s') ? network : { host: '127.0.0.1', through: [] };
    const ground = await KillingGround.open(join(base, 'realm'), { gateways: 2, placeOf });
    t.teardown(() => Promise.all(ground.all.map((role) => role.kill())));
    await ground.calm();
    const [one, two] = ground.gateways.map(({ url }) => ground.client(url));
    if (one === undefined || two === undefined) throw new Error('there are two gateways');
    t.teardown(() => Promise.all([one.close(), two.close()]));

    const bodies = await writeLetters(two);
    await until('g1 to list what g2 wrote', 60_000, async () => {
      const { status } = await one.request('PROPFIND', '/letters/', { headers: { depth: '0' } });
      return status === 207 && (await one.list('/letters/')).length === letters ? true : undefined;
    });
    const door = join(ground.data, 'gateways', 'g1');
    await callControlDoor(door, 'POST', '/disconnect', { servers: [] });
    await ground.untilVolume('no server', ({ avsg }) => avsg.length === 0);
    await succeed(one, 'MKCOL', '/log/');
    for (let index = 0; index < files; index += 1)
      await succeed(one, 'PUT', `/log/${index}`, randomBytes(bytes));
    await network.slowDown(there, back);
    await callControlDoor(door, 'POST', '/reconnect', { servers: [] });
    await ground.untilVolume('a link that is known to be weak', ({ weak }) => weak, 300_000);
    // Calls that were on their way when that was found out have their contents inside.
    await passed(network, 3 * callBytes);
    // The first one opens connections, whose first packets may be lost in the short queue: TCP then waits for seconds.
    t.equal((await one.request('GET', '/letters/0')).status, 200);

    for (const [index, body] of bodies.entries()) {
      if (index === 0) continue;
      await passed(network, 2 * sliceBytes);
      const before = await network.sent();
      const started = performance.now();
      const reply = await one.request('GET', `/letters/${index}`);
      const beside = (await network.sent()) - before;
      t.comment(`${beside} bytes, ${Math.round(performance.now() - started)} ms`);
      t.equal(reply.status, 200);
      t.ok(reply.body.equals(body), 'the letter is whole');
      t.ok(beside <= sliceBytes + underWayBytes, `${beside} bytes went to the servers meanwhile`);
      // Whether it is called weak now is not asked: letters pass faster than the log, and it may just be called strong.
      const { pendingRecords } = await ground.volume();
      t.ok(pendingRecords > 0, `${pendingRecords} records wait`);
    }
  });
}

async function writeLetters(client: WebdavClient): Promise<readonly Buffer[]> {
  await succeed(client, 'MKCOL', '/letters/');
  const bodies = Array.from({ length: letters }, () => randomBytes(letterBytes));
  for (const [index, body] of bodies.entries()) await succeed(client, 'PUT', `/letters/${index}`, body);
  return bodies;
}

async function succeed(client: WebdavClient, method: string, path: string, body?: Buffer): Promise<void> {
  const { status } = await client.request(method, path, body === undefined ? {} : { body });
  if (status >= 300) throw new Error(`${method} ${path} answered ${status}`);
}

/** Until so many bytes more of the log have trickled. */
async function passed(network: SeparateNetwork, bytes: number): Promise<void> {
  const before = await network.sent();
  await until('the log to trickle', 300_000, async () => {
    return (await network.sent()) - before > bytes ? true : undefined;
  });
}
