/**
 * A StoreId names one update: whose it is, and a counter (Coda: HostId, Uniquifier). Whoever makes them makes them in
 * order, so a vector VenusId -> counter says which updates an object has known.
 *
 * A gateway has a log for each of its users, and makes StoreIds under a VenusId for each: who has one user's later
 * update need not have what another one did before. All of them count with one counter, and end like the gateway's own
 * VenusId, so that anybody sees whose they are. (Before protocol 8 a gateway made all under its own.)
 *
 * Notation: `9c3e5d7b01f2a4c6:17`.
 */
import { createHash } from 'node:crypto';
import type { VenusId } from './fid.js';

declare const brand: unique symbol;
export type StoreId = string & { readonly [brand]: 'StoreId' };

/** For each Venus, the highest counter of its updates that an object incorporates. Absent means 0. */
export type StoreIdVector = Readonly<Record<string, number>>;

/** Hexadecimal digits of a VenusId that tell the users of one gateway apart; the other ten tell gateways apart. */
const authorDigits = 6;
const pattern = /^([0-9a-f]{16}):([1-9][0-9]{0,14})$/;

/** The StoreId of `venus`' update number `counter` (from 1). */
export function makeStoreId(venus: VenusId, counter: number): StoreId {
  return `${venus}:${counter}` as StoreId;
}

/** The StoreId in `text`, or undefined if it is none. */
export function parseStoreId(text: string): StoreId | undefined {
  return pattern.test(text) ? (text as StoreId) : undefined;
}

/** The Venus that made `id`. */
export function venusOf(id: StoreId): VenusId {
  return id.slice(0, 16) as VenusId;
}

/**
 * Under which `author` changes things at the gateway that is called `venus`. Should two users get the same one, they
 * only wait for each other.
 */
export function venusOfAuthor(venus: VenusId, author: string): VenusId {
  const digest = createHash('sha256').update(`${venus} ${author}`).digest('hex');
  return `${digest.slice(0, authorDigits)}${gatewayOf(venus)}` as VenusId;
}

/** The part of a VenusId that those of one gateway share. */
export function gatewayOf(venus: string): string {
  return venus.slice(authorDigits, 16);
}

/** The counter of `id` at the Venus that made it. */
export function counterOf(id: StoreId): number {
  return Number(id.slice(17));
}

/** Whether an object with `known` has incorporated update `id`. */
export function knows(known: StoreIdVector, id: StoreId): boolean {
  return (known[venusOf(id)] ?? 0) >= counterOf(id);
}

/** `known` after update `id`. */
export function withStoreId(known: StoreIdVector, id: StoreId): StoreIdVector {
  return knows(known, id) ? known : { ...known, [venusOf(id)]: counterOf(id) };
}

/** Whether everything in `a` is in `b` too: the happens-before-or-equal of updates. */
export function isWithin(a: StoreIdVector, b: StoreIdVector): boolean {
  for (const venus in a) if ((a[venus] ?? 0) > (b[venus] ?? 0)) return false;
  return true;
}

/** Whether both hold the same updates. */
export function isSameVector(a: StoreIdVector, b: StoreIdVector): boolean {
  return isWithin(a, b) && isWithin(b, a);
}

/** The smallest vector that holds both. */
export function unionOf(a: StoreIdVector, b: StoreIdVector): StoreIdVector {
  if (isWithin(a, b)) return b;
  const union: Record<string, number> = { ...b };
  for (const venus in a) union[venus] = Math.max(union[venus] ?? 0, a[venus] ?? 0);
  return union;
}

/** Whether it holds no update. */
export function isEmptyVector(vector: StoreIdVector): boolean {
  for (const _ in vector) return false;
  return true;
}

/** An order that is the same for all, and means nothing. */
export function compareStoreIds(a: StoreId, b: StoreId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
