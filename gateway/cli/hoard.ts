/** `coda hoard`: what shall be in the cache when no server answers (Coda: hoard). */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { messageOf, OperatorError } from '../config/operator-error.js';
import { callControlDoor } from '../realm/control-door.js';
import { changeSchema, listSchema, type HoardOrder } from '../realm/hoard-orders.js';
import { userOption } from './conflicts.js';
import { chooseGateway, gatewayOption, type GatewayOptions } from './gateway-choice.js';
import { parseImportance, parseProfile, profileLine, usualPriority } from './hoard-profile.js';
import { addVerifyCommand, addWalkCommand, type AddCommand } from './hoard-walk.js';
import { print, table } from './output.js';
import { dataOption } from './status.js';
import { countText, shown } from './words.js';

interface HoardOptions extends GatewayOptions {
  readonly user: string;
  readonly all?: boolean;
}

interface LoadOptions extends HoardOptions {
  readonly mount: string;
}

const help = `
PRIORITY is 1 to 1000, default ${usualPriority}; 1000 stays in the cache whatever comes. After a colon, of a folder:
c its members as they are now, d all that is below it now; c+ and d+ also what will be there at later walks. Paths are
from the root of the share. Each user has entries of his own; the highest priority counts.`;

const listHelp = `
What is printed is a profile: coda hoard load reads it.

JSON: {"gateway", "entries": [{"user", "path", "priority", "attributes"}], "periodic", "lastWalk"}`;

export function addHoardCommand(program: Command): void {
  const hoard = program
    .command('hoard')
    .description('what shall be in the cache of a gateway when no server answers');
  const add = (name: string, description: string, after: string): Command =>
    hoard
      .command(name)
      .description(description)
      .option(...dataOption)
      .option(...gatewayOption)
      .option(...userOption)
      .option('--json', 'print one JSON object')
      .addHelpText('after', after);
  addEntryCommands(add);
  addWalkCommand(add);
  addVerifyCommand(add);
  for (const word of ['on', 'off'] as const) {
    add(
      word,
      `${word === 'on' ? 'walk' : 'do not walk'} by itself every ten minutes`,
      '\nIt stays so, also over restarts.',
    ).action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<HoardOptions>();
      const { folder, name } = await chooseGateway(options);
      const periodic = word === 'on';
      await callControlDoor(folder, 'POST', '/hoard/periodic', { periodic });
      const text = periodic ? 'walks every ten minutes' : 'walks only when it is told to';
      print(options, { gateway: name, periodic }, () => `${name} ${text}.`);
    });
  }
}

function addEntryCommands(add: AddCommand): void {
  add(
    'add <path> [priority]',
    'hoard a file or a folder',
    `${help}\n\nExamples:\n  coda hoard add /docs/plan.txt\n  coda hoard add /projects 100:d+`,
  ).action(async (path: string, importance: string | undefined, _options: unknown, command: Command) => {
    const given =
      importance === undefined
        ? { priority: usualPriority, attributes: '' as const }
        : parseImportance(importance);
    await apply(command.optsWithGlobals<HoardOptions>(), [{ command: 'add', path, ...given }]);
  });
  add('delete <path>', 'take an entry away', '\nExample:\n  coda hoard delete /docs/plan.txt').action(
    async (path: string, _options: unknown, command: Command) => {
      const { removed } = await apply(command.optsWithGlobals<HoardOptions>(), [{ command: 'delete', path }]);
      if (removed > 0) return;
      throw new OperatorError('refused', `${path} is not hoarded. What is: coda hoard list`);
    },
  );
  add('clear', 'take all entries away', '').action(async (_options: unknown, command: Command) => {
    await apply(command.optsWithGlobals<HoardOptions>(), [{ command: 'clear' }]);
  });
  add('list', 'list the entries', listHelp)
    .option('--all', 'of all users')
    .action(async (_options: unknown, command: Command) => {
      await list(command.optsWithGlobals<HoardOptions>());
    });
  add(
    'load <file>',
    'read commands from a profile',
    `
One command a line, as of Coda's hoard: add (a) PATH [PRIORITY[:ATTRIBUTES]], delete (d) PATH, clear (c). Paths with
blanks stand in double quotes; # begins a comment. All of the commands take effect, or none. Profiles name paths as
they are on somebody's machine: the folder given with --mount is left off where a path begins with it.

Example profile:
  a /coda/usr/jjk/papers 100:d+
  a /coda/project/coda/src/venus 100:c+`,
  )
    .option('--mount <folder>', 'where the share was mounted for those who wrote the profile', '/coda')
    .action(async (file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<LoadOptions>();
      const text = await readFile(file, 'utf8').catch((cause: unknown) => {
        throw new OperatorError('usage', `${file} cannot be read: ${messageOf(cause)}`, { cause });
      });
      await apply(options, parseProfile(text, options.mount));
    });
}

async function apply(options: HoardOptions, commands: readonly HoardOrder[]) {
  const { folder, name } = await chooseGateway(options);
  const body = { user: options.user, commands };
  const change = changeSchema.parse(await callControlDoor(folder, 'POST', '/hoard/apply', body));
  const { added, removed } = change;
  if (added + removed === 0 && commands.some(({ command }) => command === 'delete')) return change;
  print(options, { gateway: name, ...change }, () => {
    const parts = [
      ...(added > 0 ? [`${countText(added, 'entry', 'entries')} added or changed`] : []),
      ...(removed > 0 ? [`${countText(removed, 'entry', 'entries')} taken away`] : []),
    ];
    return parts.length === 0 ? 'Nothing to change.' : `${parts.join(', ')} at ${name}.`;
  });
  return change;
}

async function list(options: HoardOptions): Promise<void> {
  const { folder, name } = await chooseGateway(options);
  const user = options.all === true ? null : options.user;
  const reply = listSchema.parse(await callControlDoor(folder, 'POST', '/hoard/list', { user }));
  print(options, { gateway: name, ...reply }, () => {
    const { entries } = reply;
    if (entries.length === 0)
      return `# Nothing is hoarded at ${name}${user === null ? '' : ` for ${shown(user)}`}.`;
    const line = ({ path, priority, attributes }: (typeof entries)[number]): string =>
      shown(profileLine(path, { priority, attributes }));
    if (options.all !== true) return entries.map(line).join('\n');
    return table(entries.map((entry) => [line(entry), `# ${shown(entry.user)}`]));
  });
}
