/** Which version a person means: by name, StoreId, author or gateway, whatever tells it from the others. Pure. */
import { OperatorError } from '../config/operator-error.js';
import type { ConflictOf, VersionOf } from '../realm/conflict-report.js';
import { pathText, versionText } from './conflict-text.js';
import { shown } from './words.js';

/** All that there is to choose from, each once. */
export function choicesOf(conflicts: readonly ConflictOf[]): readonly VersionOf[] {
  const all = conflicts.flatMap(({ versions }) => versions);
  return [...new Map(all.map((version) => [version.storeId, version])).values()];
}

/** @throws OperatorError refused: none, or several are meant */
export function chooseVersion(conflicts: readonly ConflictOf[], text: string): VersionOf {
  const choices = choicesOf(conflicts);
  const wanted = text.normalize('NFC');
  const properties = ['storeId', 'path', 'name', 'author', 'host'] as const;
  for (const property of properties) {
    const meant = choices.filter((version) => version[property]?.normalize('NFC') === wanted);
    const [only, ...others] = meant;
    if (only === undefined) continue;
    if (others.length === 0) return only;
    const problem = `"${shown(text)}" means ${meant.length} versions of ${whatOf(conflicts)}.`;
    throw undecided(problem, conflicts, meant);
  }
  throw undecided(`There is no version "${shown(text)}" of ${whatOf(conflicts)}.`, conflicts, choices);
}

/** In words. Of several places the name alone would not say which is which. */
export function choiceText(conflicts: readonly ConflictOf[], version: VersionOf): string {
  const isPlace = conflicts.some(({ kind }) => kind === 'place');
  return versionText(version, (isPlace ? version.path : null) ?? version.name);
}

function whatOf([conflict]: readonly ConflictOf[]): string {
  return conflict === undefined ? 'it' : shown(pathText(conflict));
}

function undecided(
  problem: string,
  conflicts: readonly ConflictOf[],
  choices: readonly VersionOf[],
): OperatorError {
  const list = choices.map((version) => `  ${version.storeId}  ${choiceText(conflicts, version)}`);
  const advice = 'Give a StoreId, or a name, author or gateway that only one of these has:';
  return new OperatorError('refused', [`${problem} ${advice}`, ...list].join('\n'));
}
