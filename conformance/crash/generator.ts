/** Which change a writer makes next: drawn from a seed and from what its folder holds. */
import { createHash } from 'node:crypto';
import type { Seeded } from './seeded.js';
import { subtree, type Change, type World } from './world.js';

export interface Step {
  readonly change: Change;
  /** Contents of a put. */
  readonly body: Buffer | undefined;
}

const folderNames = ['alpha', 'beta', 'gamma'];
const fileNames = ['one.txt', 'two.bin', 'three with spaces', 'vier-ä', 'five'];
const mostFolders = 4;

/** Draws how many bytes new contents have. */
export type Lengths = (seeded: Seeded) => number;

/** A change that is possible in `world`. */
export function nextStep(world: World, seeded: Seeded, lengths: Lengths = mixedLengths): Step {
  const folders = ['', ...[...world].filter(([, item]) => item.kind === 'folder').map(([path]) => path)];
  const files = [...world].filter(([, item]) => item.kind === 'file').map(([path]) => path);
  const all = [...world.keys()];
  const dice = seeded.fraction();
  if (dice < 0.12 && folders.length <= mostFolders) {
    const path = join(seeded.pick(folders) ?? '', seeded.pick(folderNames) ?? '');
    if (!world.has(path)) return step({ kind: 'mkcol', path });
  }
  if (dice < 0.24 && all.length > 2) return step({ kind: 'delete', path: seeded.pick(all) ?? '' });
  if (dice < 0.44 && all.length > 0) {
    const move = drawMove(world, all, folders, seeded);
    if (move !== undefined) return step(move);
  }
  if (dice < 0.56 && all.length > 0) {
    return step({ kind: 'proppatch', path: seeded.pick(all) ?? '', mark: `m${seeded.below(1_000_000)}` });
  }
  const overwrite = files.length > 0 && seeded.fraction() < 0.5 ? seeded.pick(files) : undefined;
  const path = overwrite ?? join(seeded.pick(folders) ?? '', seeded.pick(fileNames) ?? '');
  return put(path, seeded, lengths);
}

/** New contents for `path`. */
export function put(path: string, seeded: Seeded, lengths: Lengths = mixedLengths): Step {
  const body = seeded.bytes(lengths(seeded));
  const digest = createHash('sha256').update(body).digest('hex');
  return { change: { kind: 'put', path, digest, length: body.length }, body };
}

function step(change: Change): Step {
  return { change, body: undefined };
}

function drawMove(
  world: World,
  all: readonly string[],
  folders: readonly string[],
  seeded: Seeded,
): Change | undefined {
  const path = seeded.pick(all) ?? '';
  const names = world.get(path)?.kind === 'folder' ? folderNames : fileNames;
  const to = join(seeded.pick(folders) ?? '', seeded.pick(names) ?? '');
  const inside = to === path || to.startsWith(`${path}/`) || path.startsWith(`${to}/`);
  // Onto a free name, or a file onto a file.
  const target = world.get(to);
  const fits = target === undefined || (target.kind === 'file' && world.get(path)?.kind === 'file');
  if (inside || !fits || subtree(world, path).length === 0) return undefined;
  return { kind: 'move', path, to };
}

/** Mostly small; now and then several blocks of a container, or nothing at all. */
export function mixedLengths(seeded: Seeded): number {
  const dice = seeded.fraction();
  if (dice < 0.05) return 0;
  if (dice < 0.85) return seeded.below(8 * 1024);
  if (dice < 0.97) return seeded.below(128 * 1024);
  return 256 * 1024 + seeded.below(512 * 1024);
}

/** Each too large to be kept in a row of the store's records: it is a container, flushed by itself. */
export function containerLengths(seeded: Seeded): number {
  return 64 * 1024 + seeded.below(64 * 1024);
}

function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
