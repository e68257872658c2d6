/** From what was opened to a profile that would have had it there. Pure. */
import { profileLine, type Importance } from './hoard-profile.js';

/** So many files of one folder, and the folder is meant. */
const filesOfFolder = 3;
/** So many of such folders beside each other, and what they are in is meant. */
const foldersOfTree = 3;

interface Proposal extends Importance {
  readonly path: string;
}

/** Lines of a profile, for paths from the root of the share, each as often as it was opened. */
export function proposedProfile(opened: readonly string[], priority: number): readonly string[] {
  const files = new Set(opened);
  const folders = byParent(files, filesOfFolder);
  const trees = byParent(new Set(folders.keys()), foldersOfTree);
  // The root would be everything.
  trees.delete('/');
  const isIn = (path: string, all: ReadonlyMap<string, unknown>): boolean => all.has(parentOf(path));
  const proposals: Proposal[] = [
    ...[...trees.keys()].map((path): Proposal => ({ path, priority, attributes: 'd+' })),
    ...[...folders.keys()]
      .filter((path) => !isIn(path, trees))
      .map((path): Proposal => ({ path, priority, attributes: 'c+' })),
    ...[...files]
      .filter((path) => !isIn(path, folders))
      .map((path): Proposal => ({ path, priority, attributes: '' })),
  ];
  const isCovered = (path: string): boolean => [...trees.keys()].some((tree) => path.startsWith(`${tree}/`));
  return proposals
    .filter(({ path }) => !isCovered(path))
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map((proposal) => profileLine(proposal.path, proposal));
}

/** The parents of at least `least` of `paths`. */
function byParent(paths: ReadonlySet<string>, least: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const path of paths) counts.set(parentOf(path), (counts.get(parentOf(path)) ?? 0) + 1);
  return new Map([...counts].filter(([, count]) => count >= least));
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}
