/**
 * Whether a value is the status of an object: what `statusForm` (value-schemas.ts) says, in a tenth of its time. A
 * listing is checked name by name, and so is every row of a cache that is read again.
 */
import { allRights } from './access.js';
import { parseFid } from './fid.js';
import { parseStoreId } from './store-id.js';
import { limits, type VnodeStatus } from './vnode.js';

/** More than any one replica takes from a store: replicas that merge come to more. */
export const alternativesMost = 100 * limits.alternatives;

type Check = (value: unknown) => boolean;
type Form = Readonly<Record<string, Check>>;

const kinds: readonly unknown[] = ['file', 'directory', 'symlink'];
const digestForm = /^[0-9a-f]{64}$/;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isFid: Check = (value) => typeof value === 'string' && parseFid(value) !== undefined;
const isStoreId: Check = (value) => typeof value === 'string' && parseStoreId(value) !== undefined;
const isUser: Check = (value) => typeof value === 'string' && value.length > 0 && value.length <= 128;
const isHost: Check = (value) => typeof value === 'string' && value.length <= 64;

const orNull =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);

const orAbsent =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

function listOf(check: Check): Check {
  return (value) => Array.isArray(value) && value.length <= alternativesMost && value.every(check);
}

function recordOf(key: Check, item: Check): Check {
  return (value) => {
    if (!isPlain(value)) return false;
    // Inherited keys too: a plain object has none.
    for (const name in value) if (name === '__proto__' || !key(name) || !item(value[name])) return false;
    return true;
  };
}

/** An object with these members and no others. */
function formOf(form: Form): Check {
  const checks = Object.entries(form);
  return (value) => {
    if (!isPlain(value)) return false;
    for (const [name, check] of checks) if (!check(value[name])) return false;
    for (const name in value) if (!Object.hasOwn(form, name)) return false;
    return true;
  };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

const counts = recordOf(isHost, isCount);
const rights = recordOf(isUser, (value) => isCount(value) && (value as number) <= allRights);
const accessList = formOf({ positive: rights, negative: rights });

const fileData = formOf({
  storeId: isStoreId,
  mark: isStoreId,
  length: isCount,
  digest: (value) => typeof value === 'string' && digestForm.test(value),
  modified: isNumber,
  author: isUser,
  host: isHost,
  saved: isNumber,
  vouched: orAbsent(counts),
  givenUp: orAbsent(counts),
});

const place = formOf({
  parent: isFid,
  name: (value) => typeof value === 'string' && value.length > 0 && value.length <= limits.nameBytes,
  storeId: isStoreId,
  time: isNumber,
  author: isUser,
  host: isHost,
  isBroken: (value) => typeof value === 'boolean',
});

const access = formOf({
  storeId: isStoreId,
  list: orNull(accessList),
  time: isNumber,
  author: isUser,
  host: isHost,
});

const status = formOf({
  fid: isFid,
  kind: (value) => kinds.includes(value),
  parent: orNull(isFid),
  vv: counts,
  storeId: orNull(isStoreId),
  rank: orAbsent(isCount),
  known: counts,
  data: orNull(fileData),
  siblings: listOf(fileData),
  setAside: orAbsent(listOf(fileData)),
  places: listOf(place),
  gone: counts,
  revived: counts,
  access: orAbsent(listOf(access)),
  names: (value) => typeof value === 'string' && value.length <= 16,
  target: orNull(isText),
  created: isNumber,
  modified: isNumber,
  mode: isCount,
  owner: isText,
  author: isText,
  properties: recordOf(isText, isText),
  setters: recordOf(isText, formOf({ storeId: isStoreId, rank: isCount })),
} satisfies Record<keyof VnodeStatus, Check>);

export function isStatus(value: unknown): value is VnodeStatus {
  return status(value);
}
