/**
 * litmus, the WebDAV protocol test suite: all five programs pass, without a warning, and again when no server is left.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { run, skipWithout } from '../program.js';
import { Realm } from '../realm.js';

const suites = ['basic', 'copymove', 'props', 'locks', 'http'];

t.setTimeout(600_000);

t.test('litmus, with all servers and then with none', { skip: skipWithout('litmus') }, async (t) => {
  const realm = await Realm.start();
  // litmus writes its trace, debug.log, where it is started.
  const folder = await mkdtemp(join(tmpdir(), 'coda-litmus-'));
  t.teardown(async () => {
    await realm.stop();
    await rm(folder, { recursive: true, force: true });
  });
  for (const suite of suites) await t.test(suite, (t) => passes(t, realm, folder, suite));
  for (const { name } of realm.ready.servers) await realm.coda('servers', 'stop', name);
  for (const suite of suites) await t.test(`${suite}, disconnected`, (t) => passes(t, realm, folder, suite));
});

async function passes(t: Test, { ready }: Realm, folder: string, suite: string): Promise<void> {
  const { code, output, seconds } = await run('litmus', [ready.url, ready.user, ready.password], {
    cwd: folder,
    env: { TESTS: suite },
    timeoutMs: 120_000,
  });
  const lines = output.split(/[\r\n]+/);
  const faults = lines.filter((line) => /\bFAIL\b|WARNING|^ERROR/.test(line));
  for (const line of faults) t.fail(line.trim());
  t.equal(code, 0, `${suite} passes`);
  const summary = /summary for `\w+': of (\d+) tests run: (\d+) passed/.exec(output);
  t.ok(Number(summary?.[1]) > 0, `${suite} ran tests`);
  t.equal(summary?.[2], summary?.[1], `${suite}: ${summary?.[0] ?? 'no summary'}`);
  t.comment(`litmus ${suite}: ${seconds.toFixed(1)} s`);
  if (code !== 0) t.comment(output);
}
