/**
 * Real processes under real faults: networks that part, in one direction or both, frozen and killed processes, full
 * disks, clocks that jump, in a drawn order, while people at two gateways change, move, copy and remove the same few
 * names. Then everything is mended, and the simulator's laws judge the recorded history (simulation/laws).
 *
 * CODA_FAULT_SECONDS and CODA_FAULT_SEED choose another length and another sequence; CODA_FAULT_STORY names a file for
 * all that was done.
 */
import { writeFile } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import t from 'tap';
import { Seeded } from '../crash/seeded.js';
import { untilDrained } from '../semantics/stage.js';
import { judge, type Violation } from '../simulation/laws/judge.js';
import { scaled } from '../test-scale.js';
import { deedsOf } from './deed-stream.js';
import { clockLibrary, FaultRealm } from './fault-realm.js';
import { hasLoopDevices } from './loop-disk.js';
import { Recording } from './recording.js';
import { lookAt } from './remote-look.js';
import { RemoteSession, type RemoteDeed } from './remote-session.js';
import { repairAll } from './repairs.js';
import { firstFaults, gateways, isServer, nextFault, type Fault } from './schedule.js';
import { skipWithoutSwitchboard } from './switchboard.js';

const seconds = Number(process.env['CODA_FAULT_SECONDS'] ?? scaled(60, 30));
const seed = Number(process.env['CODA_FAULT_SEED'] ?? 20_261_129);
/** One user at each gateway, with several requests at a time. */
const people = gateways.flatMap((gateway) =>
  [`${gateway}/ann`, `${gateway}/ann#2`].map((by) => ({ gateway, by })),
);
const pauseMs = 60;
/** Longer than it takes a gateway to notice that nobody answers. */
const aloneMs = 4_500;
/** Nobody is there to ask. */
const absentMs = 400;

t.setTimeout((seconds + 1_800) * 1000);

const skip = await skipWithoutSwitchboard();

t.test(`${seconds} s of faults (seed ${seed})`, { skip }, async (t) => {
  const realm = await FaultRealm.open();
  const begin = performance.now();
  const recording = new Recording(() => performance.now() - begin);
  const working = { isOver: false };
  const running: Promise<void>[] = [];
  t.teardown(async () => {
    working.isOver = true;
    if (!t.passing()) t.comment(await realm.logs());
    await realm.close();
    await Promise.all(running);
  });
  await untilDrained(realm);
  for (const [index, { gateway, by }] of people.entries()) {
    const session = new RemoteSession(realm.client(gateway), gateway, recording);
    running.push(work(session, deedsOf(by, seed * 10_000 + index * 1_000), working));
  }
  const done = await breakThings(realm);
  await realm.mend();
  await untilDrained(realm);
  working.isOver = true;
  await Promise.all(running);
  t.same(realm.died, [], 'no process ended by itself');
  await untilDrained(realm);

  const note = (text: string) => t.comment(text);
  const healed = await lookAt(realm, recording, 'healed', note);
  const before = judge(recording.run({ ...healed, looks: [healed.look], seed }));
  const story = process.env['CODA_FAULT_STORY'];
  if (story !== undefined) await writeFile(story, recording.story());
  t.same(wordsOf(before), [], 'the recorded history breaks no law');
  const conflicts = await repairAll(realm, recording, new Seeded(seed));
  if (conflicts > 0) {
    await untilDrained(realm);
    const repaired = await lookAt(realm, recording, 'repaired', note);
    const after = judge(recording.run({ ...repaired, looks: [healed.look, repaired.look], seed }));
    t.same(wordsOf(after), [], 'nor does it when every conflict is decided');
  }
  for (const [name, times] of done) t.ok(times > 0, name);
  t.comment(`faults: ${JSON.stringify(Object.fromEntries(done))}`);
  if (!hasLoopDevices()) t.comment('no disk of a server was filled: this machine has no loop devices');
  if (clockLibrary === undefined) t.comment('no clock was set: libfaketime is not installed');
  t.comment(`deeds: ${JSON.stringify(recording.counts())}`);
  t.comment(`conflicts: ${healed.look.views[0]?.conflicts.map(({ kind }) => kind).join(' ') ?? ''}`);
  t.ok(recording.acknowledged > 20, 'there was load');
});

function wordsOf(violations: readonly Violation[]): readonly string[] {
  return violations.slice(0, 20).map(({ law, text }) => `${law}: ${text.slice(0, 1_000)}`);
}

async function work(
  session: RemoteSession,
  deeds: Iterable<RemoteDeed>,
  working: { readonly isOver: boolean },
): Promise<void> {
  for (const deed of deeds) {
    if (working.isOver) return;
    const { outcome } = await session.carryOut(deed);
    await new Promise((resolve) => setTimeout(resolve, outcome === 'refused' ? absentMs : pauseMs));
  }
}

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
    await new Promise((resolve) =>
      setTimeout(resolve, (isLong(fault) ? aloneMs : 300) + seeded.below(2_500)),
    );
  }
  return done;
}

/** Who hears nothing works alone once he has noticed it; only then are there conflicts. */
function isLong(fault: Fault): boolean {
  return fault.kind === 'cut' && fault.what !== 'one-way';
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
