/** What is told of an object in conflict: for each kind, what there is to choose from. Pure. */
import {
  differingLists,
  type AccessVersion,
  type Fid,
  type Placement,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { ConflictReport, ConflictVersion } from '../interface.js';
import { siblingFid } from './sibling.js';
import type { FileData } from '../../vice/interface/index.js';

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
}

export function reportOf(reported: Reported, kind: ConflictReport['kind']): ConflictReport {
  const { volume, status, path } = reported;
  return { volume, fid: status.fid, path, kind, versions: versionsFor(kind, reported) };
}

function versionsFor(
  kind: ConflictReport['kind'],
  { status, name, siblings, keeper }: Reported,
): readonly ConflictVersion[] {
  const { fid, data, places } = status;
  const [place] = places;
  switch (kind) {
    case 'versions': {
      const shown = data === null ? [] : [ofContents(fid, name, data)];
      const others = siblings.map((sibling) =>
        ofContents(siblingFid(fid, sibling.version.storeId), sibling.name, sibling.version),
      );
      return [...shown, ...others];
    }
    case 'name': {
      const own = place === undefined ? [] : [ofPlace(status, name, place)];
      const [kept] = keeper?.places ?? [];
      return keeper === undefined || kept === undefined ? own : [...own, ofPlace(keeper, kept.name, kept)];
    }
    case 'place':
      return places.map((each, index) => ofPlace(status, index === 0 ? name : each.name, each));
    case 'protection':
      return differingLists(status).map((version) => ofList(status.fid, name, version));
    case 'removal':
      if (data !== null) return [ofContents(fid, name, data)];
      return place === undefined ? [] : [ofPlace(status, name, place)];
  }
}

function ofContents(
  fid: Fid,
  name: string,
  { author, host, saved, length, storeId }: FileData,
): ConflictVersion {
  return { name, author, host, time: saved, size: length, storeId, fid };
}

function ofList(
  fid: Fid,
  name: string,
  { author, host, time, storeId, list }: AccessVersion,
): ConflictVersion {
  return { name, author, host, time, size: 0, storeId, fid, list };
}

function ofPlace(
  { fid, data }: VnodeStatus,
  name: string,
  { author, host, time, storeId }: Placement,
): ConflictVersion {
  return { name, author, host, time, size: data?.length ?? 0, storeId, fid };
}
