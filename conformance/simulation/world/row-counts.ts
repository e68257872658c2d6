/** Rows by table of one replica (vice/store/volume-store.ts), on a twin or on a real disk. Pure. */
import type { VolumeId } from '../../../vice/interface/index.js';
import { endOf, type StoreReader } from '../../../vice/seam/store.js';
import type { Size } from './outcome.js';

export type RowCounts = Pick<
  Size,
  'objects' | 'stamps' | 'members' | 'graves' | 'entries' | 'besides' | 'conflicts'
>;

export function rowsByTable(store: StoreReader, volume: VolumeId): RowCounts {
  const of = (table: string): number => countRows(store, `${volume}/${table}/`);
  return {
    ...{ objects: of('object'), stamps: of('stamp'), members: of('member'), graves: of('grave') },
    ...{ entries: of('entry'), besides: of('beside'), conflicts: of('conflict') },
  };
}

export function countRows(store: StoreReader, prefix: string): number {
  return [...store.range({ start: prefix, end: endOf(prefix) })].length;
}
