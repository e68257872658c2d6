/** `coda volume`: what holds for a whole volume of the realm. */
import type { Command } from 'commander';
import { conflictPolicies, type ConflictPolicy } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { callControlDoor } from '../realm/control-door.js';
import { defaultDataFolder } from '../realm/data-folder.js';
import { policySchema, type PolicyOf } from '../realm/volume-policies.js';
import { print } from './output.js';
import { dataOption, type FolderOptions } from './status.js';

export function addVolumeCommand(program: Command): void {
  const volume = program.command('volume').description('what holds for a whole volume');
  volume
    .command('policy <volume> [policy]')
    .description('what becomes of files that were changed apart: show it, or change it')
    .option(...dataOption)
    .option('--json', 'print one JSON object: {"volume", "policy", "servers"}')
    .addHelpText(
      'after',
      `
POLICY is "keep" (all versions are seen, and a person decides) or "last-writer-wins" (the version saved last is
seen; the others can be had back from .coda/). It holds at once, on all gateways, and over restarts. Nothing is lost by
changing it: what is hidden with the one is there again with the other.

--data is the folder of a realm that \`coda up\` runs. "servers" are those that have it already; the others
hear of it from them, or when they start.

Examples:
  coda volume policy root
  coda volume policy root last-writer-wins`,
    )
    .action(async (name: string, policy: string | undefined, _options: unknown, command: Command) => {
      await run(command.optsWithGlobals<FolderOptions>(), name, policy);
    });
}

async function run(options: FolderOptions, volume: string, policy: string | undefined): Promise<void> {
  if (policy !== undefined && !isPolicy(policy)) {
    throw new OperatorError('usage', `"${policy}" is no policy. There are: ${conflictPolicies.join(', ')}.`);
  }
  const order = { volume, ...(policy !== undefined && { policy }) };
  const folder = options.data ?? defaultDataFolder();
  const reply = policySchema.parse(await callControlDoor(folder, 'POST', '/volumes/policy', order));
  print(options, reply, () => textOf(reply, policy !== undefined));
}

function isPolicy(text: string): text is ConflictPolicy {
  return conflictPolicies.some((each) => each === text);
}

function textOf({ volume, policy, servers }: PolicyOf, isChanged: boolean): string {
  if (!isChanged) return `volume ${volume}: ${policy}`;
  const who = servers.length === 0 ? 'no server runs: they hear of it when they start' : servers.join(', ');
  return `volume ${volume}: ${policy} from now on (${who})`;
}
