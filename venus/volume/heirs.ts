/** Who gets a name that is left free, as servers will say it (NM-1 in vice/volume/naming.ts). Pure. */
import { comparePlaces, type DirectoryEntry, type Fid, type Placement } from '../../vice/interface/index.js';

/**
 * Of `besides`, which stand beside names of `directory`, those that get the names `free`, which nobody bears there: of
 * all that want one, the one that was there first.
 */
export function heirsOf(
  directory: Fid,
  free: ReadonlySet<string>,
  besides: Iterable<DirectoryEntry>,
  placeOf: (fid: Fid) => Placement | undefined,
): ReadonlyMap<string, DirectoryEntry> {
  const first = new Map<string, { readonly entry: DirectoryEntry; readonly place: Placement }>();
  for (const entry of besides) {
    const place = placeOf(entry.fid);
    if (place === undefined || place.parent !== directory || !free.has(place.name)) continue;
    const before = first.get(place.name);
    if (before === undefined || comparePlaces(place, before.place) < 0)
      first.set(place.name, { entry, place });
  }
  return new Map([...first].map(([name, { entry }]) => [name, entry]));
}
