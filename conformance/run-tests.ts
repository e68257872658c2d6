/**
 * `npm test [-- PATTERN ...]`: runs the compiled tests with tap, says what each file came to, and ends with
 * `tests: N passed, N failed, N skipped`.
 *
 * A PATTERN is a part of a test file's path (`npm test -- clients/litmus`); without one, all run. Test files
 * are found by their sources, so that what an earlier build left in dist/ does not run. The exit code is 0
 * only when at least one test ran, none failed, and tap itself ended well.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const root = resolve(import.meta.dirname, '../..');
const rooms = ['conformance', 'gateway', 'venus', 'vice'];
const quietMs = 60_000;
/** They are as long as there is time (`elastic` in test-scale.ts), so they come last: tap sorts what it is given. */
const elasticFiles = ['power-cut/power-cut.test.js', 'simulation/fresh-seeds.test.js'];

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

const nothing: Counts = { passed: 0, failed: 0, skipped: 0 };

/** Compiled test files whose path contains one of `patterns`, relative to the project's root. */
function testFiles(patterns: readonly string[]): string[] {
  const sources = rooms.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((path) => join(room, path)),
  );
  return sources
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
    .map((path) => join('dist', path.replace(/\.ts$/, '.js')))
    .sort();
}

/** tap's own last line, such as `# { total: 7, pass: 4, fail: 1, skip: 1 }`; zeros are left out of it. */
function parseCounts(line: string): Counts | undefined {
  if (!/^# \{ total: \d+.*\}$/.test(line)) return undefined;
  const count = (word: string): number => Number(new RegExp(`\\b${word}: (\\d+)`).exec(line)?.[1] ?? 0);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') };
}

/** Turns tap's stream into one line per file, and all that matters of a file in which something failed. */
class Progress {
  /** Of all of tap's runs so far. */
  counts: Counts | undefined;
  #block: string[] = [];
  /** Inside what tap says about a failed file after its line: how its process ended. */
  #diagnosis = false;
  #done = 0;
  #quiet: NodeJS.Timeout;
  readonly #total: number;
  readonly #started = performance.now();

  constructor(total: number) {
    this.#total = total;
    this.#quiet = this.#watch();
  }

  take(line: string): void {
    const counts = parseCounts(line);
    if (counts !== undefined) {
      const { passed, failed, skipped } = this.counts ?? nothing;
      this.counts = {
        passed: passed + counts.passed,
        failed: failed + counts.failed,
        skipped: skipped + counts.skipped,
      };
      return;
    }
    if (this.#diagnose(line)) return;
    const result = /^(ok|not ok) \d+ - (.*?)(?: # time=(\S+))?(?: \{)?$/.exec(line);
    if (result === null) {
      this.#block.push(line);
      return;
    }
    this.#done += 1;
    const [, outcome = '', name = '', time = ''] = result;
    console.log(`[${this.#done}/${this.#total}] ${outcome} ${name} ${time}`);
    for (const skip of this.#block.filter((entry) => / # SKIP/i.test(entry))) {
      console.log(
        `      skipped: ${skip
          .trim()
          .replace(/^ok \d+ - /, '')
          .replace(/# SKIP/i, '-')}`,
      );
    }
    if (outcome !== 'ok') for (const entry of this.#block.filter(matters)) console.log(`      ${entry}`);
    this.#block = [];
    this.#quiet.refresh();
  }

  /** What came after the last whole file: of use only when tap itself failed. */
  end(): void {
    clearInterval(this.#quiet);
    for (const line of this.#block.filter(matters)) console.log(line);
  }

  #diagnose(line: string): boolean {
    if (line === '  ---') this.#diagnosis = true;
    if (!this.#diagnosis) return false;
    if (line === '  ...') this.#diagnosis = false;
    if (/^ {2}(exitCode: [^0n]|signal: [^n]|expired|timeout|failure|message)/.test(line))
      console.log(`    ${line}`);
    return true;
  }

  #watch(): NodeJS.Timeout {
    return setInterval(() => {
      const seconds = Math.round((performance.now() - this.#started) / 1000);
      console.log(`      ... ${this.#done} of ${this.#total} files after ${seconds} s`);
    }, quietMs);
  }
}

const noise = /^\s*$|^\s+ok \d+|^\s*(# Subtest|1\.\.\d+|TAP version|# No coverage)/;

/** Of a failed file, everything but its passed assertions and tap's own framing. */
function matters(line: string): boolean {
  return !noise.test(line);
}

async function runAll(files: readonly string[]): Promise<{ code: number; counts: Counts | undefined }> {
  const isElastic = (file: string): boolean => elasticFiles.some((path) => file.endsWith(path));
  const progress = new Progress(files.length);
  let code = 0;
  for (const some of [files.filter((file) => !isElastic(file)), files.filter(isElastic)])
    if (some.length > 0) code = (await runTap(some, progress)) || code;
  progress.end();
  return { code, counts: progress.counts };
}

async function runTap(files: readonly string[], progress: Progress): Promise<number> {
  const tap = join(root, 'node_modules/tap/dist/esm/run.mjs');
  const tapArguments = ['run', '--reporter=tap', '--disable-coverage', '--jobs=2', ...files];
  const child = spawn(process.execPath, [tap, ...tapArguments], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const stop = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.once('SIGINT', stop).once('SIGTERM', stop);

  const lines = createInterface({ input: child.stdout, crlfDelay: Infinity });
  lines.on('line', (line) => progress.take(line));
  return new Promise<number>((settle) => {
    child.once('error', () => settle(127));
    child.once('close', (status) => settle(status ?? 1));
  });
}

async function main(): Promise<number> {
  const patterns = process.argv.slice(2);
  const files = testFiles(patterns);
  const unbuilt = files.filter((file) => !existsSync(join(root, file)));
  if (files.length === 0) console.log(`no test file's path contains ${patterns.join(' or ')}`);
  for (const file of unbuilt) console.log(`${file} is missing: run \`npm run build\` first`);
  if (files.length === 0 || unbuilt.length > 0) {
    console.log(`tests: 0 passed, ${Math.max(1, unbuilt.length)} failed, 0 skipped`);
    return 1;
  }

  const started = performance.now();
  const { code, counts = nothing } = await runAll(files);
  console.log(`${files.length} files took ${Math.round((performance.now() - started) / 1000)} s`);
  const ran = counts.passed + counts.skipped > 0;
  const good = code === 0 && counts.failed === 0 && ran;
  if (code !== 0 && counts.failed === 0) console.log(`tap ended with exit code ${code}`);
  if (!ran) console.log('no test ran');
  const failed = good ? 0 : Math.max(1, counts.failed);
  console.log(`tests: ${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`);
  return good ? 0 : 1;
}

process.exitCode = await main();
