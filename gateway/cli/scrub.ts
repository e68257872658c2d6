/** `coda scrub`: has servers check all that they hold, and shows what is wrong and could not be healed. */
import type { Command } from 'commander';
import { sleep } from '../../vice/seam/clock.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import type { Administration } from '../administration/administration.js';
import { OperatorError } from '../config/operator-error.js';
import { print, progress } from './output.js';
import { keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { progressText, scrubLines, type ServerScrub } from './scrub-text.js';
import { dataOption } from './status.js';
import { unknownName } from './unknown-name.js';

interface ScrubOptions extends RealmOptions {
  readonly wait?: boolean;
}

const lookMs = 500;

const help = `
Each server reads every container and every record that it holds, checks them against their digests and against the
other replicas, and heals what it can: contents and records are fetched from a server that has them whole, damaged
bytes are set aside. It does so by itself every week, at a gentle pace ("scrub" in the configuration of a server); this
command begins a pass now. It goes on at the servers if the command ends.

JSON: {"servers": [{"server", "scrub": {"running", "startedAt", "endedAt", "dueAt", "phase", "objects", "containers",
                    "bytes", "allObjects", "allBytes", "bytesPerSecond", "healed", "open",
                    "findings": [{"fault", "volume", "fid", "path", "digest", "peer", "since", "reason", "advice"}]}}]}
"scrub" is missing for a server that does not answer. Times are milliseconds since 1970, or null.

The exit code is 1 when something is wrong that could not be healed; without --wait only what is known so far counts.

Examples:
  coda scrub --wait
  coda scrub s1 s2
  coda scrub status --json`;

export function addScrubCommand(program: Command): void {
  const scrub = program
    .command('scrub')
    .description('check all that servers hold, heal what can be healed')
    .argument('[servers...]', 'names of servers (default: all)')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--wait', 'wait until it is done, and show how far it is')
    .option('--json', 'print one JSON object')
    .addHelpText('after', help)
    .action(async (names: string[], _options: unknown, command: Command) => {
      await run(command.optsWithGlobals<ScrubOptions>(), names, true);
    });
  scrub
    .command('status')
    .description('how far servers are, and what is wrong and could not be healed')
    .argument('[servers...]', 'names of servers (default: all)')
    .action(async (names: string[], _options: unknown, command: Command) => {
      await run(command.optsWithGlobals<ScrubOptions>(), names, false);
    });
}

async function run(options: ScrubOptions, names: readonly string[], begins: boolean): Promise<void> {
  await withRealm(options, async (administration) => {
    const servers = await chosen(administration, names);
    let scrubs = await askAll(administration, servers, begins);
    if (options.wait === true) scrubs = await watch(administration, scrubs);
    print(options, { servers: scrubs }, () => {
      return scrubs.flatMap((each) => scrubLines(each, Date.now())).join('\n');
    });
    const silent = scrubs.filter(({ scrub }) => scrub === undefined).map(({ server }) => server);
    const open = scrubs.reduce((sum, { scrub }) => sum + (scrub?.open ?? 0), 0);
    if (open > 0)
      throw new OperatorError('unhealed', `${open} faults could not be healed; they are listed above`);
    if (silent.length > 0) throw new OperatorError('unreachable', `no answer of ${silent.join(', ')}`);
  });
}

/** @throws OperatorError refused */
async function chosen(administration: Administration, names: readonly string[]): Promise<readonly string[]> {
  const known = (await administration.document()).servers.map(({ name }) => name);
  for (const name of names) if (!known.includes(name)) throw unknownName('server', name, known);
  return names.length === 0 ? known : names;
}

function askAll(
  administration: Administration,
  servers: readonly string[],
  start: boolean,
): Promise<readonly ServerScrub[]> {
  return Promise.all(
    servers.map(async (server) => ({ server, scrub: await administration.scrub(server, start) })),
  );
}

/** One line that is written anew on a terminal; else a line whenever a server comes to another phase. */
async function watch(
  administration: Administration,
  begun: readonly ServerScrub[],
): Promise<readonly ServerScrub[]> {
  const clock = systemClock();
  const servers = begun.map(({ server }) => server);
  let told = '';
  let scrubs = begun;
  for (; scrubs.some(({ scrub }) => scrub?.running === true);) {
    const line = scrubs.map(progressText).join('; ');
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`);
    else {
      const what = scrubs.map(({ server, scrub }) => `${server} ${scrub?.phase ?? ''}`).join();
      if (what !== told) progress(line);
      told = what;
    }
    await sleep(clock, lookMs);
    scrubs = await askAll(administration, servers, false);
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  return scrubs;
}
