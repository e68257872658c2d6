/**
 * kill -9 of the gateway at random points while no server runs, and while its log is replayed. Without
 * servers every acknowledged change survives by the gateway's log alone; after the replay every change that
 * was acknowledged is there, once, and every other one is absent or whole.
 *
 * CODA_CRASH_KILLS_DISCONNECTED and CODA_CRASH_SEED choose another number and another sequence;
 * CODA_CRASH_KEEP=yes leaves the realm's folder to be looked at.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { scaled } from '../test-scale.js';
import { DisconnectedTrial } from './disconnected-trial.js';
import { KillingGround } from './killing-ground.js';
import { judgeReplica } from './replica-verdict.js';

const kills = Number(process.env['CODA_CRASH_KILLS_DISCONNECTED'] ?? scaled(40, 20));
const seed = Number(process.env['CODA_CRASH_SEED'] ?? 20_260_202);

t.setTimeout(Math.max(3_600_000, kills * 20_000));

t.test(`kill -9 without servers and in the replay, ${kills} times (seed ${seed})`, async (t) => {
  console.error(`crash: CODA_CRASH_KILLS_DISCONNECTED=${kills} CODA_CRASH_SEED=${seed}`);
  const data = await mkdtemp(join(tmpdir(), 'coda-crash-'));
  const ground = await KillingGround.open(join(data, 'realm'), { spares: true });
  const trial = new DisconnectedTrial(ground, kills, seed);
  const running = trial.writers.map((writer) => writer.run());
  t.teardown(async () => {
    for (const writer of trial.writers) writer.stop();
    await ground.close();
    await Promise.all(running);
    await trial.close();
    if (process.env['CODA_CRASH_KEEP'] !== 'yes') await rm(data, { recursive: true, force: true });
  });

  while (!trial.isOver) await trial.round();
  for (const writer of trial.writers) writer.stop();
  await Promise.all(running);
  await ground.calm(true);
  t.equal((await ground.volume()).keptRecords, 0, 'the servers took every change') ||
    t.comment(await ground.pendingChanges());
  await trial.prove(() => true);
  t.same(trial.died, [], 'no process ended by itself');
  t.same(trial.spotFaults.slice(0, 10), [], 'folders are as they must be whenever they are looked at');
  t.same(trial.faults, [], 'no change that was possible was refused, and none hung');
  t.same(trial.unavailable.slice(0, 10), [], 'no change was put off, with servers or without');

  await ground.close();
  for (const { name } of ground.servers) {
    const faults = await judgeReplica(ground.data, name, trial.folders);
    t.same(faults.slice(0, 10), [], `every folder is as it must be on the disk of ${name}`);
  }
  const unknown = trial.writers.reduce((sum, writer) => sum + writer.unknown, 0);
  const slowest = Math.round(Math.max(...trial.writers.map((writer) => writer.slowest)));
  t.comment(`${trial.kills.done} kills, ${trial.killsInReplay} of them while changes were replayed`);
  t.comment(`${trial.killsInStart} while the gateway started; ${trial.proofs} complete comparisons`);
  t.comment(`${trial.acknowledged} changes acknowledged, ${unknown} without an answer`);
  t.comment(`${trial.folders.length} folders; the slowest acknowledged change took ${slowest} ms`);
  t.ok(trial.acknowledged > kills * 5, 'there was load');
  t.ok(trial.killsInReplay > 0, 'some kills came while changes were replayed');
});
