/** Bugs in who may do what. */
import { bug, bugOf, type PlantedBug } from './bug.js';

export const rights: readonly PlantedBug[] = [
  bugOf(
    'rights-unchecked',
    'what a user may not change is changed all the same',
    [
      {
        file: 'vice/volume/apply-batch.js',
        find: 'rights.check(record);',
        replace: 'rights.passed(record);',
      },
      // The gateway asks first, so that nobody waits for a refusal.
      {
        file: 'venus/access/access-guard.js',
        find: 'for (const record of records)\n            rights.check(record);',
        replace: '',
      },
    ],
    'access lists',
  ),
  bug(
    'reading-unchecked',
    'who may not read is given the contents',
    'venus/access/access-guard.js',
    'return this.require(caller, parent ?? fid, right.read);',
    'return Promise.resolve();',
    'access lists',
  ),
  bug(
    'list-not-inherited',
    'a directory without a list of its own has all rights for everybody, whatever is said above',
    'vice/interface/access.js',
    'return inherited === undefined ? undefined : granted & inherited;',
    'return inherited === undefined ? undefined : granted;',
  ),
  bug(
    'looser-list-holds',
    'of lists that were set apart the last one holds alone',
    'vice/interface/access.js',
    'granted &= grantedBy(list, identity);',
    'granted = grantedBy(list, identity);',
    'access lists',
  ),
  bug(
    'list-lost',
    'of lists that were set apart replicas keep one',
    'vice/interface/merge.js',
    'return { access: byStoreId(lists) };',
    'return { access: byStoreId(lists).slice(0, 1) };',
    'access lists',
  ),
];
