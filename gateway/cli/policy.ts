/** `coda volume policy`: what becomes of files that were changed apart, in a whole volume. */
import type { Command } from 'commander';
import { conflictPolicies, type ConflictPolicy } from '../../vice/interface/index.js';
import { OperatorError } from '../config/operator-error.js';
import { print } from './output.js';
import { keyOption, realmOption, volumeNamed, withRealm, type RealmOptions } from './realm-choice.js';
import { dataOption } from './status.js';
import { shown } from './words.js';

export function addPolicyCommand(volume: Command): void {
  volume
    .command('policy <volume> [policy]')
    .description('what becomes of files that were changed apart: show it, or change it')
    .option(...dataOption)
    .option(...realmOption)
    .option(...keyOption)
    .option('--json', 'print one JSON object: {"volume", "policy", "changed"}')
    .addHelpText(
      'after',
      `
POLICY is "keep" (all versions are seen, and a person decides) or "last-writer-wins" (the version saved last is
seen; the others can be had back from .coda/). It holds at once, on all gateways, and over restarts. Nothing is lost by
changing it: what is hidden with the one is there again with the other.

Examples:
  coda volume policy root
  coda volume policy root last-writer-wins`,
    )
    .action(async (name: string, policy: string | undefined, _options: unknown, command: Command) => {
      await run(command.optsWithGlobals<RealmOptions>(), name, policy);
    });
}

async function run(options: RealmOptions, name: string, policy: string | undefined): Promise<void> {
  if (policy !== undefined && !isPolicy(policy)) {
    throw new OperatorError('usage', `"${policy}" is no policy. There are: ${conflictPolicies.join(', ')}.`);
  }
  const report = await withRealm(options, async (administration) => {
    const { id } = volumeNamed(await administration.document(), name);
    const changed =
      policy !== undefined &&
      (await administration.publish({ change: 'set-policy', volume: id, conflicts: policy }));
    const { conflicts = 'keep' } = volumeNamed(administration.known, id);
    return { volume: name, policy: conflicts, changed };
  });
  const since = policy === undefined ? '' : ' from now on';
  print(options, report, () => `volume ${shown(name)}: ${report.policy}${since}`);
}

function isPolicy(text: string): text is ConflictPolicy {
  return conflictPolicies.some((each) => each === text);
}
