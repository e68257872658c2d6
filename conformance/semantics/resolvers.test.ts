/** Files changed apart, decided by commands; and then, in the same realm, by who was last. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { z } from 'zod';
import { until } from '../program.js';
import { Realm } from '../realm.js';
import { read, succeed } from './exchange.js';
import { RealmStage, untilDrained, untilVolume } from './stage.js';

t.setTimeout(600_000);

const listed = z.array(z.object({ path: z.string(), resolver: z.string().nullable() }));
/** The answer to `coda resolvers status`. */
const failed = z.looseObject({ failures: z.number() });

/** By the ending of a file's name: a script with OUTPUT PATH VERSION... */
const scripts = {
  log: 'output=$1; shift 2; sort -u "$@" > "$output"',
  bad: 'echo "it is all wrong" >&2; exit 1',
  hang: 'sleep 600',
  big: 'exec head -c 1000000000 /dev/zero > "$1"',
};

t.test('with resolvers, then where the last writer wins', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'coda-rules-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const rules = [];
  for (const [ending, script] of Object.entries(scripts)) {
    const file = join(folder, `${ending}.sh`);
    await writeFile(file, `${script}\n`);
    const timeLimitMs = ending === 'hang' ? 1_000 : 20_000;
    rules.push({ match: `*.${ending}`, command: ['/bin/sh', file], timeLimitMs, outputBytes: 100_000 });
  }
  const rulesFile = join(folder, 'rules.json');
  await writeFile(rulesFile, JSON.stringify({ format: 1, rules }));
  const data = join(folder, 'realm');
  let stage = await RealmStage.open('killed', { data, options: ['--resolvers', rulesFile] });
  t.teardown(() => stage.close());

  const names = Object.keys(scripts).map((ending) => `/file.${ending}`);
  const [g1, g2] = [stage.client('g1'), stage.client('g2')];
  for (const name of names) await succeed(g1, 'PUT', name, 'line\n');
  await until('g2 to show them', 60_000, async () => {
    const texts = await Promise.all(names.map((name) => read(g2, name)));
    return texts.every((text) => text === 'line\n') ? true : undefined;
  });
  await stage.coda('disconnect', '--gateway', 'g1');
  await untilVolume(stage, 'g1', 'that it is disconnected', ({ avsg }) => avsg.length === 0);
  for (const name of names) await succeed(g1, 'PUT', name, 'line\nby g1\n');
  for (const name of names) await succeed(g2, 'PUT', name, 'line\nby g2\n');
  await stage.coda('reconnect', '--gateway', 'g1');
  await untilDrained(stage);

  await until('both gateways to show the union', 120_000, async () => {
    const texts = await Promise.all([g1, g2].map((client) => read(client, '/file.log')));
    return texts.every((text) => text === 'by g1\nby g2\nline\n') ? true : undefined;
  });
  const failures = await until('the others to have failed', 120_000, async () => {
    const conflicts = listed.parse(JSON.parse(await stage.coda('conflicts', '--json', '--gateway', 'g2')));
    const done = conflicts.every(({ resolver }) => resolver !== null);
    return conflicts.length === 3 && done
      ? new Map(conflicts.map((one) => [one.path, one.resolver]))
      : undefined;
  });
  t.match(failures.get('/file.bad'), /failed \(exit code 1\): it is all wrong$/);
  t.match(failures.get('/file.hang'), /did not end within 1 s$/);
  t.match(failures.get('/file.big'), /made too much output|SIGXFSZ|exit code/);
  t.match(await stage.coda('conflicts', '--gateway', 'g2'), /resolver: \/bin\/sh failed .*it is all wrong/);
  for (const name of names.slice(1)) t.equal(await read(g2, name), 'line\nby g2\n', `${name} is as it was`);

  await switchAtRunTime(t, stage, names);
  await stage.close();

  stage = new RealmStage(
    await Realm.start({ data, gateways: 2, options: ['--conflicts', 'last-writer-wins'] }),
    'killed',
  );
  await untilDrained(stage);
  for (const gateway of ['g1', 'g2'] as const) {
    const client = stage.client(gateway);
    t.equal((await client.list('/')).length, names.length, 'one file for each name');
    for (const name of names.slice(1)) t.equal(await read(client, name), 'line\nby g2\n');
    t.equal((await stage.coda('conflicts', '--json', '--gateway', gateway)).trim(), '[]');
    const overwritten = await stage.coda('conflicts', '--overwritten', '--json', '--gateway', gateway);
    t.equal(listed.parse(JSON.parse(overwritten)).length, 3);
  }
  const folders = (await stage.client('g1').list('/.coda/overwritten/')).map(String);
  t.match(folders.sort().join(' '), /file\.bad.*file\.big.*file\.hang/);
});

/** Nothing is restarted, and nobody waits for a restart. */
async function switchAtRunTime(t: Test, stage: RealmStage, names: readonly string[]): Promise<void> {
  const both = ['g1', 'g2'] as const;
  const policy = async (...words: string[]): Promise<unknown> =>
    JSON.parse(await stage.coda('volume', 'policy', 'root', ...words, '--json'));
  const untilNames = (what: string, count: number): Promise<true> =>
    until(what, 60_000, async () => {
      const lists = await Promise.all(both.map((gateway) => stage.client(gateway).list('/')));
      return lists.every((list) => list.length === count) ? true : undefined;
    });
  t.match(await policy(), { volume: 'root', policy: 'keep' });
  await untilNames('the versions beside their files', names.length + 3);
  t.match(await policy('last-writer-wins'), { policy: 'last-writer-wins', changed: true });
  await untilNames('one file for each name', names.length);
  t.match(await policy(), { policy: 'last-writer-wins' });
  t.match(await policy('keep'), { policy: 'keep' });
  await untilNames('the versions again', names.length + 3);

  const resolvers = async (word: string): Promise<unknown> =>
    JSON.parse(await stage.coda('resolvers', word, '--json', '--gateway', 'g2'));
  // Where the last writer won nothing was to be resolved for a moment: then all is tried anew.
  const status = await until('what failed to have failed again', 120_000, async () => {
    const { failures, ...rest } = failed.parse(await resolvers('status'));
    return failures === 3 ? rest : undefined;
  });
  t.match(status, { gateway: 'g2', on: true });
  t.match(await resolvers('off'), { on: false });
  t.match(await stage.coda('resolvers', 'status', '--gateway', 'g2'), /^g2: resolvers are off/);
  t.match(await resolvers('on'), { on: true });
}
