/**
 * Rows that a server cannot do without, and that nothing else on its disk could be made of: each stands twice, written
 * in one transaction, in two places of the store.
 *
 * KT-1  What cannot be read is read from its copy, at once. It is written anew from there with the next change of the
 *       row, or when its owner is opened (`mendTwice`), whichever comes first.
 * KT-2  A row of an earlier build has no copy. It gets one in the same way.
 */
import { intact, seal, unseal } from '../interface/index.js';
import type { Store, StoreReader, StoreTransaction } from './store.js';

export function putTwice(transaction: StoreTransaction, key: string, row: unknown): void {
  const sealed = seal(row);
  transaction.put(key, sealed);
  transaction.put(copyOf(key), sealed);
}

export function removeTwice(transaction: StoreTransaction, key: string): void {
  transaction.remove(key);
  transaction.remove(copyOf(key));
}

/** undefined: there is no such row. @throws Failure damaged: neither can be read */
export function readTwice(reader: StoreReader, key: string): unknown {
  const stored = reader.get(key);
  if (stored === undefined) return undefined;
  if (isWhole(stored)) return unseal(stored);
  const copy = reader.get(copyOf(key));
  return unseal(copy ?? stored);
}

/** KT-1. Whether one of the two could not be read. @throws Failure no-space, damaged: the disk fails */
export async function mendTwice(store: Store, key: string): Promise<boolean> {
  const [stored, copy] = [store.get(key), store.get(copyOf(key))];
  if (stored === undefined) return false;
  const isCopyWhole = copy !== undefined && isWhole(copy);
  if (!isWhole(stored)) {
    if (!isCopyWhole) return false;
    await store.transact((transaction) => transaction.put(key, copy));
    return true;
  }
  if (isCopyWhole && Buffer.compare(stored, copy) === 0) return false;
  await store.transact((transaction) => transaction.put(copyOf(key), stored));
  return copy !== undefined && !isCopyWhole;
}

function copyOf(key: string): string {
  return `copy/${key}`;
}

function isWhole(sealed: Uint8Array): boolean {
  return intact(sealed) !== undefined;
}
