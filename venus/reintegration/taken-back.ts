/**
 * Changes that the log answered for and servers have refused for good. The cache goes on showing what they came to, for
 * those who cannot ask, until servers say what there is instead.
 *
 * TB-1  What an object was taken back of it does not know (`LocalLog`), and no server has it: it is no version, place
 *       or list beside another one. Whoever changes the object has it before their eyes, so their change replaces it
 *       in the view. Servers are told only of what they can have: the record's base stays as it is.
 */
import {
  knows,
  versionsOf,
  withStoreId,
  type Fid,
  type Mutation,
  type StoreIdVector,
  type Tree,
} from '../../vice/interface/index.js';

/** `record` as it is carried out in the view that `tree` shows (TB-1). */
export function overTakenBack(tree: Tree, record: Mutation): Mutation {
  let base = record.base;
  for (const [fid, seen] of Object.entries(record.base) as [Fid, StoreIdVector][]) {
    const status = tree.status(fid);
    if (status === undefined) continue;
    const shown = [...versionsOf(status), ...status.places, ...(status.access ?? [])];
    const takenBack = shown.filter(({ storeId }) => !knows(status.known, storeId));
    if (takenBack.length === 0) continue;
    base = { ...base, [fid]: takenBack.reduce((all, { storeId }) => withStoreId(all, storeId), seen) };
  }
  return base === record.base ? record : { ...record, base };
}
