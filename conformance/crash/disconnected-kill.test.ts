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
import { until } from '../program.js';
import { KillingGround } from './killing-ground.js';
import { judgeReplica } from './replica-verdict.js';
import type { RoleProcess } from './role-process.js';
import { scaled } from '../test-scale.js';
import { Seeded } from './seeded.js';
import { judgeFolder } from './verdict.js';
import { Writer } from './writer.js';

const kills = Number(process.env['CODA_CRASH_KILLS_DISCONNECTED'] ?? scaled(40, 20));
const seed = Number(process.env['CODA_CRASH_SEED'] ?? 20_260_202);
const writerCount = 5;
const mostFaults = 10;
const drainMs = 180_000;

t.setTimeout(2 * 3_600_000);

/** The realm, its writers, and what was seen of them. */
class Trial {
  readonly writers: readonly Writer[];
  readonly seeded = new Seeded(seed);
  /** What was wrong when folders were looked at between kills. */
  readonly spotFaults: string[] = [];
  /** Last words of processes that ended by themselves. */
  readonly died: string[] = [];
  kills = 0;
  /** Kills while servers ran and changes waited. */
  killsInReplay = 0;
  /** The servers were frozen, not killed. */
  #frozen = false;
  readonly #ground: KillingGround;
  readonly #client;

  constructor(ground: KillingGround) {
    this.#ground = ground;
    this.#client = ground.client(ground.gateway.url);
    this.writers = Array.from({ length: writerCount }, (_, index) => {
      return new Writer(this.#client, `w${index}`, new Seeded(seed * 1_000 + index));
    });
  }

  get acknowledged(): number {
    return this.writers.reduce((sum, writer) => sum + writer.acknowledged, 0);
  }

  get faults(): string[] {
    return this.writers.flatMap((writer) => writer.faults);
  }

  get unavailable(): string[] {
    return this.writers.flatMap((writer) => writer.unavailable);
  }

  get isOver(): boolean {
    return (
      this.kills >= kills || this.faults.length + this.spotFaults.length + this.died.length >= mostFaults
    );
  }

  /** Until the writers have got somewhere. */
  async progress(changes: number): Promise<void> {
    const before = this.acknowledged;
    await until(`${changes} changes to be acknowledged`, 120_000, () =>
      this.acknowledged >= before + changes ? true : undefined,
    );
  }

  async killGateway(): Promise<void> {
    const ground = this.#ground;
    this.died.push(...ground.all.filter((role) => role.died).map((role) => role.log));
    await ground.kill([ground.gateway]);
    await ground.start([ground.gateway]);
    this.kills += 1;
    if (this.kills % 20 === 0) {
      console.error(`crash: ${this.kills} of ${kills} kills, ${this.acknowledged} changes acknowledged`);
    }
  }

  /** All servers die, or freeze; then the gateway, several times, each time after some work. */
  async withoutServers(): Promise<void> {
    const ground = this.#ground;
    this.#frozen = this.seeded.fraction() < 0.3;
    if (this.#frozen) for (const server of ground.servers) server.freeze();
    else await ground.kill(ground.servers);
    await ground.untilVolume('no server to be left', ({ avsg }) => avsg.length === 0);
    for (let count = 1 + this.seeded.below(4); count > 0 && !this.isOver; count -= 1) {
      await this.progress(10);
      await passing(this.seeded.below(150));
      await this.killGateway();
      await this.look();
    }
    await this.progress(20 + this.seeded.below(200));
  }

  /** The servers come, all at once or one after the other; the gateway dies while it replays its log. */
  async whileReplaying(): Promise<void> {
    const ground = this.#ground;
    const first = this.seeded.fraction() < 0.3 ? ground.servers.slice(0, 1) : ground.servers;
    await this.#revive(first);
    for (let count = 1 + this.seeded.below(4); count > 0 && !this.isOver; count -= 1) {
      // Some server has come, and the replay has begun; or it was over before that was seen.
      await until('a server to be reached', 60_000, this.#reached, 20);
      await passing(this.seeded.below(200));
      const { avsg, pendingRecords } = await ground.volume();
      if (avsg.length > 0 && pendingRecords > 0) this.killsInReplay += 1;
      await this.killGateway();
      // A server that dies in the middle has applied some of it.
      const victim = this.seeded.fraction() < 0.2 ? first[this.seeded.below(first.length)] : undefined;
      if (victim !== undefined) {
        await passing(this.seeded.below(200));
        await ground.kill([victim]);
        await ground.start([victim]);
      }
    }
    await this.#revive(ground.servers.filter((server) => !first.includes(server)));
  }

  /** Frozen servers still get what was sent to them before. */
  async #revive(servers: readonly RoleProcess[]): Promise<void> {
    if (!this.#frozen) return this.#ground.start(servers);
    for (const server of servers) server.thaw();
  }

  readonly #reached = async (): Promise<true | undefined> => {
    const { avsg } = await this.#ground.volume();
    return avsg.length > 0 ? true : undefined;
  };

  /** The log must come to its end; meanwhile the writers rest. Then a folder is looked at. */
  async drained(): Promise<void> {
    await this.resting(async () => {
      await this.#ground.untilVolume(
        'the log to be empty',
        ({ vsg, avsg, pendingRecords }) => {
          return pendingRecords === 0 && avsg.length === vsg.length;
        },
        drainMs,
      );
    });
    await this.look();
  }

  /** What the writers have just worked on must be as they know it, and an older folder too. */
  async look(): Promise<void> {
    await this.resting(async () => {
      const last = this.writers.flatMap((writer) => writer.folders.slice(-2));
      const older = this.seeded.pick(this.writers.flatMap((writer) => writer.folders.slice(0, -2)));
      for (const folder of older === undefined ? last : [...last, older]) {
        this.spotFaults.push(...(await judgeFolder(this.#client, folder)));
      }
    });
  }

  /** Writers stand still while `act` runs. */
  async resting(act: () => Promise<void>): Promise<void> {
    await Promise.all(this.writers.map((writer) => writer.pause()));
    await act();
    for (const writer of this.writers) writer.resume();
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

t.test(`kill -9 without servers and in the replay, ${kills} times (seed ${seed})`, async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'coda-crash-'));
  const ground = await KillingGround.open(join(data, 'realm'));
  const trial = new Trial(ground);
  const running = trial.writers.map((writer) => writer.run());
  t.teardown(async () => {
    for (const writer of trial.writers) writer.stop();
    await ground.close();
    await Promise.all(running);
    await trial.close();
    if (process.env['CODA_CRASH_KEEP'] !== 'yes') await rm(data, { recursive: true, force: true });
  });

  while (!trial.isOver) {
    await trial.progress(10);
    await trial.withoutServers();
    await trial.whileReplaying();
    await trial.drained();
  }
  for (const writer of trial.writers) writer.stop();
  await Promise.all(running);
  t.same(trial.died, [], 'no process ended by itself');
  t.same(trial.spotFaults, [], 'folders looked at between kills are as they must be');
  t.same(trial.faults, [], 'no change that was possible was refused, and none hung');
  t.same(trial.unavailable.slice(0, 10), [], 'no change was put off, with servers or without');
  await ground.calm(true);
  t.equal((await ground.volume()).keptRecords, 0, 'the servers took every change');

  const folders = trial.writers.flatMap((writer) => writer.folders);
  const fresh = await ground.freshGateway();
  t.teardown(() => fresh.stop());
  for (const [name, url] of [
    ['the gateway', ground.gateway.url],
    ['an empty cache', fresh.url],
  ] as const) {
    const reader = ground.client(url);
    const found: string[] = [];
    for (const folder of folders) found.push(...(await judgeFolder(reader, folder)));
    t.same(found.slice(0, 10), [], `every folder is as it must be, seen through ${name}`);
    await reader.close();
  }
  await fresh.stop();
  await ground.close();
  for (const { name } of ground.servers) {
    const faults = await judgeReplica(ground.data, name, folders);
    t.same(faults.slice(0, 10), [], `every folder is as it must be on the disk of ${name}`);
  }
  const unknown = trial.writers.reduce((sum, writer) => sum + writer.unknown, 0);
  const slowest = Math.round(Math.max(...trial.writers.map((writer) => writer.slowest)));
  t.comment(`${trial.kills} kills, ${trial.killsInReplay} of them while changes were replayed`);
  t.comment(`${trial.acknowledged} changes acknowledged, ${unknown} without an answer`);
  t.comment(`${folders.length} folders; the slowest acknowledged change took ${slowest} ms`);
  t.ok(trial.acknowledged > kills * 5, 'there was load');
  t.ok(trial.killsInReplay > 0, 'some kills came while changes were replayed');
});

function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
