/** A small tree, and a record of each kind. */
import {
  Failure,
  type FailureKind,
  makeFid,
  makeStoreId,
  noNames,
  rootFid,
  type DirectoryEntry,
  type Fid,
  type FileData,
  type Mutation,
  type Placement,
  type StoreId,
  type Tree,
  type VenusId,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from './index.js';

export const venus = '9c3e5d7b01f2a4c6' as VenusId;
export const other = '00000000000000ff' as VenusId;
export const third = 'cccccccccccccccc' as VenusId;
export const volume = '7f000001' as VolumeId;
export const root = rootFid(volume);

/** A tree to apply records to: /docs (with report.txt and sub/deep), /empty, /link, /readme. */
export class Forest implements Tree {
  readonly statuses = new Map<Fid, VnodeStatus>();
  readonly tombstones = new Map<Fid, VnodeStatus>();
  readonly #entries = new Map<Fid, Map<string, DirectoryEntry>>();

  constructor() {
    this.add(null, '', 'root', 'directory');
    this.add('root', 'docs', 'docs', 'directory');
    this.add('docs', 'report.txt', 'report', 'file');
    this.add('docs', 'sub', 'sub', 'directory');
    this.add('sub', 'deep', 'deep', 'directory');
    this.add('root', 'empty', 'empty', 'directory');
    this.add('root', 'readme', 'readme', 'file');
    this.add('root', 'link', 'link', 'symlink');
  }

  add(parent: string | null, name: string, id: string, kind: VnodeKind): void {
    const first = makeStoreId(other, 1);
    this.statuses.set(fidOf(id), {
      fid: fidOf(id),
      kind,
      parent: parent === null ? null : fidOf(parent),
      vv: { a: 1 },
      storeId: first,
      known: { [other]: 1 },
      data: kind === 'file' ? versionOf(first, 'ab') : null,
      siblings: [],
      places: parent === null ? [] : [placeOf(first, parent, name)],
      gone: {},
      revived: {},
      names: kind === 'directory' ? noNames : '',
      target: kind === 'symlink' ? 'docs' : null,
      created: 1,
      modified: 1,
      mode: 0o644,
      owner: 'ann',
      author: 'ann',
      properties: { '{DAV:}old': '<old/>' },
      setters: {},
    });
    if (kind === 'directory') this.#entries.set(fidOf(id), new Map());
    if (parent !== null) this.#entries.get(fidOf(parent))?.set(name, { name, fid: fidOf(id), kind });
  }

  /** As after a removal by somebody who knew all of it. */
  remove(id: string): void {
    const status = at(this.statuses, fidOf(id));
    const gone = { ...status.known, [third]: 3 };
    this.tombstones.set(fidOf(id), { ...status, known: gone, gone });
    this.statuses.delete(fidOf(id));
    for (const names of this.#entries.values()) {
      for (const [name, entry] of names) if (entry.fid === fidOf(id)) names.delete(name);
    }
  }

  /** Another state of an object that is there. */
  change(id: string, change: Partial<VnodeStatus>): void {
    this.statuses.set(fidOf(id), { ...at(this.statuses, fidOf(id)), ...change });
  }

  put(status: VnodeStatus): void {
    this.statuses.set(status.fid, status);
  }

  status(fid: Fid): VnodeStatus | undefined {
    return this.statuses.get(fid);
  }

  tombstone(fid: Fid): VnodeStatus | undefined {
    return this.tombstones.get(fid);
  }

  entry(directory: Fid, name: string): DirectoryEntry | undefined {
    return this.#entries.get(directory)?.get(name);
  }

  isEmpty(directory: Fid): boolean {
    return (this.#entries.get(directory)?.size ?? 0) === 0;
  }
}

export function versionOf(storeId: StoreId, digest: string, saved = 1): FileData {
  const contents = { length: 3, digest: digest.repeat(32), modified: 1, saved };
  return { storeId, mark: storeId, author: 'ann', host: 'home', ...contents };
}

export function placeOf(storeId: StoreId, parent: string, name: string, time = 1): Placement {
  return { parent: fidOf(parent), name, storeId, time, author: 'ann', host: 'home', isBroken: false };
}

export const ids = ['none', 'root', 'docs', 'report', 'sub', 'deep', 'empty', 'readme', 'link', 'new'];

export function fidOf(id: string): Fid {
  if (id === 'foreign') return makeFid('7f000002' as VolumeId, 3, venus);
  return id === 'root' ? root : makeFid(volume, ids.indexOf(id) + 1, venus);
}

export const storeId = makeStoreId(venus, 5);
export const base = Object.fromEntries(ids.map((id) => [fidOf(id), { [other]: 1 }])) as Mutation['base'];
export const common = { storeId, time: 77, author: 'bob', host: 'office', base };

export const create = {
  op: 'create',
  ...common,
  parent: fidOf('docs'),
  name: 'n',
  fid: fidOf('new'),
  mode: 0o100640,
} as const;

export const { mode: _, ...unnamed } = create;

export const store = {
  op: 'store',
  ...common,
  fid: fidOf('readme'),
  length: 9,
  digest: 'cd'.repeat(32),
  modified: 55,
  saved: 66,
} as const;
export const remove = {
  op: 'remove',
  ...common,
  parent: fidOf('docs'),
  name: 'report.txt',
  fid: fidOf('report'),
} as const;
export const removeDir = {
  op: 'rmdir',
  ...common,
  parent: root,
  name: 'empty',
  fid: fidOf('empty'),
} as const;
export const rename = {
  op: 'rename',
  ...common,
  fromParent: root,
  fromName: 'readme',
  toParent: fidOf('sub'),
  toName: 'moved',
  fid: fidOf('readme'),
} as const;
export const utimes = { op: 'utimes', ...common, fid: fidOf('docs'), modified: 99 } as const;
export const chmod = { op: 'chmod', ...common, fid: fidOf('docs'), mode: 0o100755 } as const;
export const chown = { op: 'chown', ...common, fid: fidOf('link'), owner: 'eve' } as const;
export const setProperties = {
  op: 'setprops',
  ...common,
  fid: fidOf('docs'),
  set: { '{DAV:}new': '<new/>' },
  remove: ['{DAV:}old'],
} as const;

export function at<T>(map: ReadonlyMap<Fid, T>, fid: Fid): T {
  const item = map.get(fid);
  if (item === undefined) throw new Error(`no ${fid}`);
  return item;
}

export function thrown(action: () => unknown): unknown {
  try {
    action();
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Some update that the author of the records above did not know of. */
export const unseen = makeStoreId(third, 2);

export function failureKind(action: () => unknown): FailureKind | undefined {
  const error = thrown(action);
  return error instanceof Failure ? error.kind : undefined;
}
