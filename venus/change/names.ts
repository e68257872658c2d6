/** What bears a name at the moment of a change. */
import { Failure, siblingsOf, type FileData } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import { siblingView } from '../conflict/sibling.js';
import { findEntry } from '../cache/find-entry.js';
import { entryShowing, siblingNamed, type SiblingsWorld } from '../conflict/siblings.js';
import type { Name, ObjectStatus } from '../interface.js';

export interface Bound {
  readonly object: CachedObject;
  /** The version of it, where the name is a sibling's; else null. */
  readonly version: FileData | null;
  /** What gateways see under this name. */
  readonly view: ObjectStatus;
  /** The name as it is stored, under whichever Unicode form it was asked for. */
  readonly name: string;
}

export class Names {
  readonly #world: SiblingsWorld;

  constructor(world: SiblingsWorld) {
    this.#world = world;
  }

  /** What bears the name now, if anything. @throws Failure not-found, not-directory, unreachable (the parent) */
  async find({ parent, name }: Name): Promise<Bound | undefined> {
    const { cache, fetcher } = this.#world;
    await fetcher.directory(parent);
    const names = cache.names(parent);
    const entry = names === undefined ? undefined : findEntry(names, name);
    if (entry !== undefined) {
      const object = await fetcher.fresh(entry.fid);
      return { object, version: null, view: object.view, name: entry.name };
    }
    const sibling = await siblingNamed(this.#world, parent, name);
    if (sibling === undefined) return undefined;
    const { file: object, version } = sibling;
    return { object, version, view: siblingView(object, version), name: sibling.name };
  }

  /** As `find`, for a name that must exist. */
  async existing(where: Name): Promise<Bound> {
    const bound = await this.find(where);
    if (bound !== undefined) return bound;
    const shown = await entryShowing(this.#world, where.parent, where.name);
    if (shown !== undefined) {
      const object = await this.#world.fetcher.fresh(shown.fid);
      return { object, version: null, view: object.view, name: shown.name };
    }
    throw new Failure('not-found', 'venus.lookup', `there is no ${where.name}`, { fid: where.parent });
  }
}

/** Whether what bears the name is one of several versions of a file. */
export function isVersion({ object, version }: Bound): boolean {
  return version !== null || siblingsOf(object.status).length > 0;
}

/** Whether both are the same object, or the same version of it. */
export function isSame(a: Bound, b: Bound): boolean {
  return a.view.fid === b.view.fid;
}

/** The file that has the version's own properties alone: what a copy of it is made from. */
export function asFile({ object, version }: Pick<Bound, 'object' | 'version'>): CachedObject['status'] {
  const { status } = object;
  return version === null ? status : { ...status, data: version, siblings: [], modified: version.modified };
}
