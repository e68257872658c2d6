/** What is told of an object in conflict: for each kind, what there is to choose from. Pure. */
import {
  differingLists,
  type AccessVersion,
  type Fid,
  type FileData,
  type Placement,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { ConflictReport, ConflictVersion } from '../interface.js';
import { siblingFid } from './sibling.js';

/** An object, and what must be known around it. */
export interface Reported {
  readonly volume: string;
  readonly status: VnodeStatus;
  readonly path: readonly string[] | null;
  /** The name that it bears. */
  readonly name: string;
  readonly siblings: readonly { readonly name: string; readonly version: FileData }[];
  /** Who keeps the name that it was given. */
  readonly keeper: VnodeStatus | undefined;
  /** Of each of its places the directory's path; absent or null: that cannot be named. */
  readonly directories: ReadonlyMap<Fid, readonly string[] | null>;
  /** Only one version of a file is seen under a name. */
  readonly hidesVersions: boolean;
}

export function reportOf(reported: Reported, kind: ConflictReport['kind']): ConflictReport {
  const { volume, status, path } = reported;
  return { volume, fid: status.fid, path, kind, versions: versionsFor(kind, reported) };
}

function versionsFor(
  kind: ConflictReport['kind'],
  { status, path, name, siblings, keeper, directories, hidesVersions }: Reported,
): readonly ConflictVersion[] {
  const { fid, data, places } = status;
  const [place] = places;
  const beside = (other: string): Path => path && [...path.slice(0, -1), other];
  switch (kind) {
    case 'versions': {
      const shown = data === null ? [] : [ofContents(fid, name, path, data)];
      const others = siblings.map(({ name: own, version }) =>
        ofContents(siblingFid(fid, version.storeId), own, hidesVersions ? null : beside(own), version),
      );
      return [...shown, ...others];
    }
    case 'name': {
      const own = place === undefined ? [] : [ofPlace(status, name, path, place)];
      const [kept] = keeper?.places ?? [];
      if (keeper === undefined || kept === undefined) return own;
      return [...own, ofPlace(keeper, kept.name, beside(kept.name), kept)];
    }
    case 'place':
      // The first of them is where it is, whatever had to be done to put it there.
      return places.map((each, index) => {
        if (index === 0) return ofPlace(status, name, path, each);
        const directory = directories.get(each.parent) ?? null;
        return ofPlace(status, each.name, directory && [...directory, each.name], each);
      });
    case 'protection':
      return differingLists(status).map((version) => ofList(status.fid, name, path, version));
    case 'removal':
      if (data !== null) return [ofContents(fid, name, path, data)];
      return place === undefined ? [] : [ofPlace(status, name, path, place)];
  }
}

type Path = ConflictVersion['path'];

function ofContents(
  fid: Fid,
  name: string,
  path: Path,
  { author, host, saved, length, storeId }: FileData,
): ConflictVersion {
  return { name, path, author, host, time: saved, size: length, storeId, fid };
}

function ofList(
  fid: Fid,
  name: string,
  path: Path,
  { author, host, time, storeId, list }: AccessVersion,
): ConflictVersion {
  return { name, path, author, host, time, size: 0, storeId, fid, list };
}

function ofPlace(
  { fid, data }: VnodeStatus,
  name: string,
  path: Path,
  { author, host, time, storeId }: Placement,
): ConflictVersion {
  return { name, path, author, host, time, size: data?.length ?? 0, storeId, fid };
}
