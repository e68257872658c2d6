/**
 * Real processes under real faults: networks that part, in one direction or both, frozen and killed processes, full
 * disks, clocks that jump, in a drawn order, while people at two gateways change the same names. Then everything is
 * mended. Every acknowledged change is there, as its name's version or as one in conflict; nothing is invented; both
 * gateways and all replicas hold the same.
 *
 * CODA_FAULT_SECONDS and CODA_FAULT_SEED choose another length and another sequence.
 */
import t from 'tap';
import { readFolder } from '../crash/folder-reader.js';
import { Seeded } from '../crash/seeded.js';
import { compare, type World } from '../crash/world.js';
import { until } from '../program.js';
import { isEverywhere } from '../semantics/everywhere.js';
import { untilDrained } from '../semantics/stage.js';
import { scaled } from '../test-scale.js';
import { clockLibrary, FaultRealm } from './fault-realm.js';
import { History } from './history.js';
import { hasLoopDevices } from './loop-disk.js';
import { Rival } from './rival.js';
import { firstFaults, gateways, isServer, nextFault, type Fault } from './schedule.js';
import { skipWithoutSwitchboard } from './switchboard.js';

const seconds = Number(process.env['CODA_FAULT_SECONDS'] ?? scaled(60, 30));
const seed = Number(process.env['CODA_FAULT_SEED'] ?? 20_261_129);
const rivalsPerGateway = 2;
const settleMs = 240_000;

t.setTimeout((seconds + 1_800) * 1000);

const skip = await skipWithoutSwitchboard();

t.test(`${seconds} s of faults (seed ${seed})`, { skip }, async (t) => {
  const realm = await FaultRealm.open();
  const history = new History();
  const rivals = gateways.flatMap((gateway, place) =>
    Array.from({ length: rivalsPerGateway }, (_, index) => {
      const seeded = new Seeded(seed * 100 + place * 10 + index);
      return new Rival(realm.client(gateway), gateway, seeded, history);
    }),
  );
  const running: Promise<void>[] = [];
  t.teardown(async () => {
    for (const rival of rivals) rival.stop();
    if (!t.passing()) t.comment(await realm.logs());
    await realm.close();
    await Promise.all(running);
  });
  await untilDrained(realm);
  running.push(...rivals.map((rival) => rival.run()));

  const done = await breakThings(realm);
  await realm.mend();
  await untilDrained(realm);
  for (const rival of rivals) rival.stop();
  await Promise.all(running);
  t.same(realm.died, [], 'no process ended by itself');
  await untilDrained(realm);

  const kept = (await Promise.all(gateways.map((gateway) => realm.kept(gateway)))).flat();
  t.same(kept, [], 'the servers took every change');
  const world = await agreed(realm);
  const held = new Map([...world].map(([name, { digest }]) => [name, digest]));
  const faults = history.judge(held);
  t.same(faults.slice(0, 10), [], 'what was acknowledged is there, and nothing else');
  await isEverywhere(t, realm, world);
  for (const [name, times] of done) t.ok(times > 0, name);
  t.comment(`faults: ${JSON.stringify(Object.fromEntries(done))}`);
  if (!hasLoopDevices()) t.comment('no disk of a server was filled: this machine has no loop devices');
  if (clockLibrary === undefined) t.comment('no clock was set: libfaketime is not installed');
  const [acknowledged, refused, unknown] = (['done', 'refused', 'unknown'] as const).map((outcome) =>
    history.count(outcome),
  );
  t.comment(
    `${acknowledged} changes acknowledged, ${refused} refused, ${unknown} unknown; ${held.size} versions`,
  );
  t.ok(history.count('done') > 20, 'there was load');
});

/** What was done, and how often: each kind once that this machine can do, then what is drawn. */
async function breakThings(realm: FaultRealm): Promise<ReadonlyMap<string, number>> {
  const seeded = new Seeded(seed);
  const done = new Map<string, number>();
  const due = firstFaults(seeded).filter(isPossible);
  for (const fault of due) done.set(nameOf(fault), 0);
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end || due.length > 0) {
    const [first] = due;
    const fault = due.shift() ?? nextFault(seeded);
    const name = nameOf(fault);
    if (await realm.break(fault)) done.set(name, (done.get(name) ?? 0) + 1);
    // Its role is being mended: later.
    else if (first !== undefined) due.push(first);
    await new Promise((resolve) => setTimeout(resolve, 300 + seeded.below(2_500)));
  }
  return done;
}

function isPossible(fault: Fault): boolean {
  if (fault.kind === 'step-clock') return clockLibrary !== undefined;
  return fault.kind !== 'fill' || !isServer(fault.role) || hasLoopDevices();
}

function nameOf(fault: Fault): string {
  if (fault.kind === 'cut') return fault.what;
  if (fault.kind !== 'fill') return fault.kind;
  return `fill a ${isServer(fault.role) ? 'server' : 'gateway'}`;
}

/** What both gateways show, once they show the same and go on to. Nobody changes anything meanwhile. */
async function agreed(realm: FaultRealm): Promise<World> {
  let last: World | undefined;
  const ask = async (): Promise<World | undefined> => {
    const [one, other] = await Promise.all(gateways.map((gateway) => readFolder(realm.client(gateway), '')));
    if (one === undefined || other === undefined) return undefined;
    const isSame = compare(one, other).length === 0 && last !== undefined && compare(last, one).length === 0;
    last = one;
    return isSame ? one : undefined;
  };
  return until('both gateways to show the same', settleMs, ask, 5_000);
}
