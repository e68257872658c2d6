/**
 * Whose the StoreIds are. A StoreId that was applied is never applied again, and one that a COP2 message names is
 * counted: so a gateway that could make those of another one could have that one's changes pass for done, unseen.
 *
 * KG-1  A gateway speaks of updates of its own alone, and makes Fids of its own alone.
 * KG-2  A VenusId is of the gateway (by its certificate's name) that was the first to change something here under it.
 *       Each server keeps that for itself, durable before the first change is taken. A gateway may have several: a data
 *       folder that is moved gets a new one, and still sends what was made under the former (ID-3, venus/store).
 */
import {
  Failure,
  gatewayOf,
  isCreation,
  venusOf,
  type Fid,
  type Mutation,
  type Peer,
  type UpdateSet,
} from '../interface/index.js';
import { mendTwice, putTwice, readTwice } from '../seam/kept-twice.js';
import { endOf, type Store, type StoreReader } from '../seam/store.js';

const prefix = 'protection/gateway/';
const operation = 'vice.mutate';
/** Data folders of all gateways, in the life of the realm. */
const foldersMost = 10_000;

export class KnownGateways {
  readonly #store: Store;
  /** Names by the part of a VenusId that is the gateway's. */
  readonly #names = new Map<string, string>();

  constructor(store: Store) {
    this.#store = store;
  }

  /**
   * A gateway that changes something: `records`, or only what it comes under.
   * @throws Failure access-denied: it is another one's; refused: there have been too many; no-space, damaged
   */
  async admit(peer: Peer, records: readonly Mutation[] = []): Promise<void> {
    const [name, venus] = partsOf(peer);
    const known = this.#names.get(venus) ?? (await this.#register(name, venus));
    if (known !== name) throw anothers(known, `the data folder of gateway ${name}`);
    for (const record of records) {
      for (const its of venusesIn(record)) {
        const owner = this.#names.get(its) ?? (await this.#register(name, its));
        if (owner === name) continue;
        throw anothers(owner, `a change in the data folder of gateway ${name}`, record.fid);
      }
    }
  }

  /** KG-1. Without a row of its own a VenusId tells of no updates. @throws Failure access-denied, refused, no-space */
  async mustBeIts(peer: Peer, updates: readonly UpdateSet[]): Promise<void> {
    const [name, venus] = partsOf(peer);
    for (const { storeId } of updates) {
      const its = gatewayOf(venusOf(storeId));
      if (its !== venus && this.#kept(its) !== name)
        throw notIts(`${storeId} is an update of another gateway`);
    }
    await this.admit(peer);
  }

  #kept(venus: string): string | undefined {
    return this.#names.get(venus) ?? nameIn(this.#store, `${prefix}${venus}`);
  }

  /** Whose it is: of the gateway `name` if it is nobody's yet. */
  async #register(name: string, venus: string): Promise<string> {
    const key = `${prefix}${venus}`;
    const known = await this.#store.transact((transaction) => {
      const owner = nameIn(transaction, key);
      if (owner !== undefined) return owner;
      mustBeFew(transaction);
      putTwice(transaction, key, { name });
      return name;
    });
    await mendTwice(this.#store, key);
    this.#names.set(venus, known);
    return known;
  }
}

function mustBeFew(reader: StoreReader): void {
  const rows = [...reader.range({ start: prefix, end: endOf(prefix), limit: foldersMost })];
  if (rows.length < foldersMost) return;
  throw new Failure('refused', operation, `gateways have come here with over ${foldersMost} data folders`);
}

/** KG-1: the parts of VenusIds that say whose the update is, and whose the object that it makes. */
function venusesIn(record: Mutation): readonly string[] {
  const its = gatewayOf(venusOf(record.storeId));
  return isCreation(record) ? [its, gatewayOf(uniquifierOf(record.fid))] : [its];
}

function anothers(owner: string, what: string, fid?: Fid): Failure {
  const message =
    `${what} first came here as gateway ${owner}; start it under that name, or save its changes (coda log ` +
    'checkpoint) and begin with an empty folder';
  return new Failure('access-denied', operation, message, { fid });
}

/** @throws Failure damaged: neither the row nor its copy can be read */
function nameIn(reader: StoreReader, key: string): string | undefined {
  return (readTwice(reader, key) as { readonly name: string } | undefined)?.name;
}

function notIts(message: string, fid?: Fid): Failure {
  return new Failure('access-denied', operation, message, { fid });
}

/** Its name, and the part of its VenusId that is the gateway's. @throws Failure access-denied: it has none */
function partsOf({ role, name }: Peer): readonly [name: string, venus: string] {
  const match = role === 'gateway' ? /^(.*)\/([0-9a-f]{16})$/.exec(name) : null;
  if (match === null) throw notIts(`${role} ${name} makes no updates: it has no VenusId`);
  return [match[1] ?? '', gatewayOf(match[2] ?? '')];
}

function uniquifierOf(fid: Fid): string {
  return fid.slice(fid.lastIndexOf('.') + 1);
}
