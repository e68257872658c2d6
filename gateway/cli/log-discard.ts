/**
 * `coda log discard`: gives changes up (Coda: cfs discardlocal, purgeml), after an archive of them is on the disk.
 *
 * LD-1  Nothing is discarded before an archive that holds it is finished, flushed and has its name.
 * LD-2  A change takes along those that build on it, which are later ones of its volume: so these are archived too.
 */
import { join, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { z } from 'zod';
import { commandName, shellQuoted } from '../config/command-name.js';
import { OperatorError } from '../config/operator-error.js';
import { callControlDoor } from '../realm/control-door.js';
import { makeFolder } from '../realm/data-folder.js';
import type { Change } from '../realm/pending-change.js';
import { requireNew } from './archive-file.js';
import { changesText } from './change-text.js';
import { isMeant, mustBeAskable } from './confirmation.js';
import { chooseGateway, gatewayOption, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { saveArchive } from './log-archive.js';
import { print, progress } from './output.js';
import { dataOption } from './status.js';
import { countText } from './words.js';

interface DiscardOptions extends GatewayOptions {
  readonly all?: boolean;
  readonly kept?: boolean;
  readonly yes?: boolean;
  readonly archive?: string;
}

const resultSchema = z.object({ discarded: z.array(z.number().int()) });
/** Changes that the question shows. */
const shown = 20;

export function addDiscardCommand(
  log: Command,
  readChanges: (gateway: ChosenGateway) => Promise<readonly Change[]>,
): void {
  log
    .command('discard')
    .argument('[number...]', 'numbers of changes, as `coda log` lists them', sequenceNumbers)
    .description('give changes up, after writing an archive of them')
    .option(...dataOption)
    .option(...gatewayOption)
    .option('--all', 'all changes')
    .option('--kept', 'those that the servers refused')
    .option('--archive <file>', "where the archive goes (default: a new file in the gateway's data folder)")
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object: {"gateway", "discarded": [number], "archive"}')
    .addHelpText(
      'after',
      `
A change takes along those that build on it. \`coda log restore ARCHIVE\` makes them anew.

Examples:
  coda log discard 17 18
  coda log discard --kept --yes
  coda log discard --all --archive given-up.tar`,
    )
    .action(async (numbers: readonly number[], _options: unknown, command: Command) => {
      await discard(numbers, command.optsWithGlobals<DiscardOptions>(), readChanges);
    });
}

async function discard(
  numbers: readonly number[],
  options: DiscardOptions,
  readChanges: (gateway: ChosenGateway) => Promise<readonly Change[]>,
): Promise<void> {
  const wishes = [numbers.length > 0, options.all === true, options.kept === true];
  if (wishes.filter(Boolean).length !== 1) {
    throw new OperatorError('usage', 'Say what to give up: numbers from `coda log`, or --all, or --kept.');
  }
  mustBeAskable(options);
  const gateway = await chooseGateway(options);
  const changes = await readChanges(gateway);
  const chosen = choose(changes, numbers, options);
  if (chosen.length === 0) {
    print(
      options,
      { gateway: gateway.name, discarded: [], archive: null },
      () => 'There is nothing to give up.',
    );
    return;
  }
  const archive = options.archive ?? (await ownArchive(gateway));
  await requireNew(archive, false);
  if (options.yes !== true && !(await confirmed(chosen))) {
    throw new OperatorError('refused', 'Nothing was given up.');
  }
  const saved = withLater(changes, chosen);
  await saveArchive(gateway, archive, saved, false);
  const sequences = chosen.map(({ sequence }) => sequence);
  const order = callControlDoor(gateway.folder, 'POST', '/log/discard', { sequences }).catch(
    (error: unknown) => {
      progress(`the archive is written to ${archive}`);
      throw error;
    },
  );
  const { discarded } = resultSchema.parse(await order);
  // Only a change that was made while this command ran.
  const unsaved = discarded.filter((sequence) => !saved.includes(sequence));
  if (unsaved.length > 0)
    progress(`given up with them, made meanwhile, not in the archive: ${unsaved.join(', ')}`);
  print(options, { gateway: gateway.name, discarded, archive: resolve(archive) }, () => {
    const restore = `${commandName()} log restore ${shellQuoted(archive)} --gateway ${gateway.name}`;
    return `${countText(discarded.length, 'change')} given up. To make them anew: ${restore}`;
  });
}

/** @throws OperatorError refused: there is no such change */
function choose(
  changes: readonly Change[],
  numbers: readonly number[],
  options: DiscardOptions,
): readonly Change[] {
  if (options.all === true) return changes;
  if (options.kept === true) return changes.filter(({ state }) => state === 'kept');
  const known = new Map(changes.map((change) => [change.sequence, change]));
  return [...new Set(numbers)].map((number) => {
    const change = known.get(number);
    if (change !== undefined) return change;
    throw new OperatorError('refused', `There is no change ${number}. \`${commandName()} log\` lists them.`);
  });
}

/** The numbers of `chosen`, and of all that may build on them (LD-2). */
function withLater(changes: readonly Change[], chosen: readonly Change[]): readonly number[] {
  const first = new Map<string, number>();
  const numbers = new Set(chosen.map(({ sequence }) => sequence));
  for (const { volume, sequence, state } of chosen) {
    if (state !== 'kept') first.set(volume, Math.min(first.get(volume) ?? Infinity, sequence));
  }
  const isLater = ({ volume, sequence, state }: Change): boolean =>
    state !== 'kept' && sequence > (first.get(volume) ?? Infinity);
  return changes
    .filter((change) => numbers.has(change.sequence) || isLater(change))
    .map(({ sequence }) => sequence);
}

async function ownArchive({ folder }: ChosenGateway): Promise<string> {
  const place = join(folder, 'discarded');
  await makeFolder(place);
  return join(place, `${new Date().toISOString().replaceAll(':', '.')}.tar`);
}

async function confirmed(chosen: readonly Change[]): Promise<boolean> {
  const more = chosen.length > shown ? `\n... and ${chosen.length - shown} more` : '';
  progress(`${changesText(chosen.slice(0, shown))}${more}\n`);
  return isMeant(`Give up ${countText(chosen.length, 'change')}, and those that build on them?`);
}

function sequenceNumbers(text: string, before: readonly number[] | undefined): readonly number[] {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new InvalidArgumentError('It must be a number from `coda log`.');
  }
  return [...(before ?? []), number];
}
