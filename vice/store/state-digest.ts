/**
 * Digests over all objects of a volume replica, so that two replicas find the few objects in which they differ among
 * very many in a handful of calls, whatever made them differ (a lost history, a damaged disk, a fault of ours).
 *
 * An object falls into one of 4096 buckets by a hash of its Fid; a bucket's digest is the exclusive or of its objects'
 * digests, that of a prefix of bucket numbers the exclusive or of theirs. No secret and no defence.
 */
import { hash } from 'node:crypto';
import { versionsOf, type Fid, type VnodeStatus } from '../interface/index.js';

/** Hexadecimal digits of a bucket's number. */
export const bucketDigits = 3;

export function bucketOf(fid: Fid): string {
  return hash('sha256', fid, 'hex').slice(0, bucketDigits);
}

/** Of everything in which replicas must agree. What follows from other objects (names) is left out. */
export function stateDigest(status: VnodeStatus): bigint {
  const { fid, kind, vv, storeId, rank = 0, known, places, gone, revived } = status;
  const { mode, owner, modified, target, properties, setters, access = [] } = status;
  const versions = versionsOf(status).map(({ storeId: id, digest, vouched = {}, givenUp = {} }) => {
    return [id, digest, inOrder(vouched), inOrder(givenUp)];
  });
  const placed = places.map((place) => [place.storeId, place.isBroken, place.parent]);
  const set = inOrder(setters).map(([name, setter]) => [name, setter.storeId, setter.rank]);
  const vectors = [vv, known, gone, revived].map(inOrder);
  const state = [fid, kind, storeId, rank, vectors, versions, placed];
  const lists = access.map(({ storeId: id }) => id);
  const attributes = [mode, owner, modified, target, inOrder(properties), set, lists];
  return shortHash(JSON.stringify([state, attributes]));
}

/** The same of what clients compare of a child of a directory: merging can change an object and keep its StoreId. */
export function childDigest({ fid, storeId, known }: Pick<VnodeStatus, 'fid' | 'storeId' | 'known'>): bigint {
  return shortHash(JSON.stringify([fid, storeId, inOrder(known)]));
}

function shortHash(text: string): bigint {
  return BigInt(`0x${hash('sha256', text, 'hex').slice(0, 16)}`);
}

function inOrder<T>(record: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}
