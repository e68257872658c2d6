/** About how many bytes an object takes in a reply: most have hundreds, one with many versions a hundred times that. */
import { versionsOf, type StoreIdVector, type VnodeStatus } from '../interface/index.js';

/** Of what has a fixed form. */
const bytes = { object: 400, version: 350, place: 200, access: 200, setter: 80, counter: 28 } as const;

export function sizeOf(status: VnodeStatus): number {
  const { properties, known, gone, revived, vv, places, access = [], setters, target } = status;
  let size = bytes.object + (target?.length ?? 0);
  for (const vector of [known, gone, revived, vv]) size += sizeOfVector(vector);
  for (const name in properties) size += name.length + (properties[name]?.length ?? 0);
  for (const { vouched, givenUp } of versionsOf(status)) {
    size += bytes.version + sizeOfVector(vouched) + sizeOfVector(givenUp);
  }
  for (const { name } of places) size += bytes.place + name.length;
  for (const { list } of access) {
    size += bytes.access + (list === null ? 0 : JSON.stringify(list).length);
  }
  return size + Object.keys(setters).length * bytes.setter;
}

function sizeOfVector(vector: StoreIdVector | Readonly<Record<string, number>> = {}): number {
  return Object.keys(vector).length * bytes.counter;
}
