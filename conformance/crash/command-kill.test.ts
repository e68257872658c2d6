/**
 * kill -9 at random points of the commands of `coda volume` that make, copy or move volumes: of the command, of a
 * server, of the gateway. Said again, a command comes to the same end, and nothing is left of what was cut short.
 *
 * CODA_CRASH_KILLS_COMMANDS and CODA_CRASH_SEED choose another number and another sequence.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../program.js';
import { scaled } from '../test-scale.js';
import { CommandGround } from './command-ground.js';
import { KillCount } from './kill-count.js';
import { leftovers, orderKinds, type Order, type OrderKind } from './orders.js';
import { Seeded } from './seeded.js';
import type { CommandEnded } from './spare-command.js';

/** Each command is hit once, at least. */
const kills = Number(process.env['CODA_CRASH_KILLS_COMMANDS'] ?? scaled(18, 12));
const seed = Number(process.env['CODA_CRASH_SEED'] ?? 20_261_127);
/** Of a command of which none came to its end before, in milliseconds. */
const usualMs = 700;

t.setTimeout(Math.max(15, kills) * 60_000);

t.test(`kill -9 of commands, ${kills} times (seed ${seed})`, async (t) => {
  console.error(`crash: CODA_CRASH_KILLS_COMMANDS=${kills} CODA_CRASH_SEED=${seed}`);
  const folder = await mkdtemp(join(tmpdir(), 'coda-commands-'));
  const seeded = new Seeded(seed);
  const ground = await CommandGround.open(folder, seeded);
  t.teardown(async () => {
    await ground.close();
    await rm(folder, { recursive: true, force: true });
  });
  const count = new KillCount(kills);
  const took = new Map<OrderKind, number>();
  const faults: string[] = [];
  let completed = 0;

  for (let round = 0; !count.isReached && faults.length === 0; round += 1) {
    const kind = orderKinds[round % orderKinds.length] as OrderKind;
    const order = ground.order(kind, `${kind.replaceAll(/\W/g, '')}${round}`);
    const hits: string[] = [];
    // Now and then what is said again is hit, too.
    for (let deaths = seeded.fraction() < 0.25 ? 2 : 1; deaths > 0 && !count.isReached; deaths -= 1) {
      const hit = await hitOnce(ground, order, seeded, took.get(kind) ?? usualMs);
      if (hit.ended.code !== null) completed += 1;
      hits.push(hit.what);
      count.add(
        () => `${completed} commands were not killed themselves, or too late; the last: ${kind}, ${hit.what}`,
      );
    }
    const what = `${kind}, ${hits.join(', then ')}`;
    const started = performance.now();
    const again = await saidAgain(ground, order);
    took.set(kind, Math.max(took.get(kind) ?? 0, performance.now() - started));
    const isDone = again.code === 0 || (again.code === 4 && order.doneAlready?.test(again.output) === true);
    if (!isDone) faults.push(`${what}: said again it ends with ${again.code}: ${again.output}`);
    else faults.push(...(await order.faults(ground)).map((fault) => `${what}: ${fault}`));
    faults.push(...(await settled(ground)).map((fault) => `${what}: ${fault}`));
  }

  t.same(faults, [], 'each command came to its end, and left nothing');
  await ground.ground.close();
  for (const { name } of ground.ground.servers) {
    t.same(
      await readdir(join(ground.ground.data, 'servers', name, 'containers', 'spool')),
      [],
      `${name}: no spool`,
    );
  }
  t.same(
    (await readdir(ground.ground.data)).filter((name) => name.endsWith('.tmp')),
    [],
    'no half realm document',
  );
});

interface Hit {
  readonly ended: CommandEnded;
  /** Who was killed, and when. */
  readonly what: string;
}

/** Says the command; kills it, or somebody whom it needs, while it runs, and starts whom it killed. */
async function hitOnce(ground: CommandGround, order: Order, seeded: Seeded, usual: number): Promise<Hit> {
  const { servers, gateway } = ground.ground;
  // Some come too late: then all is done, and said again.
  const ms = 1.2 * seeded.fraction() * usual;
  const dice = seeded.fraction();
  const victims = [
    ...(dice < 0.2 ? servers.slice(0, 1) : []),
    ...(dice >= 0.12 && dice < 0.4 ? [seeded.pick(servers.slice(1)) ?? gateway] : []),
    ...(order.words[0] === 'create' && dice < 0.4 ? [gateway] : []),
  ];
  const isKilled = victims.length === 0 || dice < 0.1;
  const ended = await ground.run(order, async (command) => {
    await new Promise((passed) => setTimeout(passed, ms));
    if (isKilled) command.kill();
    await ground.ground.kill(victims);
    await ground.ground.start(victims);
  });
  await ground.calm();
  const names = [...(isKilled ? ['the command'] : []), ...victims.map(({ name }) => name)];
  return { ended, what: `${names.join(' and ')} killed at ${Math.round(ms)} ms` };
}

/** The same command once more; a server that has just come back may need a moment. */
async function saidAgain(ground: CommandGround, order: Order): Promise<CommandEnded> {
  for (let attempt = 1; ; attempt += 1) {
    const ended = await ground.run(order);
    if (ended.code !== 3 || attempt === 5) return ended;
  }
}

/** What is left when servers have had time to drop what they have to drop. */
async function settled(ground: CommandGround): Promise<readonly string[]> {
  let found: readonly string[] = [];
  await until(
    'leftovers to go',
    10_000,
    async () => {
      found = await leftovers(ground);
      return found.length === 0 ? true : undefined;
    },
    250,
  ).catch(() => undefined);
  return found;
}
