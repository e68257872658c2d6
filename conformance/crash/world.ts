/**
 * The oracle's model: what one folder holds, and what one change makes of it. Values only.
 *
 * A writer works alone in its folder, one change after the other, so the folder's state after acknowledged
 * changes is known exactly. A change without an answer (the process died) leaves two possible worlds: with it
 * and without it.
 */

export interface Item {
  readonly kind: 'file' | 'folder';
  /** SHA-256 of the contents in hexadecimal digits; '' for folders. */
  readonly digest: string;
  /** The dead property that PROPPATCH sets; '' if it never was. */
  readonly mark: string;
}

/** Path from the writer's folder (without a slash at its ends) -> item. The folder itself is not in it. */
export type World = ReadonlyMap<string, Item>;

export type Change =
  | { readonly kind: 'put'; readonly path: string; readonly digest: string; readonly length: number }
  | { readonly kind: 'mkcol'; readonly path: string }
  | { readonly kind: 'delete'; readonly path: string }
  | { readonly kind: 'move'; readonly path: string; readonly to: string }
  | { readonly kind: 'proppatch'; readonly path: string; readonly mark: string };

export const emptyWorld: World = new Map();

/** The world after `change`, which must be possible in `world`. Moving onto an existing name replaces it. */
export function apply(world: World, change: Change): World {
  const next = new Map(world);
  const { path } = change;
  const old = world.get(path);
  switch (change.kind) {
    case 'put':
      // Dead properties belong to the object: new contents leave them alone.
      return next.set(path, { kind: 'file', digest: change.digest, mark: old?.mark ?? '' });
    case 'mkcol':
      return next.set(path, { kind: 'folder', digest: '', mark: '' });
    case 'delete':
      for (const member of subtree(world, path)) next.delete(member);
      return next;
    case 'proppatch':
      return old === undefined ? next : next.set(path, { ...old, mark: change.mark });
    case 'move': {
      for (const member of subtree(world, change.to)) next.delete(member);
      for (const member of subtree(world, path)) next.delete(member);
      for (const member of subtree(world, path)) {
        const item = world.get(member);
        if (item !== undefined) next.set(change.to + member.slice(path.length), item);
      }
      return next;
    }
  }
}

/** `path` and everything below it, as far as they exist. */
export function subtree(world: World, path: string): string[] {
  return [...world.keys()].filter((member) => member === path || member.startsWith(`${path}/`));
}

/** One sentence for each difference, at most five; none if they are equal. */
export function compare(expected: World, got: World): string[] {
  const faults: string[] = [];
  for (const path of new Set([...expected.keys(), ...got.keys()])) {
    const wanted = expected.get(path);
    const there = got.get(path);
    if (wanted === undefined) faults.push(`${path} should not be there`);
    else if (there === undefined) faults.push(`${path} (a ${wanted.kind}) is missing`);
    else if (wanted.kind !== there.kind) faults.push(`${path} is a ${there.kind}, not a ${wanted.kind}`);
    else if (wanted.digest !== there.digest)
      faults.push(`${path} holds other bytes (${short(there)}, not ${short(wanted)})`);
    else if (wanted.mark !== there.mark)
      faults.push(`${path} has the property "${there.mark}", not "${wanted.mark}"`);
    if (faults.length === 5) break;
  }
  return faults;
}

function short(item: Item): string {
  return item.digest.slice(0, 12);
}
