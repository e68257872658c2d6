/** The fast check of an object's status and its form as zod has it say the same of any value. */
import fc from 'fast-check';
import t from 'tap';
import { scaled } from '../../conformance/test-scale.js';
import { emptyRoot } from './empty-root.js';
import type { Fid } from './fid.js';
import { isStatus } from './status-check.js';
import type { StoreId } from './store-id.js';
import { statusForm } from './value-schemas.js';
import type { FileData, VnodeStatus } from './vnode.js';

const fid = '7f000001.2.00000000000000aa' as Fid;
const storeId = '00000000000000aa:7' as StoreId;
const origin = { storeId, author: 'ann', host: 'g1' };
const data: FileData = {
  ...{ ...origin, mark: storeId, length: 3, digest: 'a'.repeat(64), modified: 1.5, saved: -2 },
  vouched: { aa: 1 },
  givenUp: {},
};
/** With every member that there can be. */
const full: VnodeStatus = {
  ...emptyRoot(fid),
  kind: 'file',
  parent: fid,
  vv: { r1: 2 },
  storeId,
  rank: 3,
  known: { '00000000000000aa': 7 },
  data,
  siblings: [data],
  setAside: [data, data],
  places: [{ ...origin, parent: fid, name: 'n', time: 1, isBroken: false }],
  gone: { x: 1 },
  revived: { x: 1 },
  access: [
    { ...origin, time: 1, list: { positive: { ann: 127 }, negative: { bob: 1 } } },
    { ...origin, time: 1, list: null },
  ],
  target: 't',
  properties: { '{a}b': '<c/>' },
  setters: { mode: { storeId, rank: 1 } },
};

type Path = readonly string[];

function pathsIn(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, item]) => pathsIn(item, [...path, key]))];
}

/** `value` with another one at `path`; undefined at the end of it takes the member away. */
function replaced(value: unknown, [key, ...rest]: Path, by: unknown, removes: boolean): unknown {
  if (key === undefined) return by;
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<
    string,
    unknown
  >;
  if (rest.length === 0 && removes && !Array.isArray(value)) delete copy[key];
  else copy[key] = replaced(copy[key], rest, by, removes);
  return copy;
}

const odd = fc.oneof(
  fc.constantFrom<unknown>(
    ...[null, undefined, true, '', 0, -1, 0.5, 2 ** 53, 128, NaN, Infinity, {}, [], fid, storeId],
  ),
  fc.constantFrom<unknown>(
    'file',
    'x'.repeat(64),
    'x'.repeat(65),
    'y'.repeat(128),
    'y'.repeat(129),
    'z'.repeat(256),
  ),
  fc.constantFrom<unknown>(
    'b'.repeat(64),
    'B'.repeat(64),
    '0'.repeat(16),
    '0'.repeat(17),
    1n,
    { a: 1 },
    { a: -1 },
    [1],
  ),
  fc.constantFrom<unknown>({ ['k'.repeat(65)]: 1 }, { '': 1 }, [data], [{ ...data, extra: 1 }], data),
  fc.anything({ maxDepth: 2 }),
);

t.test('whole, and with one thing in it that is otherwise', async (t) => {
  t.ok(isStatus(full) && isStatus(emptyRoot(fid)));
  const paths = pathsIn(full);
  const run = fc.property(
    fc.constantFrom(...paths),
    odd,
    fc.boolean(),
    fc.boolean(),
    (path, by, removes, adds) => {
      const changed = replaced(full, adds ? [...path, 'extra'] : path, by, removes);
      return isStatus(changed) === statusForm.safeParse(changed).success;
    },
  );
  fc.assert(run, { numRuns: scaled(3000, 300) });
});

t.test('what no program of ours sends is no status', async (t) => {
  t.notOk(isStatus(JSON.parse(JSON.stringify({ ...full, vv: 0 }).replace('"vv":0', '"vv":{"__proto__":1}'))));
  t.notOk(isStatus(Object.create(full)), 'inherited members do not count');
  t.notOk(isStatus({ ...full, siblings: Array.from({ length: 10_001 }, () => data) }));
});
