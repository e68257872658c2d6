/**
 * The digest of the names in a directory: how a client that has them knows whether they are still the right ones, also
 * where a merge has changed them and no update of the directory has. Cheap to keep: the exclusive or over the names of
 * the first 8 bytes of SHA-256(Fid/name), which a name enters and leaves alike. No secret and no defence.
 */
import { hash } from 'node:crypto';
import type { Fid } from './fid.js';

/** Of a directory without names. */
export const noNames = '0000000000000000';

/** `digest` after `name` of `fid` came or went. */
export function toggledName(digest: string, fid: Fid, name: string): string {
  const name64 = BigInt(`0x${hash('sha256', `${fid}/${name}`, 'hex').slice(0, 16)}`);
  return (BigInt(`0x${digest}`) ^ name64).toString(16).padStart(16, '0');
}
