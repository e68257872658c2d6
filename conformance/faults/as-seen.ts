/** A replica as people see it, who know an object by its DAV:resource-id (gateway/webdav/resource-id.ts). Pure. */
import type { Fid } from '../../vice/interface/index.js';
import { resourceIdOf } from '../../gateway/webdav/resource-id.js';
import type { ReplicaDump } from '../simulation/replica-dump.js';

/** Its objects, and the directories that they are in. */
export function asSeen(dump: ReplicaDump): ReplicaDump {
  return dump.map((object) => ({
    ...object,
    fid: seenFid(object.fid),
    status: {
      ...object.status,
      places: object.status.places.map((place) => ({ ...place, parent: seenFid(place.parent) })),
    },
  }));
}

export function seenFid(fid: string): Fid {
  return resourceIdOf(fid as Fid) as Fid;
}
