/** `coda hoard walk` and `coda hoard verify`: fetching what is hoarded, and what is missing. */
import type { Command } from 'commander';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { downloadFromDoor } from '../realm/control-door.js';
import {
  missingSchema,
  walkLineSchema,
  type MissingOf,
  type ProgressOf,
  type WalkedOf,
} from '../realm/hoard-orders.js';
import { chooseGateway, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { linesOf, readLines } from './json-lines.js';
import { bytesText, print, progress, table } from './output.js';
import { countText, durationText, shown } from './words.js';

interface WalkOptions extends GatewayOptions {
  readonly user: string;
  readonly all?: boolean;
}

/** A command below `coda hoard`, with the options that all of them take. */
export type AddCommand = (name: string, description: string, after: string) => Command;

const reasons: Readonly<Record<MissingOf['reason'], string>> = {
  'not-found': 'there is no such object',
  'access-denied': 'the user may not read it',
  'no-room': 'no room: the cache is full of what is worth more (coda cache)',
  unreachable: 'no server answers, and it was not in the cache',
  failed: 'it could not be fetched (the log of the gateway says why)',
  'not-walked': 'it came up after the last walk',
};

export function addWalkCommand(add: AddCommand): void {
  add(
    'walk',
    'fetch what is hoarded, now, and wait for it',
    `
The gateway does this by itself every ten minutes (coda hoard on), and soon after something hoarded has changed. Users
go first. What cannot be cached is listed at the end, as coda hoard verify does; that is no failure.

JSON: {"gateway", "objects", "bytes", "fetchedObjects", "fetchedBytes", "missing": [...]}

Example, before a journey:
  coda hoard walk && coda disconnect`,
  ).action(async (_options: unknown, command: Command) => {
    const options = command.optsWithGlobals<WalkOptions>();
    const gateway = await chooseGateway(options);
    const walked = await walk(gateway);
    const missing = await readMissing(gateway, options.user);
    print(options, { gateway: gateway.name, ...walked, missing }, () =>
      [walkedText(gateway.name, walked), ...(missing.length === 0 ? [] : [missingText(missing)])].join(
        '\n\n',
      ),
    );
  });
}

export function addVerifyCommand(add: AddCommand): void {
  add(
    'verify',
    'list what is hoarded and not cached, and why',
    '\nJSON: {"gateway", "missing": [{"user", "path", "priority", "length", "reason"}]}',
  )
    .option('--all', 'of all users')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<WalkOptions>();
      const gateway = await chooseGateway(options);
      const missing = await readMissing(gateway, options.all === true ? null : options.user);
      print(options, { gateway: gateway.name, missing }, () =>
        missing.length === 0 ? `All that is hoarded is cached at ${gateway.name}.` : missingText(missing),
      );
    });
}

async function walk({ folder, name }: ChosenGateway): Promise<WalkedOf> {
  const bytes = await downloadFromDoor(folder, '/hoard/walk', {}, systemClock());
  let walked: WalkedOf | undefined;
  let said = '';
  for await (const line of linesOf(bytes, walkLineSchema)) {
    if ('walked' in line) walked = line.walked;
    const text = 'progress' in line && line.progress !== null ? progressText(name, line.progress) : said;
    if (text !== said) progress((said = text));
  }
  if (walked === undefined) throw new Error('the walk ended without saying what it came to');
  return walked;
}

export function progressText(gateway: string, walk: ProgressOf): string {
  const { phase, objects, doneObjects, bytes, doneBytes, left } = walk;
  if (phase === 'status') return `${gateway}: looking at what is hoarded`;
  const time = left === null ? '' : `, ${durationText(left)} left`;
  return `${gateway}: ${doneObjects} of ${objects} objects, ${bytesText(doneBytes)} of ${bytesText(bytes)}${time}`;
}

async function readMissing({ folder }: ChosenGateway, user: string | null): Promise<readonly MissingOf[]> {
  return readLines(await downloadFromDoor(folder, '/hoard/verify', { user }, systemClock()), missingSchema);
}

function walkedText(gateway: string, walked: WalkedOf): string {
  const all = `${countText(walked.objects, 'object')} (${bytesText(walked.bytes)}) are hoarded at ${gateway}`;
  const came = `${countText(walked.fetchedObjects, 'file')} (${bytesText(walked.fetchedBytes)}) came in this walk`;
  const missing =
    walked.missing === 0 ? 'nothing is missing' : `${countText(walked.missing, 'file')} could not be cached`;
  return `${all}; ${came}; ${missing}.`;
}

function missingText(missing: readonly MissingOf[]): string {
  const rows = missing.map(({ path, priority, length, reason }) => {
    return [shown(path), String(priority), length === 0 ? '' : bytesText(length), reasons[reason]];
  });
  return `Not cached:\n${table(rows)}`;
}
