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
  for (let at = inside, depth = 0; at !== null && depth <= limits.depth; depth += 1) {
    if (at === replaced) {
      const message = 'a directory cannot be replaced by something that is in it';
      throw new Failure('loop', 'venus.rename', message, { fid: replaced });
    }
    at = cache.status(at)?.parent ?? null;
  }
}
