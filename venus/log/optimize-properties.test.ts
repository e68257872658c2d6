/** Properties of the log optimizer, against servers that certify and apply by the house's own rules. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { scaled } from '../../conformance/test-scale.js';
import t from 'tap';
import { bobsVenus, venus } from '../../conformance/modify-log/logging-venus.js';
import { difference, ownCounter, type PlainTree } from '../../conformance/modify-log/plain-tree.js';
import { doMeanwhile } from '../../conformance/modify-log/others.js';
import { RandomWalk, replay } from '../../conformance/modify-log/random-walk.js';
import {
  isFailure,
  versionsOf,
  type Fid,
  type Mutation,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import { Precedents } from './dependence.js';
import type { LogEntry } from './modify-log.js';

/** A fixed seed: the same logs in every run. */
const seed = Number(process.env['SEED'] ?? 1);
const logs = Number(process.env['RUNS'] ?? scaled(100_000, 10_000));
const walks = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), {
  minLength: 5,
  maxLength: 40,
  size: 'max',
});

t.test(`property: ${logs} optimized logs end as the unoptimized ones`, async (t) => {
  const count = { logs: 0, steps: 0, records: 0, left: 0 };
  fc.assert(
    fc.property(walks, (steps) => {
      const walk = new RandomWalk();
      for (const step of steps) walk.step(step);
      count.logs += 1;
      if (count.logs % 25_000 === 0) process.stderr.write(`${count.logs} logs\n`);
      count.steps += steps.length;
      count.records += walk.venus.unoptimized.length;
      count.left += walk.venus.records().length;
      replay(walk.servers, walk.venus.log.values());
      fail(difference(walk.venus.cache, walk.servers));
      fail(unknown(walk.venus.cache, walk.servers));
    }),
    { numRuns: logs, seed },
  );
  t.comment(`${count.steps} steps, ${count.records} records, ${count.left} left in the logs`);
  t.ok(count.left < count.records);
});

t.test('property: whatever is withdrawn with what depends on it, the rest applies', async (t) => {
  const count = { withdrawn: 0, rest: 0, loops: 0 };
  fc.assert(
    fc.property(walks, fc.nat(), (steps, choice) => {
      const walk = new RandomWalk();
      for (const step of steps) walk.step(step);
      const { log } = walk.venus;
      let refused = [...log.values()].filter((_, index) => ((choice >>> (index % 31)) & 1) === 1).slice(0, 3);
      while (refused.length > 0) {
        const closed = closure(log.values(), refused);
        count.withdrawn += closed.length;
        walk.venus.withdraw(closed);
        const loop = firstLoop(walk.servers.clone(), log.values());
        refused = loop === undefined ? [] : [loop];
        count.loops += refused.length;
      }
      count.rest += log.size;
      replay(walk.servers, log.values());
      fail(unknown(walk.venus.cache, walk.servers));
    }),
    { numRuns: Math.ceil(logs / 10), seed },
  );
  t.comment(`${count.withdrawn} entries withdrawn, ${count.rest} applied, ${count.loops} made loops`);
  t.ok(count.loops <= count.rest / 2000, 'loops of distant relatives are rare');
});

t.test('property: what does not depend on an entry that is held may overtake it', async (t) => {
  const count = { held: 0, overtaking: 0, loops: 0 };
  fc.assert(
    fc.property(walks, (steps) => {
      const walk = new RandomWalk();
      for (const step of steps) walk.step(step);
      const entries = [...walk.venus.log.values()];
      const servers = walk.servers.clone();
      replay(servers, entries);
      for (const entry of entries) {
        const held = new Set(closure(entries, [entry]));
        const others = entries.filter((other) => !held.has(other));
        const overtaken = walk.servers.clone();
        count.held += held.size;
        count.overtaking += others.length;
        if (firstLoop(overtaken, [...others, ...held]) !== undefined) count.loops += 1;
        else fail(difference(servers, overtaken));
      }
    }),
    { numRuns: Math.ceil(logs / 25), seed },
  );
  t.comment(`${count.held} entries held, ${count.overtaking} overtook them, ${count.loops} made loops`);
  t.ok(count.loops <= count.overtaking / 20_000, 'loops of distant relatives are rare');
});

t.test('property: whatever others did meanwhile, the same versions are left', async (t) => {
  const others = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 6 });
  const count = { files: 0, siblings: 0 };
  fc.assert(
    fc.property(walks, others, (steps, meanwhile) => {
      const walk = new RandomWalk();
      const optimized = walk.servers.clone();
      for (const step of steps) walk.step(step);
      doMeanwhile(optimized, meanwhile);
      const whole = optimized.clone();
      settle(whole, walk.venus.unoptimized);
      for (const { records } of [...walk.taken, ...walk.venus.log.values()]) settle(optimized, records);
      const removals = walk.venus.unoptimized.filter(({ op }) => op === 'remove');
      fail(unlikeFile(whole, optimized, new Set(removals.map(({ fid }) => fid))));
      for (const { kind, siblings } of optimized.statuses.values()) {
        if (kind === 'file') count.files += 1;
        count.siblings += siblings.length;
      }
    }),
    { numRuns: Math.ceil(logs / 20), seed },
  );
  t.comment(`${count.files} files, ${count.siblings} versions beside others`);
  t.ok(count.siblings > count.files / 10, 'and there were conflicts');
});

/** The servers take what its author was told is done. */
function settle(servers: PlainTree, records: readonly Mutation[]): void {
  for (const record of records) servers.certifyAndApply({ ...record, settled: true });
}

/**
 * A file whose versions are not the same. What was done to one of `removed` before its removal does not travel: what
 * is left of it others have decided.
 */
function unlikeFile(whole: PlainTree, optimized: PlainTree, removed: ReadonlySet<Fid>): string | undefined {
  const words = (file: VnodeStatus | undefined): unknown =>
    file?.kind === 'file' ? [versionsOf(file), file.modified, file.mode, file.owner] : null;
  for (const fid of new Set([...whole.statuses.keys(), ...optimized.statuses.keys()])) {
    const [one, other] = [whole.status(fid), optimized.status(fid)];
    if (removed.has(fid) && (one === undefined || other !== undefined)) continue;
    if (!isDeepStrictEqual(words(one), words(other))) return `versions of ${fid}`;
  }
  return undefined;
}

function closure(log: Iterable<LogEntry>, entries: readonly LogEntry[]): readonly LogEntry[] {
  const precedents = new Precedents();
  const closed: LogEntry[] = [];
  for (const entry of log) {
    if (!entries.includes(entry) && !precedents.isNeededBy(entry)) continue;
    precedents.add(entry);
    closed.push(entry);
  }
  return closed;
}

/** The first entry of `log` that is refused, as a loop. */
function firstLoop(servers: PlainTree, log: Iterable<LogEntry>): LogEntry | undefined {
  for (const entry of log) {
    try {
      for (const record of entry.records) servers.apply(record);
    } catch (error) {
      if (!isFailure(error, 'loop')) throw error;
      return entry;
    }
  }
  return undefined;
}

/** The first object of which the cache does not know exactly what the servers know of our own updates. */
function unknown(cache: PlainTree, servers: PlainTree): string | undefined {
  for (const fid of servers.statuses.keys()) {
    for (const own of [venus, bobsVenus]) {
      const [known, there] = [ownCounter(cache, fid, own), ownCounter(servers, fid, own)];
      if (cache.status(fid) !== undefined && known !== there)
        return `own ${known} of ${fid} cached, ${there} there`;
    }
  }
  return undefined;
}

function fail(fault: string | undefined): void {
  if (fault !== undefined) throw new Error(fault);
}
