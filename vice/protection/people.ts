/**
 * The people document as this server holds it: durable, the highest version wins, as the realm document (location.ts).
 * There may be none: in a realm whose gateways keep the users, and at a server that has not fetched it yet.
 */
import {
  Failure,
  isFailure,
  peopleDocumentSchema,
  type PeopleDocument,
  type UserEntry,
} from '../interface/index.js';
import { mendTwice, putTwice, readTwice } from '../seam/kept-twice.js';
import type { Store } from '../seam/store.js';

const key = 'protection/people';
const operation = 'protection.people';

export class People {
  readonly #store: Store;
  readonly #realm: string;
  #current: PeopleDocument | undefined;
  #byName: ReadonlyMap<string, UserEntry> = new Map();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(store: Store, realm: string) {
    this.#store = store;
    this.#realm = realm;
  }

  /** The stored document or `configured`, whichever is newer. @throws Failure invalid, damaged */
  static async open(store: Store, realm: string, configured: PeopleDocument | undefined): Promise<People> {
    const people = new People(store, realm);
    const stored = storedPeople(store);
    if (stored !== undefined) people.#take(people.#checked(stored));
    await mendTwice(store, key);
    if (configured !== undefined) await people.adopt(configured);
    return people;
  }

  get current(): PeopleDocument | undefined {
    return this.#current;
  }

  /** 0: there is none here. */
  get version(): number {
    return this.#current?.version ?? 0;
  }

  get(name: string): UserEntry | undefined {
    return this.#byName.get(name);
  }

  /** Takes `document` if it is newer; durable when it resolves. @throws Failure invalid (malformed, another realm's) */
  async adopt(document: unknown): Promise<void> {
    const next = this.#checked(document);
    await this.#inTurn(() => (next.version > this.version ? this.#put(next) : Promise.resolve()));
  }

  /**
   * Makes the next version by `decide`, which gives back the very document when there is nothing to change; whether
   * there was. @throws what `decide` throws; Failure stale: there is none here to change
   */
  change(decide: (current: PeopleDocument) => PeopleDocument): Promise<boolean> {
    return this.#inTurn(async () => {
      const before = this.#current;
      if (before === undefined)
        throw new Failure('stale', operation, 'the people of the realm are not here yet');
      const next = decide(before);
      if (next === before) return false;
      await this.#put(this.#checked(next));
      return true;
    });
  }

  /** The first ones that count (first-people.ts); `make` is given what is here. @throws what `make` throws, invalid */
  begin(make: (current: PeopleDocument | undefined) => PeopleDocument): Promise<void> {
    return this.#inTurn(() => this.#put(this.#checked(make(this.#current))));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #put(document: PeopleDocument): Promise<void> {
    await this.#store.transact((transaction) => putTwice(transaction, key, document));
    this.#take(document);
  }

  #take(document: PeopleDocument): void {
    this.#current = document;
    this.#byName = new Map(document.users.map((user) => [user.name, user]));
  }

  #checked(document: unknown): PeopleDocument {
    const parsed = peopleDocumentSchema.safeParse(document);
    // Which field is at fault is said, what is in it never: there are secrets in it.
    const issue = parsed.error?.issues[0];
    if (!parsed.success) {
      throw new Failure('invalid', operation, `no people document: ${issue?.path.join('.')} ${issue?.code}`);
    }
    if (parsed.data.realm === this.#realm) return parsed.data;
    throw new Failure('invalid', operation, `people of realm ${parsed.data.realm}, not of ${this.#realm}`);
  }
}

function storedPeople(store: Store): unknown {
  try {
    return readTwice(store, key);
  } catch (cause) {
    if (!isFailure(cause, 'damaged')) throw cause;
    const what = 'the people document of this server cannot be read, nor its copy: this disk loses data';
    const next =
      'Put a backup of this data folder on another disk; or start with an empty folder, into which the other servers ' +
      'bring what they have.';
    throw new Failure('damaged', operation, `${what}. ${next}`, { cause });
  }
}
