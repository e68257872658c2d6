/** Conflicts in words. Pure. */
import type { ConflictOf, VersionOf } from '../realm/conflict-report.js';
import { bytesText, table } from './output.js';
import { countText, shown, timeText } from './words.js';

/** What `coda conflicts --json` prints of each; a stable shape. What cannot be named has its Fid for a path. */
export function plainConflict(conflict: ConflictOf): object {
  const versions = conflict.versions.map(({ name, path, author, host, time, size, storeId }) => {
    return { name, path, author, host, time, size, storeId };
  });
  return { path: pathText(conflict), kind: conflict.kind, versions, resolver: conflict.resolver };
}

/** How `coda repair` is told which object is meant. */
export function pathText({ path, fid }: ConflictOf): string {
  return path ?? fid;
}

/** Of all kinds; a version beside a file is no conflict of its own. */
export function conflictCount(counts: Readonly<Record<string, number>>): number {
  return Object.entries(counts).reduce((sum, [kind, count]) => sum + (kind === 'sibling' ? 0 : count), 0);
}

export function conflictsText(conflicts: readonly ConflictOf[]): string {
  return conflicts.map(conflictText).join('\n\n');
}

/** "/docs/plan.txt: 3 versions", and below it what there is to choose from. */
export function conflictText(conflict: ConflictOf): string {
  return [
    headText(conflict),
    ...(conflict.resolver === null ? [] : [`  resolver: ${shown(conflict.resolver)}`]),
    ...versionsText(conflict)
      .split('\n')
      .map((line) => `  ${line}`),
  ].join('\n');
}

export function headText(conflict: ConflictOf): string {
  const { kind, versions, path } = conflict;
  const where = path === null ? ' (it cannot be named: a folder above it cannot be reached)' : '';
  const what = `${shown(pathText(conflict))}${where}`;
  switch (kind) {
    case 'versions':
      return `${what}: ${countText(versions.length, 'version')}, made apart`;
    case 'name':
      return `${what}: another object keeps the name that it was given`;
    case 'removal':
      return `${what}: removed by somebody who did not know of this change`;
    case 'protection':
      return `${what}: its access list was set to different ones, apart; the stricter holds`;
    case 'place':
      return `${what}: moved to ${countText(versions.length, 'place')}, apart`;
  }
}

/** What there is to choose from. Of several places the name alone would not say which is which. */
export function versionsText({ kind, versions }: ConflictOf): string {
  return table(
    versions.map((version) => [
      shown(kind === 'place' ? (version.path ?? `${version.name} (in a folder that is gone)`) : version.name),
      shown(version.author),
      shown(version.host),
      timeText(version.time),
      bytesText(version.size),
      version.storeId,
    ]),
  );
}

/** "plan.txt, by ann at g1, 2026-01-02 03:04:05"; of several places `what` is the path. */
export function versionText({ name, author, host, time }: VersionOf, what = name): string {
  return `${shown(what)}, by ${shown(author)} at ${shown(host)}, ${timeText(time)}`;
}
