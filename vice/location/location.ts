/**
 * The realm document as this server holds it (Coda: VLDB and VRDB). Durable; the highest version wins.
 *
 * LO-1  The version held never decreases, also over a restart.
 * LO-2  A document is on the disk before anybody is told of it.
 */
import {
  contractFault,
  Failure,
  isFailure,
  realmDocumentSchema,
  type RealmDocument,
} from '../interface/index.js';
import { mendTwice, putTwice, readTwice } from '../seam/kept-twice.js';
import type { Store } from '../seam/store.js';

export interface Location {
  readonly current: RealmDocument;
  /**
   * Takes `document` if it is newer; resolves with whether it was, after all listeners have done their part.
   * @throws Failure invalid (malformed, or of another realm)
   */
  adopt(document: unknown): Promise<boolean>;
  /**
   * Makes the next version by `decide`, which looks at the current one; resolves with what is current then, after all
   * listeners have done their part. One decision at a time.
   * @throws Failure invalid, what `decide` throws
   */
  publish(decide: (current: RealmDocument) => RealmDocument): Promise<RealmDocument>;
  /** Called after each adoption is durable, one at a time, in order. A rejection is the adopter's. */
  onAdoption(listener: (document: RealmDocument) => Promise<void>): void;
}

const key = 'location/realm';
const operation = 'location.adopt';

/** The stored document or `configured`, whichever is newer. @throws Failure invalid, damaged */
export async function openLocation(store: Store, configured: RealmDocument): Promise<Location> {
  const given = checked(configured);
  const stored = storedDocument(store);
  if (stored !== undefined) mustBeSameRealm(stored, given);
  let current = stored !== undefined && stored.version >= given.version ? stored : given;
  if (current !== stored) await put(store, current);
  else await mendTwice(store, key);
  const listeners: ((document: RealmDocument) => Promise<void>)[] = [];
  let turn: Promise<unknown> = Promise.resolve();

  const adoptNext = async (document: RealmDocument): Promise<boolean> => {
    mustBeSameRealm(current, document);
    if (document.version <= current.version) return false;
    await put(store, document);
    current = document;
    for (const listener of listeners) await listener(document);
    return true;
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => undefined);
    return done;
  };

  return {
    get current() {
      return current;
    },
    async adopt(document) {
      const next = checked(document);
      return inTurn(() => adoptNext(next));
    },
    publish(decide) {
      return inTurn(async () => {
        await adoptNext(checked(decide(current)));
        return current;
      });
    },
    onAdoption(listener) {
      listeners.push(listener);
    },
  };
}

function storedDocument(store: Store): RealmDocument | undefined {
  try {
    const stored = readTwice(store, key);
    return stored === undefined ? undefined : checked(stored);
  } catch (cause) {
    if (!isFailure(cause, 'damaged')) throw cause;
    const what = 'the realm document of this server cannot be read, nor its copy: this disk loses data';
    const next =
      'Put a backup of this data folder on another disk; or start with an empty folder, into which the other servers ' +
      'bring what they have.';
    throw new Failure('damaged', operation, `${what}. ${next}`, { cause });
  }
}

async function put(store: Store, document: RealmDocument): Promise<void> {
  await store.transact((transaction) => putTwice(transaction, key, document));
}

function checked(document: unknown): RealmDocument {
  const parsed = realmDocumentSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw new Failure('invalid', operation, `no realm document: ${contractFault(parsed.error)}`);
}

function mustBeSameRealm(held: RealmDocument, offered: RealmDocument): void {
  if (held.realm === offered.realm) return;
  throw new Failure(
    'invalid',
    operation,
    `this server's data belongs to realm ${held.name} (${held.realm}), ` +
      `not to ${offered.name} (${offered.realm}); use another data folder`,
  );
}
