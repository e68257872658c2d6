/** `coda conflicts`: what people must decide about in the realm. */
import type { Command } from 'commander';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { commandName } from '../config/command-name.js';
import { conflictSchema, type ConflictOf } from '../realm/conflict-report.js';
import { downloadFromDoor } from '../realm/control-door.js';
import { conflictsText, plainConflict } from './conflict-text.js';
import { chooseGateway, gatewayOption, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { readLines } from './json-lines.js';
import { print } from './output.js';
import { ownName } from './own-name.js';
import { dataOption } from './status.js';
import { countText } from './words.js';

export const userOption = ['--user <name>', 'in whose name', ownName()] as const;

interface ConflictsOptions extends GatewayOptions {
  readonly user: string;
  readonly overwritten?: boolean;
}

export function addConflictsCommand(program: Command): void {
  program
    .command('conflicts')
    .description('list what people must decide about: files changed apart, names given twice ...')
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--overwritten', 'files whose other versions nobody sees, where the last writer wins')
    .option('--json', 'print one JSON array')
    .addHelpText(
      'after',
      `
Kinds: versions (a file was changed apart: each version is a file beside the name), name (two new objects were
given one name), removal (removed by somebody who did not know of a change), place (moved to several places),
protection (a folder's access list was set to different ones).

JSON: [{"path", "kind", "versions": [{"name", "path", "author", "host", "time", "size", "storeId"}], "resolver"}]
"path" is from the root of the share, or the object's Fid where no path leads to it; "time" is milliseconds
since 1970; the version that is seen under the name comes first. A version's "path" is where it is seen, or where
it was moved to (place); null where that folder is gone. "resolver": which one failed for it, and why; else null.

Examples:
  coda conflicts
  coda conflicts --gateway g2 --json
  coda conflicts --overwritten
  coda repair /docs/plan.txt --compare`,
    )
    .action(async (_options: unknown, command: Command) => {
      await list(command.optsWithGlobals<ConflictsOptions>());
    });
}

async function list(options: ConflictsOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const conflicts = await readConflicts(gateway, options);
  if (options.overwritten === true) return printOverwritten(gateway, conflicts, options);
  print(options, conflicts.map(plainConflict), () => {
    if (conflicts.length === 0) return `There are no conflicts at ${gateway.name}.`;
    const repair = `${commandName()} repair PATH --gateway ${gateway.name}`;
    const advice = `To see what differs: ${repair} --compare. To decide: --keep, --with or --keep-all.`;
    return [conflictsText(conflicts), `${countText(conflicts.length, 'conflict')}. ${advice}`].join('\n\n');
  });
}

function printOverwritten(
  { name }: ChosenGateway,
  files: readonly ConflictOf[],
  options: ConflictsOptions,
): void {
  print(options, files.map(plainConflict), () => {
    if (files.length === 0) return `Nothing was overwritten by somebody who had not seen it, at ${name}.`;
    const repair = `${commandName()} repair PATH --gateway ${name}`;
    const advice = `The first version is the one that is seen. To bring another one back: ${repair} --keep VERSION.`;
    return [conflictsText(files), `${countText(files.length, 'file')}. ${advice}`].join('\n\n');
  });
}

async function readConflicts(
  { folder }: ChosenGateway,
  { user, overwritten }: ConflictsOptions,
): Promise<readonly ConflictOf[]> {
  const order = overwritten === true ? '/conflicts/overwritten' : '/conflicts/list';
  const bytes = await downloadFromDoor(folder, order, { user }, systemClock());
  return readLines(bytes, conflictSchema);
}
