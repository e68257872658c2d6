/**
 * Attributes of an object (mode, owner, time, each property), each by itself: whoever sets it last wins. Pure.
 *
 * AT-1  Setters are in one order for all: by `rank`, then by StoreId. A rank counts what the author had seen, so nobody
 *       comes before what he had seen. ("The later one where one author had seen the other, else the greater StoreId"
 *       would be no order: of three updates each could beat the next, and replicas would end as they happened to meet.)
 * AT-2  An attribute's value is what its setter says, so it is the same wherever that setter is.
 */
import type { Fid } from './fid.js';
import type { Mutation } from './mutation.js';
import { counterOf, gatewayOf } from './store-id.js';
import type { Setter, VnodeStatus } from './vnode.js';

/** The attribute that each store of a file sets: what has set `modified` before it no longer counts. */
export const contents = 'contents';

/** `record` as the setter of an attribute of `fid`. */
export function setterOf(record: Mutation, fid: Fid): Setter {
  const { storeId } = record;
  const own = gatewayOf(storeId);
  // All users of a gateway count with one counter: the highest stands for what was seen of it, and its own is higher.
  const others = new Map<string, number>();
  for (const [venus, counter] of Object.entries(record.base[fid] ?? {})) {
    const gateway = gatewayOf(venus);
    if (gateway !== own) others.set(gateway, Math.max(others.get(gateway) ?? 0, counter));
  }
  let rank = counterOf(storeId);
  for (const counter of others.values()) rank += counter;
  return { storeId, rank };
}

/** Whether `a` comes after `b`; undefined: nobody has set it since the object was made. */
export function isLater(a: Setter | undefined, b: Setter | undefined): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  return a.rank !== b.rank ? a.rank > b.rank : a.storeId > b.storeId;
}

/** The setter of `attribute`. An attribute may be named as what every object inherits. */
export function setBy({ setters }: Pick<VnodeStatus, 'setters'>, attribute: string): Setter | undefined {
  return Object.hasOwn(setters, attribute) ? setters[attribute] : undefined;
}

/** Whether no property can be called so. */
export function isReserved(property: string): boolean {
  return property === 'mode' || property === 'owner' || property === 'modified' || property === contents;
}

/** Those of `attributes` that `record` sets on `object`, and the setters after it. */
export function attributesSet(
  object: VnodeStatus,
  record: Mutation,
  attributes: readonly string[],
): { readonly won: ReadonlySet<string>; readonly setters: VnodeStatus['setters'] } {
  const setter = setterOf(record, object.fid);
  const won = attributes.filter((attribute) => isLater(setter, setBy(object, attribute)));
  if (won.length === 0) return { won: new Set(), setters: object.setters };
  const setters = { ...object.setters, ...Object.fromEntries(won.map((attribute) => [attribute, setter])) };
  return { won: new Set(won), setters };
}

export type Attributes = Pick<VnodeStatus, 'mode' | 'owner' | 'modified' | 'properties' | 'setters'>;

export function mergedAttributes(a: VnodeStatus, b: VnodeStatus): Attributes {
  const winnerOf = (attribute: string): VnodeStatus => {
    return isLater(setBy(b, attribute), setBy(a, attribute)) ? b : a;
  };
  const setters = new Map<string, Setter>();
  const properties = new Map<string, string>(Object.entries(a.properties));
  for (const attribute of new Set([...Object.keys(a.setters), ...Object.keys(b.setters)])) {
    const winner = winnerOf(attribute);
    const setter = setBy(winner, attribute);
    if (setter !== undefined) setters.set(attribute, setter);
    if (isReserved(attribute)) continue;
    const value = Object.hasOwn(winner.properties, attribute) ? winner.properties[attribute] : undefined;
    if (value === undefined) properties.delete(attribute);
    else properties.set(attribute, value);
  }
  return {
    mode: winnerOf('mode').mode,
    owner: winnerOf('owner').owner,
    modified: winnerOf('modified').modified,
    properties: Object.fromEntries(properties),
    setters: Object.fromEntries(setters),
  };
}
