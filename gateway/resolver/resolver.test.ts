/** Resolvers: which rule is about which file, when one runs, and what it may do; with commands made up. */
import t from 'tap';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';
import type { ConflictReport, Fid, StoreId } from '../../venus/interface.js';
import { silentLog } from '../../vice/seam/log.js';
import { MemoryStore } from '../../vice/seam/twin/memory-store.js';
import { SimulatedClock } from '../../vice/seam/twin/simulated-clock.js';
import type { ResolverJob, ResolverOutcome } from './resolver-run.js';
import { ResolverSwitch } from './resolver-switch.js';
import { Resolvers } from './resolvers.js';
import { ruleFor, rulesSchema } from './rules.js';
import { isDue, rankOf, seen, tried } from './schedule.js';

const ann = { user: 'ann' };
const minute = 60_000;

function rule(match: string) {
  const [made] = rulesSchema.parse({ format: 1, rules: [{ match, command: ['merge'] }] }).rules;
  if (made === undefined) throw new Error('it was made');
  return made;
}

t.test('the first rule that matches the path', async (t) => {
  const is = (match: string, path: string): boolean => ruleFor([rule(match)], path.split('/')) !== undefined;
  t.ok(is('*.log', 'deep/below/a.log'), 'without a slash it is about the name');
  t.notOk(is('*.log', 'a.logs'));
  t.ok(is('/logs/*.log', 'logs/a.log'));
  t.notOk(is('/logs/*.log', 'logs/old/a.log'));
  t.ok(is('logs/**/*.log', 'logs/old/older/a.log'));
  t.ok(is('logs/**/*.log', 'logs/a.log'));
  t.ok(is('a?c*', 'abc'));
  t.ok(is('caf\u00e9', 'cafe\u0301'), 'in either Unicode form');
  t.notOk(is('a.c', 'abc'), 'nothing else has a meaning');
  t.notOk(is('*a*a*a*a*a*a*a*a*a*a*a*b', 'a'.repeat(250)), 'and soon');
  t.equal(ruleFor([rule('*.txt'), rule('*')], ['x.log'])?.match, '*');
  t.equal(ruleFor([rule('*')], []), undefined);
  for (const wrong of [{}, { format: 2, rules: [] }, { format: 1, rules: [{ match: '*', command: 'rm' }] }])
    t.notOk(rulesSchema.safeParse(wrong).success);
});

t.test('one gateway goes first; never twice for the same versions; later after failures', async (t) => {
  const versions = ['g2', 'g1'].map((host, index) => ({
    name: 'x',
    path: null,
    author: 'ann',
    host,
    time: 0,
    size: 1,
    storeId: `00000000000000aa:${index}` as StoreId,
    fid: 'f' as Fid,
  }));
  const report: ConflictReport = { volume: 'root', fid: 'f' as Fid, path: ['x'], kind: 'versions', versions };
  t.equal(rankOf(report, 'g2'), 0, 'who has saved last');
  t.equal(rankOf(report, 'g1'), 1);
  t.ok(rankOf(report, 'g3') >= 2);

  const first = seen(undefined, report, 1000);
  t.equal(seen(first, { ...report, versions: [...versions].reverse() }, 9000), first, 'in any order');
  t.notOk(isDue(first, 0, 500, 2000), 'not at once');
  t.ok(isDue(first, 0, 500, 3000));
  t.notOk(isDue(first, 1, 500, 5400), 'while the first one may be at work');
  t.ok(isDue(first, 1, 500, 5500));

  const failed = tried(first, true, 4000);
  t.notOk(isDue(failed, 0, 500, 1e12), 'the same versions');
  const other = { ...report, versions: versions.slice(1) };
  const more = seen(failed, other, 5000);
  t.notOk(isDue(more, 0, 500, 4000 + 5 * minute - 1));
  t.ok(isDue(more, 0, 500, 4000 + 5 * minute));
  const again = seen(tried(more, true, 4000 + 5 * minute), report, 4000 + 6 * minute);
  t.notOk(isDue(again, 0, 500, 4000 + 15 * minute - 1), 'twice as long');
  t.ok(isDue(again, 0, 500, 4000 + 15 * minute));
  t.equal(tried(more, false, 0).failures, 0);
});

async function stageOf(run: (job: ResolverJob, venus: MemoryVenus, fid: Fid) => Promise<ResolverOutcome>) {
  const venus = new MemoryVenus();
  const clock = new SimulatedClock();
  const root = (await venus.lookup(ann, [])).object?.fid;
  if (root === undefined) throw new Error('there is a root');
  const write = async (text: string): Promise<Fid> => {
    const writer = await venus.write(ann);
    await writer.write(Buffer.from(text));
    return (await writer.close({ parent: root, name: 'a.log' })).status.fid;
  };
  const fid = await write('by ann');
  let count = 0;
  const conflict = (text: string): void => {
    count += 1;
    venus.addVersion(fid, { author: 'bob', host: 'g2', time: count, bytes: Buffer.from(text) });
  };
  const jobs: ResolverJob[] = [];
  const store = new MemoryStore({});
  const control = new ResolverSwitch(store);
  const resolvers = new Resolvers({
    venus,
    clock,
    log: silentLog,
    gateway: 'memory',
    rules: [rule('*.log')],
    isOn: () => control.isOn,
    run: (job) => {
      jobs.push(job);
      return run(job, venus, fid);
    },
  });
  const text = async (): Promise<string> => {
    const file = await venus.open(ann, fid);
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.read()) chunks.push(chunk);
    await file.close();
    return Buffer.concat(chunks).toString();
  };
  return { venus, clock, fid, jobs, resolvers, store, control, conflict, write, text };
}

t.test('what it makes takes the place of the versions that it was given, and of no other', async (t) => {
  const { venus, clock, jobs, resolvers, conflict, text } = await stageOf(async ({ versions }) => {
    const parts: Uint8Array[] = [];
    for (const contents of versions) for await (const chunk of contents) parts.push(chunk);
    late();
    return { contents: Buffer.concat(parts) };
  });
  let late = (): void => conflict('not seen');
  conflict(', by bob');
  await clock.advance(3_500);
  t.match(jobs, [{ path: '/a.log' }]);
  t.equal(await text(), 'by ann, by bob');
  t.same(venus.conflicts.count(), { versions: 1 }, 'what came meanwhile is left to decide');
  late = () => undefined;
  await clock.advance(10_000);
  t.equal(await text(), 'by ann, by bobnot seen', 'and decided, as other versions');
  t.same(venus.conflicts.count(), {});
  t.equal(venus.openFiles + venus.openWriters, 0);
  await resolvers.close();
});

t.test('one that fails, or comes too late, changes nothing, and is told', async (t) => {
  let outcome: ResolverOutcome = { failure: 'failed (exit code 1)' };
  let meanwhile = async (): Promise<unknown> => undefined;
  const { venus, clock, fid, jobs, resolvers, conflict, write, text } = await stageOf(async () => {
    await meanwhile();
    return outcome;
  });
  conflict('by bob');
  await clock.advance(minute);
  t.equal(jobs.length, 1, 'once');
  t.equal(resolvers.failureOf(fid), 'merge failed (exit code 1)');
  t.equal(await text(), 'by ann');
  t.same(venus.conflicts.count(), { versions: 1 });

  outcome = { contents: Buffer.from('merged') };
  meanwhile = () => write('newer');
  conflict('by bob again');
  await clock.advance(minute);
  t.equal(jobs.length, 1, 'not so soon');
  await clock.advance(5 * minute);
  t.equal(jobs.length, 2);
  t.equal(await text(), 'newer', 'what somebody has saved meanwhile stays');
  t.match(resolvers.failureOf(fid), /^merge could not be of use: /);
  t.equal(venus.openFiles + venus.openWriters, 0);
  await venus.conflicts.repair(ann, fid, { keepAll: true });
  await clock.advance(2000);
  t.equal(resolvers.failureOf(fid), null, 'it is no conflict any more');
  await resolvers.close();
});

t.test(
  'switched off, none is run, and none that runs is taken; over restarts, until it is on again',
  async (t) => {
    let meanwhile = async (): Promise<void> => undefined;
    const stage = await stageOf(async () => {
      await meanwhile();
      return { contents: Buffer.from('merged') };
    });
    const { venus, clock, fid, jobs, resolvers, store, control, conflict, text } = stage;
    await control.set(false);
    conflict('by bob');
    await clock.advance(minute);
    t.same([jobs.length, await text()], [0, 'by ann']);
    t.equal(new ResolverSwitch(store).isOn, false, 'it is on the disk');

    await control.set(true);
    t.equal(new ResolverSwitch(store).isOn, true);
    meanwhile = () => control.set(false);
    await clock.advance(minute);
    t.same([jobs.length, await text()], [1, 'by ann']);
    t.equal(resolvers.failureOf(fid), 'merge was switched off meanwhile');
    t.equal(resolvers.failures, 1);

    meanwhile = async () => undefined;
    await control.set(true);
    conflict('by bob again');
    await clock.advance(6 * minute);
    t.equal(await text(), 'merged');
    t.same([venus.conflicts.count(), resolvers.failures], [{}, 0]);
    await resolvers.close();
  },
);
