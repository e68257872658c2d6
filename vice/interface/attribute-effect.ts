/** What records about an object's attributes and access list change (semantics.ts). Pure. */
import { mustBeList } from './access.js';
import { attributesSet, isReserved } from './attributes.js';
import { baseOf, changedOnly, existing, failure, touched, type Effect, type Tree } from './effect.js';
import { arranged, byStoreId } from './merge.js';
import type {
  ChmodRecord,
  ChownRecord,
  SetAccessRecord,
  SetPropertiesRecord,
  UtimesRecord,
} from './mutation.js';
import { knows } from './store-id.js';
import { versionsOf } from './versions.js';
import { limits } from './vnode.js';

export function applyAttributes(
  tree: Tree,
  record: UtimesRecord | ChmodRecord | ChownRecord | SetPropertiesRecord,
): Effect {
  const object = touched(existing(tree, record, record.fid), record);
  const { won, setters } = attributesSet(object, record, attributesOf(record));
  const after = { ...object, setters };
  switch (record.op) {
    case 'utimes': {
      const modified = won.has('modified') ? record.modified : object.modified;
      return changedOnly(arranged({ ...after, modified }, versionsOf(object), object.places));
    }
    case 'chmod':
      return changedOnly({ ...after, ...(won.has('mode') && { mode: record.mode & 0o7777 }) });
    case 'chown':
      return changedOnly({ ...after, ...(won.has('owner') && { owner: record.owner }) });
    case 'setprops': {
      const properties = new Map(Object.entries(object.properties));
      for (const name of record.remove) if (won.has(name)) properties.delete(name);
      for (const [name, value] of Object.entries(record.set)) if (won.has(name)) properties.set(name, value);
      if (propertyBytes(properties) > limits.propertyBytes) throw failure('too-large', object.fid);
      return changedOnly({ ...after, properties: Object.fromEntries(properties) });
    }
  }
}

/** A list replaces those that its author had seen. */
export function applyAccess(tree: Tree, record: SetAccessRecord): Effect {
  const directory = existing(tree, record, record.fid);
  if (directory.kind !== 'directory') throw failure('not-directory', directory.fid);
  const { storeId, list, time, author, host } = record;
  if (list !== null) mustBeList(list, directory.fid);
  const seen = baseOf(record, directory.fid);
  // Its own may have come by resolution, before the directory says that it has known the update (VR-4).
  const unseen = (directory.access ?? []).filter(
    (version) => version.storeId !== storeId && !knows(seen, version.storeId),
  );
  if (unseen.length >= limits.alternatives) throw failure('too-large', directory.fid);
  const access = byStoreId([...unseen, { storeId, list, time, author, host }]);
  return changedOnly({ ...touched(directory, record), access });
}

/** What `record` sets. @throws Failure invalid when a property is called as an attribute */
function attributesOf(
  record: UtimesRecord | ChmodRecord | ChownRecord | SetPropertiesRecord,
): readonly string[] {
  if (record.op !== 'setprops') return [{ utimes: 'modified', chmod: 'mode', chown: 'owner' }[record.op]];
  const names = [...record.remove, ...Object.keys(record.set)];
  if (names.some(isReserved)) throw failure('invalid', record.fid);
  return names;
}

function propertyBytes(properties: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [name, value] of properties) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}
