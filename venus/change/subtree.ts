/** The objects of a small tree, bottom up, as a replacing rename removes them. */
import { Failure, limits, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Name } from '../interface.js';
import type { Fetcher } from '../volume/fetch.js';

export interface TreeName {
  readonly parent: Fid;
  readonly name: string;
  readonly status: VnodeStatus;
}

/** `top` and everything below it, members before their directory; undefined when there are more than `bound`. */
export async function subtreeRecords(
  world: { readonly cache: ObjectCache; readonly fetcher: Fetcher },
  where: Name,
  top: CachedObject,
  bound: number,
): Promise<readonly TreeName[] | undefined> {
  const found: TreeName[] = [];
  const visit = async (parent: Fid, name: string, status: VnodeStatus): Promise<boolean> => {
    if (status.kind === 'directory') {
      await world.fetcher.directory(status.fid);
      const entries = [...(world.cache.names(status.fid)?.values() ?? [])];
      if (found.length + entries.length >= bound) return false;
      for (const entry of entries) {
        const child = await world.fetcher.fresh(entry.fid);
        if (!(await visit(status.fid, entry.name, child.status))) return false;
      }
    }
    found.push({ parent, name, status });
    return found.length <= bound;
  };
  return (await visit(where.parent, where.name, top.status)) ? found : undefined;
}

/** What replaces a directory must not go with it. @throws Failure loop */
export function mustNotContain(cache: ObjectCache, replaced: Fid, inside: Fid | null): void {
  if (pathUp(cache, inside).includes(replaced))
    throw loop(replaced, 'a directory cannot be replaced by something that is in it');
}

/**
 * No directory moves below itself. Servers refuse a circle in their transaction, but a
 * log takes it, and so does a server when the author has been answered: then the directory is put into the root.
 * @throws Failure loop
 */
export async function mustBeMovable(
  { cache, fetcher }: { readonly cache: ObjectCache; readonly fetcher: Fetcher },
  moved: Fid,
  target: Fid,
): Promise<void> {
  const above = pathUp(cache, target);
  if (!above.includes(moved)) return;
  // The names on the way to the target were looked up, not where they have gone since.
  await fetcher.freshen(above);
  if (pathUp(cache, target).includes(moved)) throw loop(moved, 'a directory cannot be put into itself');
}

/** `directory` and those above it, as far as they are known here. */
function pathUp(cache: ObjectCache, directory: Fid | null): readonly Fid[] {
  const path: Fid[] = [];
  for (let at = directory; at !== null && path.length <= limits.depth;) {
    path.push(at);
    at = cache.status(at)?.parent ?? null;
  }
  return path;
}

function loop(fid: Fid, message: string): Failure {
  return new Failure('loop', 'venus.rename', message, { fid });
}
