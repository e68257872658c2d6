/**
 * Whose the StoreIds are. A StoreId that was applied is never applied again, and one that a COP2 message names is
 * counted: so a gateway that could make those of another one could have that one's changes pass for done, unseen.
 *
 * KG-1  A gateway speaks of updates of its own alone, and makes Fids of its own alone.
 * KG-2  Under a VenusId comes only the gateway (by its certificate's name) that was the first to change something here
 *       under it. Each server keeps that for itself, durable before the first change is taken.
 */
import {
  Failure,
  gatewayOf,
  isCreation,
  seal,
  unseal,
  venusOf,
  type Fid,
  type Mutation,
  type Peer,
  type UpdateSet,
} from '../interface/index.js';
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

  /** @throws Failure access-denied: it is another one's; refused: there have been too many; no-space, damaged */
  async admit(peer: Peer): Promise<void> {
    const [name, venus] = partsOf(peer);
    const known = this.#names.get(venus) ?? (await this.#register(name, venus));
    if (known === name) return;
    const message =
      `the data folder of gateway ${name} first came here as gateway ${known}; start it under that name, or save ` +
      'its changes (coda log checkpoint) and begin with an empty folder';
    throw new Failure('access-denied', operation, message);
  }

  /** Whose it is. */
  async #register(name: string, venus: string): Promise<string> {
    const key = `${prefix}${venus}`;
    const owner = await this.#store.transact((transaction) => {
      const row = transaction.get(key);
      if (row !== undefined) return (unseal(row) as { name: string }).name;
      mustBeFew(transaction);
      transaction.put(key, seal({ name }));
      return name;
    });
    this.#names.set(venus, owner);
    return owner;
  }
}

function mustBeFew(reader: StoreReader): void {
  const rows = [...reader.range({ start: prefix, end: endOf(prefix), limit: foldersMost })];
  if (rows.length < foldersMost) return;
  throw new Failure('refused', operation, `gateways have come here with over ${foldersMost} data folders`);
}

/** KG-1. @throws Failure access-denied */
export function mustBeItsRecord(peer: Peer, record: Mutation): void {
  const [, venus] = partsOf(peer);
  const { fid, storeId } = record;
  if (gatewayOf(venusOf(storeId)) !== venus) throw notIts(`${storeId} is an update of another gateway`, fid);
  if (!isCreation(record) || gatewayOf(uniquifierOf(fid)) === venus) return;
  throw notIts(`${fid} is for another gateway to make`, fid);
}

/** KG-1. @throws Failure access-denied */
export function mustBeItsUpdates(peer: Peer, updates: readonly UpdateSet[]): void {
  if (updates.length === 0) return;
  const [, venus] = partsOf(peer);
  for (const { storeId } of updates) {
    if (gatewayOf(venusOf(storeId)) !== venus) throw notIts(`${storeId} is an update of another gateway`);
  }
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
