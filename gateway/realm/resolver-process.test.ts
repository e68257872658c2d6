/** Resolvers as real processes: well behaved ones, and all that the others do. */
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { rulesSchema } from '../resolver/rules.js';
import type { ResolverOutcome } from '../resolver/resolver-run.js';
import { resolverProcesses } from './resolver-process.js';

t.setTimeout(120_000);

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text.slice(0, 3));
  yield Buffer.from(text.slice(3));
}

/** Runs `script` by the shell for two versions. */
async function outcomeOf(
  t: Test,
  script: string,
  limits: object = {},
  signal = new AbortController().signal,
): Promise<ResolverOutcome> {
  const folder = t.testdir({});
  chmodSync(folder, 0o755);
  const file = join(folder, 'resolver.sh');
  writeFileSync(file, script, { mode: 0o755 });
  const command = ['/bin/sh', file, 'an argument'];
  const [rule] = rulesSchema.parse({ format: 1, rules: [{ match: '*', command, ...limits }] }).rules;
  if (rule === undefined) throw new Error('it was made');
  const path = '/docs/a; rm -rf $HOME.log';
  const versions = [bytes('one\ntwo\n'), bytes('two\nthree\n')];
  return resolverProcesses(systemClock())({ rule, path, versions, signal });
}

function textOf(outcome: ResolverOutcome): string {
  return 'contents' in outcome ? Buffer.from(outcome.contents).toString() : `failure: ${outcome.failure}`;
}

const left = (): number => readdirSync(tmpdir()).filter((name) => name.startsWith('coda-resolver-')).length;

t.test('it is given an argument, an output, the path and all versions, and nothing of ours', async (t) => {
  process.env['A_SECRET'] = 'secret';
  const before = left();
  const script = `
    echo "$1 $3 $A_SECRET $(pwd | sed 's/-[^-]*$//') $(ls -ld . | cut -c1-10)" > "$2"
    cat "$4" "$5" | sort -u >> "$2"`;
  const lines = textOf(await outcomeOf(t, script))
    .trim()
    .split('\n');
  t.match(lines[0], /^an argument \/docs\/a; rm -rf \$HOME\.log {2}\S*\/coda-resolver drwx------$/);
  t.same(lines.slice(1).sort(), ['one', 'three', 'two']);
  t.equal(left(), before, 'its folder is gone');
  if (process.getuid?.() === 0) t.equal(textOf(await outcomeOf(t, 'id -u > "$2"')), '65534\n', 'not as root');
});

t.test('one that fails, makes nothing, or something that is no file', async (t) => {
  const said = textOf(await outcomeOf(t, 'echo half > "$2"; echo "no idea" >&2; exit 3'));
  t.equal(said, 'failure: failed (exit code 3): no idea');
  t.equal(textOf(await outcomeOf(t, 'exit 0')), 'failure: made no output');
  t.equal(textOf(await outcomeOf(t, 'ln -s /etc/passwd "$2"')), 'failure: made no output');
  t.match(textOf(await outcomeOf(t, 'kill -9 $$')), /failure: failed \(SIGKILL\)/);
});

t.test('one that hangs is killed, with all that it has started', async (t) => {
  const limits = { timeLimitMs: 500 };
  const script = '(sleep 600; echo late > "$2") & wait';
  t.equal(textOf(await outcomeOf(t, script, limits)), 'failure: did not end within 0.5 s');
  const ended = textOf(await outcomeOf(t, 'sleep 600', {}, AbortSignal.timeout(100)));
  t.equal(ended, 'failure: was ended with the gateway');
  const orphan = 'echo done > "$2"; sleep 600 >&2 & exit 0';
  t.equal(textOf(await outcomeOf(t, orphan)), 'done\n', 'nor is anybody waited for');
});

t.test('one that writes too much is stopped', async (t) => {
  const limits = { outputBytes: 1024 };
  t.match(textOf(await outcomeOf(t, 'exec head -c 100000000 /dev/zero > "$2"', limits)), /^failure: /);
  t.equal(textOf(await outcomeOf(t, 'head -c 1024 /dev/zero > "$2"', limits)).length, 1024);
});
