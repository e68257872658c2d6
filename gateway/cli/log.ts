/** `coda log`: what waits in a gateway's log, and what the servers refused (Coda: cfs listlocal). */
import type { Command } from 'commander';
import { commandName } from '../config/command-name.js';
import { pendingChangeSchema, type Change } from '../realm/pending-change.js';
import { downloadFromDoor } from '../realm/control-door.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { changesText, summaryText } from './change-text.js';
import { chooseGateway, gatewayOption, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { readLines } from './json-lines.js';
import { addCheckpointCommand, addRestoreCommand } from './log-archive.js';
import { addDiscardCommand } from './log-discard.js';
import { print } from './output.js';
import { dataOption } from './status.js';

export function addLogCommand(program: Command): void {
  const log = program
    .command('log')
    .description('list the changes that wait for servers, archive, restore or give them up')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--json', 'print one JSON object: {"gateway", "changes": [...]}')
    .addHelpText(
      'after',
      `
States: pending (on this gateway only), sent (not yet known to be on enough servers), kept (refused by the
servers for good, or its volume has been deleted; contents and all are here until you restore them elsewhere
or give them up).

JSON: {"gateway", "changes": [{"sequence", "volume", "author", "time", "state", "reason",
       "records": [{"op", "fid", "version", "path", "length", "digest"}]}]}

Examples:
  coda log
  coda log --gateway g2 --json
  coda log checkpoint changes.tar
  coda log restore changes.tar
  coda log discard 17 18`,
    )
    .action(async (_options: unknown, command: Command) => {
      await list(command.optsWithGlobals<GatewayOptions>());
    });
  addCheckpointCommand(log);
  addRestoreCommand(log);
  addDiscardCommand(log, readChanges);
}

async function list(options: GatewayOptions): Promise<void> {
  const gateway = await chooseGateway(options);
  const changes = await readChanges(gateway);
  print(options, { gateway: gateway.name, changes }, () => {
    if (changes.length === 0) return `Nothing waits at ${gateway.name}.`;
    const kept = changes.some(({ state }) => state === 'kept');
    const own = `--gateway ${gateway.name}`;
    const log = `${commandName()} log`;
    const save = `Save kept ones with: ${log} checkpoint FILE ${own}`;
    const advice = `${save}; give them up with: ${log} discard --kept ${own}`;
    const parts = [changesText(changes), `${summaryText(changes)} at ${gateway.name}.`];
    return [...parts, ...(kept ? [advice] : [])].join('\n\n');
  });
}

async function readChanges({ folder }: ChosenGateway): Promise<readonly Change[]> {
  const bytes = await downloadFromDoor(folder, '/log/changes', {}, systemClock());
  return readLines(bytes, pendingChangeSchema);
}
