/**
 * A file of hundreds of megabytes that a gateway has never seen, on real processes, over lines that carry less than
 * the servers could send. What is told apart is bytes and order, never time.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { KillingGround } from '../crash/killing-ground.js';
import type { RoleProcess } from '../crash/role-process.js';
import { LargeReading, putLarge, type LargeFile, type Login } from '../large-file.js';
import { carried, slowLines, type SlowLine } from '../slow-lines.js';
import { scaled } from '../test-scale.js';

t.setTimeout(900_000);

const megabyte = 1024 * 1024;
const length = scaled(300, 100) * megabyte - 12_345;
/** What is on its way, read ahead of a reader or sent twice when something breaks: see venus/fetch/plan.ts. */
const ahead = 48 * megabyte;

const base = await mkdtemp(join(tmpdir(), 'coda-cold-'));
const ground = await KillingGround.open(join(base, 'realm'), { gateways: 2 });
let lines: readonly SlowLine[] = [];
t.teardown(async () => {
  await Promise.all(ground.all.map((role) => role.kill()));
  await Promise.all(lines.map((line) => line.close()));
  await rm(base, { recursive: true, force: true });
});

const [g1, g2] = ground.gateways as [RoleProcess, RoleProcess];
await ground.calm();
await g2.stop();
lines = await slowLines(ground.data, g2.name, 60 * megabyte);
const large: LargeFile = await putLarge(loginAt(g1), '/large', length);

function loginAt(gateway: RoleProcess): Login {
  return { ...ground.login, url: gateway.url };
}

/** g2 as if it had never run. @returns how to read there */
async function forgetful(): Promise<Login> {
  await g2.kill();
  await rm(join(ground.data, 'gateways', g2.name), { recursive: true, force: true });
  await g2.start();
  const login = loginAt(g2);
  await (await LargeReading.begin(login, '/', '0-')).all();
  return login;
}

t.test(
  'the first bytes are here before the last ones have left; two readers share one transfer',
  async (t) => {
    const login = await forgetful();
    const before = carried(lines);
    const one = await LargeReading.begin(login, '/large');
    await one.until(1);
    t.ok(
      carried(lines) - before < length / 2,
      `${carried(lines) - before} bytes had come with the first one`,
    );
    const two = await LargeReading.begin(login, '/large');
    const both = await Promise.all([one.all(), two.all()]);
    for (const read of both) t.same(read, large);
    const bytes = carried(lines) - before;
    t.ok(bytes >= length && bytes < length * 1.3, `${bytes} bytes for two readers of ${length}`);
  },
);

t.test('the end of the file costs little more than itself', async (t) => {
  const login = await forgetful();
  const before = carried(lines);
  const tail = await LargeReading.begin(login, '/large', '-1000');
  const { length: read } = await tail.all();
  t.same([tail.status, read], [206, 1000]);
  const bytes = carried(lines) - before;
  t.ok(bytes < 2 * megabyte, `${bytes} bytes`);
});

t.test('who hangs up stops the transfer', async (t) => {
  const login = await forgetful();
  const before = carried(lines);
  const reading = await LargeReading.begin(login, '/large');
  await reading.until(megabyte);
  await reading.end();
  // Another one, of another file, begins and ends meanwhile.
  await (await LargeReading.begin(login, '/large', '-1')).all();
  t.ok(carried(lines) - before < length / 2, `${carried(lines) - before} bytes`);
});

t.test('a server is killed in the middle: the rest comes from another one', async (t) => {
  const login = await forgetful();
  const before = lines.map(({ bytes }) => bytes);
  const reading = await LargeReading.begin(login, '/large');
  await reading.until(length / 3);
  const busiest = lines
    .map(({ server, bytes }, index) => ({ server, bytes: bytes - (before[index] ?? 0) }))
    .reduce((most, each) => (each.bytes > most.bytes ? each : most));
  const victim = ground.servers.find(({ name }) => name === busiest.server);
  if (victim === undefined) throw new Error('nobody has sent anything');
  await victim.kill();
  t.same(await reading.all(), large);
  const bytes = carried(lines) - before.reduce((sum, each) => sum + each, 0);
  t.ok(bytes < length + ahead, `${bytes} bytes for ${length}`);
  await victim.start();
});

t.test('the gateway is killed in the middle: the next one goes on where it was', async (t) => {
  const login = await forgetful();
  const reading = await LargeReading.begin(login, '/large');
  await reading.until(length / 2);
  await g2.kill();
  await reading.end().catch(() => undefined);
  await g2.start();
  const before = carried(lines);
  const again = await LargeReading.begin(loginAt(g2), '/large');
  t.same(await again.all(), large);
  const bytes = carried(lines) - before;
  t.ok(bytes < length / 2 + 2 * megabyte, `${bytes} bytes more, of ${length}`);
});
