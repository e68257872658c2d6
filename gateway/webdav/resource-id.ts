/**
 * DAV:resource-id (RFC 5842 section 3.1): says whether two names, of two moments or at two gateways, are of one object.
 * It is made from the Fid alone, so it stays when the object is renamed, moved in its volume, changed, or sent later. A
 * UUID of version 8 (RFC 9562 section 5.8): the first bits of the Fid's SHA-256. Pure.
 */
import { createHash } from 'node:crypto';
import type { Fid, ObjectStatus } from '../../venus/interface.js';
import { isVirtual } from './virtual-object.js';

export const resourceIdName = '{DAV:}resource-id';

/** As a URI. */
export function resourceIdOf(fid: Fid): string {
  const bytes = createHash('sha256').update(fid).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const parts = [bytes.subarray(0, 4), bytes.subarray(4, 6), bytes.subarray(6, 8), bytes.subarray(8, 10)];
  return `urn:uuid:${[...parts, bytes.subarray(10)].map((part) => part.toString('hex')).join('-')}`;
}

/** As XML; undefined: what this gateway shows below `/.coda/` is no object of a volume. */
export function resourceIdElement({ fid }: ObjectStatus): string | undefined {
  if (isVirtual(fid)) return undefined;
  return `<D:resource-id><D:href>${resourceIdOf(fid)}</D:href></D:resource-id>`;
}
