/** `coda realm login-time`: how long a login is good when no server renews it. */
import type { Command } from 'commander';
import { lifetimeOf, tokenLife } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { print } from './output.js';
import { keyOption, realmOption, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { durationText } from './words.js';

const units: Readonly<Record<string, number>> = { min: 60, h: 3600, d: 86_400 };

export function addLoginTimeCommand(realm: Command): void {
  realm
    .command('login-time [time]')
    .description('how long a login is good while no server can be asked: show it, or change it')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', 'print one JSON object: {"seconds", "changed"}')
    .addHelpText(
      'after',
      `
TIME is a number with min, h or d, from 1min to 90d, or "usual" (${durationText(tokenLife.usual)}).
It holds at once, also for those who have logged in already. While servers can be asked a login is renewed by itself,
and ends at once when the password is changed or the user disabled.

Examples:
  coda realm login-time --realm office
  coda realm login-time 8h --realm office
  coda realm login-time usual --realm office`,
    )
    .action(async (time: string | undefined, _options: unknown, command: Command) => {
      await run(time, command.optsWithGlobals<RealmOptions>());
    });
}

async function run(time: string | undefined, options: RealmOptions): Promise<void> {
  const seconds = time === undefined ? undefined : secondsOf(time);
  const report = await withRealm(options, async (administration) => {
    const changed =
      seconds !== undefined && (await administration.publish({ change: 'set-login-time', seconds }));
    const { people } = await administration.document();
    return { seconds: lifetimeOf(people) / 1000, changed };
  });
  const since = seconds === undefined ? '' : ' from now on';
  print(options, report, () => `a login is good for ${durationText(report.seconds * 1000)}${since}`);
}

/** @throws OperatorError usage */
function secondsOf(time: string): number | null {
  if (time === 'usual') return null;
  const [, count = '', unit = ''] = /^(\d{1,6}) ?(min|h|d)$/.exec(time) ?? [];
  const seconds = Number(count) * (units[unit] ?? NaN);
  if (seconds * 1000 >= tokenLife.least && seconds * 1000 <= tokenLife.most) return seconds;
  throw new OperatorError(
    'usage',
    `"${time}" is no time of a login: as 30min, 8h or 7d, from 1min to 90d, or usual.`,
  );
}
