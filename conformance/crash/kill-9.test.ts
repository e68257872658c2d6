/**
 * kill -9 of the gateway, of a server, of all of them, at random points under load, more than 200 times; then
 * every acknowledged change is there, and every other one is absent or whole.
 *
 * CODA_CRASH_KILLS and CODA_CRASH_SEED choose another number and another sequence.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../program.js';
import { KillCount } from './kill-count.js';
import { KillingGround } from './killing-ground.js';
import type { RoleProcess } from './role-process.js';
import { Seeded } from './seeded.js';
import { scaled } from '../test-scale.js';
import { judgeFolder } from './verdict.js';
import { Writer } from './writer.js';

const kills = Number(process.env['CODA_CRASH_KILLS'] ?? scaled(210, 30));
const seed = Number(process.env['CODA_CRASH_SEED'] ?? 20_260_101);
const writerCount = 6;

t.setTimeout(30 * 60_000);

t.test(`kill -9, ${kills} times under load (seed ${seed})`, async (t) => {
  console.error(`crash: CODA_CRASH_KILLS=${kills} CODA_CRASH_SEED=${seed}`);
  const data = await mkdtemp(join(tmpdir(), 'coda-crash-'));
  const ground = await KillingGround.open(join(data, 'realm'), { spares: true });
  const client = ground.client(ground.gateway.url);
  const writers = Array.from({ length: writerCount }, (_, index) => {
    return new Writer(client, `w${index}`, new Seeded(seed * 1_000 + index));
  });
  const running = writers.map((writer) => writer.run());
  t.teardown(async () => {
    for (const writer of writers) writer.stop();
    await ground.close();
    await Promise.all(running);
    await client.close();
    await rm(data, { recursive: true, force: true });
  });
  const acknowledged = (): number => writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  const faults = (): string[] => writers.flatMap((writer) => writer.faults);
  const seeded = new Seeded(seed);
  const spotFaults: string[] = [];
  const died: string[] = [];
  const count = new KillCount(kills);

  while (!count.isReached && faults().length + spotFaults.length + died.length < 10) {
    const before = acknowledged();
    await until('changes to be acknowledged again', 60_000, () =>
      acknowledged() > before + 5 ? true : undefined,
    );
    const victims = drawVictims(ground, seeded);
    // A server may only go when the others have what it has, or it would take the only copy with it for a
    // while.
    if (victims.some((victim) => victim !== ground.gateway)) await ground.calm();
    await new Promise((resolve) => setTimeout(resolve, seeded.below(120)));
    died.push(...ground.all.filter((role) => role.died).map((role) => role.log));
    await ground.kill(victims);
    await ground.start(victims);
    const folder = seeded.pick(writers.flatMap((writer) => writer.finished));
    if (folder !== undefined) spotFaults.push(...(await judgeFolder(client, folder)));
    count.add(() => `${acknowledged()} changes acknowledged`);
  }

  for (const writer of writers) writer.stop();
  await Promise.all(running);
  t.same(died, [], 'no process ended by itself');
  t.same(spotFaults, [], 'folders looked at between kills are as they must be');
  t.same(faults(), [], 'no change that was possible was refused, and none hung');
  await ground.calm(true);

  const folders = writers.flatMap((writer) => writer.folders);
  const fresh = await ground.freshGateway();
  t.teardown(() => fresh.stop());
  for (const [name, reader] of [
    ['the gateway', client],
    ['an empty cache', ground.client(fresh.url)],
  ] as const) {
    const found: string[] = [];
    for (const folder of folders) found.push(...(await judgeFolder(reader, folder)));
    t.same(found.slice(0, 10), [], `every folder is as it must be, seen through ${name}`);
  }
  const unknown = writers.reduce((sum, writer) => sum + writer.unknown, 0);
  const slowest = Math.round(Math.max(...writers.map((writer) => writer.slowest)));
  t.comment(`${kills} kills, ${acknowledged()} changes acknowledged, ${unknown} without an answer`);
  t.comment(`${folders.length} folders read twice; the slowest acknowledged change took ${slowest} ms`);
  t.ok(acknowledged() > kills * 5, 'there was load');
});

/** The gateway, a server, both, or all. */
function drawVictims(ground: KillingGround, seeded: Seeded): readonly RoleProcess[] {
  const dice = seeded.fraction();
  const server = seeded.pick(ground.servers) ?? ground.gateway;
  if (dice < 0.5) return [ground.gateway];
  if (dice < 0.8) return [server];
  if (dice < 0.9) return [server, ground.gateway];
  return ground.all;
}
