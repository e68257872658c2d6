/** `coda cache`: what is cached, why it would stay or go, and how much may be (Coda: cfs listcache). */
import type { Command } from 'commander';
import type { z } from 'zod';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { callControlDoor, downloadFromDoor } from '../realm/control-door.js';
import { cachedSchema, cacheStateSchema, type CachedOf } from '../realm/hoard-orders.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { readLines } from './json-lines.js';
import { bytesText, print, table } from './output.js';
import { parseSize } from './size.js';
import { dataOption } from './status.js';
import { countText, shown } from './words.js';

interface CacheOptions extends GatewayOptions {
  readonly all?: boolean;
}

type State = z.infer<typeof cacheStateSchema>;

/** Files that are shown of those that would go first. */
const shownFirst = 20;

export function addCacheCommand(program: Command): void {
  const cache = program
    .command('cache')
    .description('what is in the cache of a gateway, what would go first, how much may be there')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--all', `all files, not only the ${shownFirst} that would go first`)
    .option('--json', 'print one JSON object, with all files')
    .addHelpText(
      'after',
      `
A file's priority is 25 times how recently it was used (0 to 1000) and 75 times its hoard priority (0 to 1000). When
room is needed the lowest goes first, and only for something of a higher one. A file that was opened once counts little
until it is opened again later. What is open, waits in the log, or is hoarded at 1000 stays.

JSON: {"gateway", "limitBytes", "bytes", "diskBytes", "files": [{"path", "length", "priority", "hoard", "stay"}]}
"stay" is open, logged, sticky or null; "path" is null where the contents belong to no file any more.

Examples:
  coda cache
  coda cache limit 20G
  coda cache limit default`,
    )
    .action(async (_options: unknown, command: Command) => {
      await show(command.optsWithGlobals<CacheOptions>());
    });
  cache
    .command('limit <size>')
    .description('how much of the disk the cache may fill, from now on; "default": as it is configured')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--json', 'print one JSON object: {"gateway", "limitBytes", "bytes", "files", "diskBytes"}')
    .addHelpText(
      'after',
      '\nIt stays so, also over restarts. What is too much goes at once, the lowest priority first.',
    )
    .action(async (size: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CacheOptions>();
      const bytes = size === 'default' ? null : parseSize(size);
      const { folder, name } = await chooseGateway(options);
      const state = cacheStateSchema.parse(await callControlDoor(folder, 'POST', '/cache/limit', { bytes }));
      print(options, { gateway: name, ...state }, () => summary(name, state));
    });
}

async function show(options: CacheOptions): Promise<void> {
  const { folder, name } = await chooseGateway(options);
  const state = cacheStateSchema.parse(await callControlDoor(folder, 'POST', '/cache/state', {}));
  const files = await readLines(
    await downloadFromDoor(folder, '/cache/contents', {}, systemClock()),
    cachedSchema,
  );
  const { limitBytes, bytes, diskBytes } = state;
  print(options, { gateway: name, limitBytes, bytes, diskBytes, files }, () => {
    if (files.length === 0) return summary(name, state);
    const told = options.all === true ? files : files.slice(0, shownFirst);
    const more = files.length - told.length;
    return [
      summary(name, state),
      table(kinds(files)),
      `${options.all === true ? 'All files, what would go first first' : 'What would go first'}:`,
      table(told.map(row)),
      ...(more > 0 ? [`and ${countText(more, 'more file')} (--all)`] : []),
    ].join('\n');
  });
}

function summary(gateway: string, { limitBytes, bytes, files, diskBytes }: State): string {
  const held = `${gateway} caches ${countText(files, 'file')}, ${bytesText(bytes)} of at most ${bytesText(limitBytes)}`;
  return `${held}; the disk has ${bytesText(diskBytes)} left.`;
}

/** Why something stays or goes, in the order of what stays longest. */
const why: readonly { readonly text: string; readonly is: (file: CachedOf) => boolean }[] = [
  { text: 'in use now: stays', is: ({ stay }) => stay === 'open' },
  { text: 'waits to be sent, or is kept in the log: stays', is: ({ stay }) => stay === 'logged' },
  { text: 'hoarded at 1000: stays', is: ({ stay }) => stay === 'sticky' },
  { text: 'hoarded', is: ({ hoard }) => hoard > 0 },
  { text: 'used again and again', is: ({ priority }) => priority > 725 },
  { text: 'used once, or long ago', is: () => true },
];

function kindOf(file: CachedOf): string {
  return why.find(({ is }) => is(file))?.text ?? '';
}

function kinds(files: readonly CachedOf[]): readonly (readonly string[])[] {
  const rows = why.map(({ text }) => {
    const some = files.filter((file) => kindOf(file) === text);
    const bytes = some.reduce((sum, { length }) => sum + length, 0);
    return { count: some.length, cells: [`  ${text}`, countText(some.length, 'file'), bytesText(bytes)] };
  });
  return rows.filter(({ count }) => count > 0).map(({ cells }) => cells);
}

function row(file: CachedOf): readonly string[] {
  const hoarded = file.hoard > 0 ? ` (hoarded ${file.hoard})` : '';
  const name = file.path === null ? '(no file has it any more)' : shown(file.path);
  return [
    `  ${name}`,
    bytesText(file.length),
    file.stay ?? String(file.priority),
    `${kindOf(file)}${hoarded}`,
  ];
}
