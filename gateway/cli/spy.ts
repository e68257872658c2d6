/** `coda spy`: what is opened, and the profile that would have had it in the cache (Coda: spy). */
import type { Command } from 'commander';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { OperatorError } from '../config/operator-error.js';
import { downloadFromDoor } from '../realm/control-door.js';
import { openedSchema } from '../realm/hoard-orders.js';
import { chooseGateway, gatewayOption, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { linesOf } from './json-lines.js';
import { print, progress } from './output.js';
import { proposedProfile } from './profile-proposal.js';
import { dataOption } from './status.js';
import { shown } from './words.js';

interface SpyOptions extends GatewayOptions {
  readonly user?: string;
  readonly seconds?: string;
  readonly priority: string;
}

export function addSpyCommand(program: Command): void {
  program
    .command('spy')
    .description('record what is opened through a gateway, and propose what to hoard')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--user <name>', 'only what this user opens (default: everybody)')
    .option('--seconds <n>', 'stop after so long (default: until Ctrl-C)')
    .option('--priority <n>', 'of the proposed entries', '100')
    .option('--json', 'print one JSON object: {"gateway", "opened": {PATH: TIMES}, "profile": [LINE]}')
    .addHelpText(
      'after',
      `
Work as you would on the journey. Each path is told on stderr when it is first opened; at the end the profile is printed
on stdout. Three files of one folder propose the folder (c+), three such folders what they are in (d+).

Examples:
  coda spy --seconds 600 > journey.hoard
  coda hoard load journey.hoard`,
    )
    .action(async (_options: unknown, command: Command) => {
      await spy(command.optsWithGlobals<SpyOptions>());
    });
}

async function spy(options: SpyOptions): Promise<void> {
  const seconds = options.seconds === undefined ? undefined : numberIn(options.seconds, 'seconds', 1, 1e7);
  const priority = numberIn(options.priority, 'a priority', 1, 1000);
  const gateway = await chooseGateway(options);
  const opened = await record(gateway, options.user ?? null, seconds);
  const profile = proposedProfile([...opened.keys()], priority);
  print(options, { gateway: gateway.name, opened: Object.fromEntries(opened), profile }, () =>
    profile.length === 0 ? '# Nothing was opened.' : profile.map(shown).join('\n'),
  );
}

/** Path -> how often it was opened, until the time is over or Ctrl-C. */
async function record(
  { folder, name }: ChosenGateway,
  user: string | null,
  seconds: number | undefined,
): Promise<ReadonlyMap<string, number>> {
  const clock = systemClock();
  const opened = new Map<string, number>();
  const lines = linesOf(await downloadFromDoor(folder, '/hoard/spy', { user }, clock), openedSchema);
  progress(`Recording what is opened at ${name}; Ctrl-C ends it.`);
  let stop: () => void = () => undefined;
  const stopped = new Promise<undefined>((resolve) => (stop = () => resolve(undefined)));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  if (seconds !== undefined) clock.after(seconds * 1000, stop);
  for (;;) {
    const next = await Promise.race([lines.next(), stopped]);
    if (next === undefined || next.done === true) break;
    const { path } = next.value;
    if (path === undefined || path === null) continue;
    if (!opened.has(path)) progress(shown(path));
    opened.set(path, (opened.get(path) ?? 0) + 1);
  }
  return opened;
}

function numberIn(text: string, what: string, least: number, most: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= least && number <= most) return number;
  throw new OperatorError('usage', `"${text}" is not ${what}: give a whole number from ${least} to ${most}.`);
}
