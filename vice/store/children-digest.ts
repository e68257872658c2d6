/**
 * The digest of a directory's children: clients compare it between replicas instead of listing them all. It
 * changes with every child, so it must be cheap to keep: the exclusive or over the children of the first 8
 * bytes of SHA-256(Fid|StoreId), which a child enters and leaves alike. No secret and no defence: replicas
 * trust each other.
 */
import { hash } from 'node:crypto';
import type { Fid, StoreId } from '../interface/index.js';

/** Of a directory without children. */
export const noChildren = 0n;

/** What one child contributes. */
export function childDigest(fid: Fid, storeId: StoreId | null): bigint {
  return BigInt(`0x${hash('sha256', `${fid}|${storeId ?? ''}`, 'hex').slice(0, 16)}`);
}

/** `digest` after `child` came or went. */
export function toggled(digest: bigint, child: bigint): bigint {
  return digest ^ child;
}

/** As it is stored and sent: 16 hexadecimal digits. */
export function digestText(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

export function digestOf(text: string): bigint {
  return BigInt(`0x${text}`);
}
