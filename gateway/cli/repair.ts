/** `coda repair`: what a person has decided about an object in conflict (Coda: cfs beginrepair, repair). */
import { createReadStream } from 'node:fs';
import { z } from 'zod';
import type { Command } from 'commander';
import { commandName, shellQuoted } from '../config/command-name.js';
import { messageOf, OperatorError, systemCode } from '../config/operator-error.js';
import { conflictsSchema, type ConflictOf } from '../realm/conflict-report.js';
import { callControlDoor, uploadToDoor } from '../realm/control-door.js';
import { ByteProgress } from './archive-file.js';
import { comparisonText, lookAt, plainLooked } from './conflict-compare.js';
import { pathText, versionText } from './conflict-text.js';
import { userOption } from './conflicts.js';
import { chooseGateway, gatewayOption, type ChosenGateway, type GatewayOptions } from './gateway-choice.js';
import { bytesText, print } from './output.js';
import { dataOption } from './status.js';
import { choicesOf, choiceText, chooseVersion } from './version-choice.js';
import { countText, shown } from './words.js';

interface RepairOptions extends GatewayOptions {
  readonly user: string;
  readonly keep?: string;
  readonly giveUp?: string;
  readonly with?: string;
  readonly keepAll?: boolean;
  readonly compare?: boolean;
}

const mergedSchema = z.object({ storeId: z.string(), size: z.number() });
/** Columns of a terminal that does not say how many it has. */
const usualWidth = 160;

export function addRepairCommand(program: Command): void {
  program
    .command('repair <path>')
    .description('decide about an object in conflict, or see what differs')
    .option(...dataOption)
    .option(...gatewayOption)
    .option(...userOption)
    .option('--compare', 'change nothing: show what the versions are and what differs')
    .option('--keep <version>', 'this version stays, the others are given up')
    .option('--give-up <version>', 'this version is given up, the others stay as they are')
    .option('--with <file>', 'the contents of this file, as merged by you, take the place of all versions')
    .option('--keep-all', 'all stay: each other version becomes a file of its own')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `
PATH is from the root of the share, as \`coda conflicts\` prints it: of the object, or of one of its versions.
VERSION is a StoreId, or a path, name, author or gateway that only one of the versions has.
It works while servers are away, too: the decision waits like any other change.

JSON: {"gateway", "path", "kept": [name], "givenUp": [name]}; with --compare {"gateway", "path", "kinds",
       "versions": [{"name", "path", "author", "host", "time", "size", "storeId", "kind", "sha256", "holds"}]}

Examples:
  coda repair /docs/plan.txt --compare
  coda repair /docs/plan.txt --keep bob
  coda repair /docs/plan.txt --keep 'plan (conflict bob g2 2026-01-02 10.15.00).txt'
  coda repair /docs/plan.txt --give-up carol
  coda repair /docs/plan.txt --with merged.txt
  coda repair /docs/plan.txt --keep-all`,
    )
    .action(async (path: string, _options: unknown, command: Command) => {
      await repair(path, command.optsWithGlobals<RepairOptions>());
    });
}

async function repair(path: string, options: RepairOptions): Promise<void> {
  const { user, keep, giveUp, with: file, keepAll, compare } = options;
  const wishes = [keep, giveUp, file, keepAll, compare].filter((wish) => wish !== undefined);
  if (wishes.length !== 1) {
    const ways = '--compare, --keep VERSION, --give-up VERSION, --with FILE or --keep-all';
    throw new OperatorError('usage', `Say what to do, one of ${ways}.`);
  }
  const gateway = await chooseGateway(options);
  const conflicts = await conflictsOf(gateway, user, path);
  if (compare === true) return showDifferences(gateway, conflicts, options);
  if (file !== undefined) return replaceAll(gateway, conflicts, file, options);
  if (giveUp !== undefined) return giveUpOne(gateway, conflicts, giveUp, options);
  await decide(gateway, conflicts, options);
}

/** Those of the object at `path`, at least one. @throws OperatorError refused */
async function conflictsOf(
  { folder, name }: ChosenGateway,
  user: string,
  path: string,
): Promise<readonly ConflictOf[]> {
  const reply = await callControlDoor(folder, 'POST', '/conflicts/of', { user, path });
  const { conflicts } = conflictsSchema.parse(reply);
  if (conflicts.length > 0) return conflicts;
  const list = `${commandName()} conflicts --gateway ${name}`;
  throw new OperatorError('refused', `${path} is not in conflict. What is, is listed by: ${list}`);
}

async function showDifferences(
  gateway: ChosenGateway,
  conflicts: readonly ConflictOf[],
  options: RepairOptions,
): Promise<void> {
  const looked = await lookAt(gateway, options.user, conflicts);
  const kinds = conflicts.map(({ kind }) => kind);
  const result = { gateway: gateway.name, path: pathOf(conflicts), kinds, versions: looked.map(plainLooked) };
  print(options, result, () => comparisonText(conflicts, looked, process.stdout.columns ?? usualWidth));
}

async function decide(
  gateway: ChosenGateway,
  conflicts: readonly ConflictOf[],
  options: RepairOptions,
): Promise<void> {
  const { user, keep } = options;
  const choices = choicesOf(conflicts);
  const kept = keep === undefined ? null : chooseVersion(conflicts, keep);
  const among = conflicts.flatMap(({ versions }) => versions.map(({ storeId }) => storeId));
  const decision = kept === null ? { keepAll: true } : { keep: kept.storeId, among };
  await callControlDoor(gateway.folder, 'POST', '/conflicts/repair', orderOf(conflicts, user, decision));
  const names = (kept === null ? choices : [kept]).map(({ name }) => name);
  const isChoice = kept !== null && conflicts.some(({ kind }) => kind === 'versions');
  const givenUp = isChoice ? choices.filter((version) => version !== kept).map(({ name }) => name) : [];
  const path = pathOf(conflicts);
  print(options, { gateway: gateway.name, path, kept: names, givenUp }, () => {
    if (kept === null) return `${shown(path)}: all are kept, as they are seen.`;
    return `${shown(path)} is now: ${choiceText(conflicts, kept)}.${givenUpText(givenUp.length)}`;
  });
}

async function giveUpOne(
  gateway: ChosenGateway,
  conflicts: readonly ConflictOf[],
  text: string,
  options: RepairOptions,
): Promise<void> {
  const versions = conflicts.filter(({ kind }) => kind === 'versions');
  if (versions.length === 0) {
    const advice = 'Decide with --keep VERSION or --keep-all.';
    throw new OperatorError('refused', `${pathOf(conflicts)} is no file with several versions. ${advice}`);
  }
  const given = chooseVersion(versions, text);
  const order = orderOf(conflicts, options.user, { giveUp: given.storeId });
  await callControlDoor(gateway.folder, 'POST', '/conflicts/repair', order);
  const kept = choicesOf(versions).filter((version) => version !== given);
  const [path, names] = [pathOf(conflicts), kept.map(({ name }) => name)];
  print(options, { gateway: gateway.name, path, kept: names, givenUp: [given.name] }, () => {
    const left = countText(kept.length, 'version');
    return `${versionText(given)}, was given up. ${left} of ${shown(path)} ${kept.length === 1 ? 'is' : 'are'} left.`;
  });
}

function orderOf([conflict]: readonly ConflictOf[], user: string, decision: object): object {
  return { user, fid: conflict?.fid, decision };
}

async function replaceAll(
  gateway: ChosenGateway,
  conflicts: readonly ConflictOf[],
  file: string,
  options: RepairOptions,
): Promise<void> {
  const conflict = conflicts.find(({ kind }) => kind === 'versions');
  const [shownVersion] = conflict?.versions ?? [];
  const path = conflict?.path ?? null;
  if (conflict === undefined || shownVersion === undefined || path === null) {
    const why = conflict === undefined ? 'is no file with several versions' : 'has no name to store it under';
    const advice = 'Decide with --keep VERSION or --keep-all.';
    throw new OperatorError('refused', `${pathOf(conflicts)} ${why}. ${advice}`);
  }
  const progress = new ByteProgress('sent');
  const among = conflict.versions.map(({ storeId }) => storeId).join(',');
  const query = new URLSearchParams({ user: options.user, path, shown: shownVersion.storeId, among });
  const contents = progress.count(contentsOf(file));
  const reply = await uploadToDoor(gateway.folder, `/conflicts/merge?${query.toString()}`, contents);
  const { size } = mergedSchema.parse(reply);
  const givenUp = conflict.versions.map(({ name }) => name);
  print(options, { gateway: gateway.name, path, kept: [], givenUp }, () => {
    const what = `${shown(path)} has the contents of ${shellQuoted(file)} now (${bytesText(size)}).`;
    return `${what}${givenUpText(givenUp.length)}`;
  });
}

/** @throws OperatorError usage: it cannot be read */
async function* contentsOf(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
  } catch (cause) {
    const why = systemCode(cause) === 'ENOENT' ? 'does not exist' : `cannot be read: ${messageOf(cause)}`;
    throw new OperatorError('usage', `${file} ${why}. Nothing was changed.`, { cause });
  }
}

function pathOf([conflict]: readonly ConflictOf[]): string {
  return conflict === undefined ? '' : pathText(conflict);
}

function givenUpText(count: number): string {
  if (count === 0) return '';
  return ` ${countText(count, 'version')} ${count === 1 ? 'was' : 'were'} given up.`;
}
