/** Bugs in what becomes of rows that a disk has spoilt. */
import { bug, bugOf, type PlantedBug } from './bug.js';

const profile = 'bad disks';

export const damage: readonly PlantedBug[] = [
  // The scrub would count again what the merge has left wrong.
  bugOf(
    'lost-row-counted-twice',
    'of a folder in which a damaged record was replaced the digests go on as if nothing had been counted for it',
    [
      {
        file: 'vice/store/name-rows.js',
        find: 'this.doubtful.add(directory);\n        return { directory, name, wanted',
        replace: 'return { directory, name, wanted',
      },
      {
        file: 'vice/scrub/examine.js',
        find: 'if (isNamed && areChildren)',
        replace: 'if (true)',
      },
    ],
    profile,
  ),
  bug(
    'lost-name-not-asked-for',
    'a gateway that has lost a name of a folder goes on showing the folder as if it were whole',
    'venus/cache/object-cache.js',
    'this.onDamaged(key);\n                this.unlist(directory);',
    'this.onDamaged(key);',
    profile,
  ),
  bug(
    'copy-not-looked-at',
    "a server whose record of a volume, or of the realm, cannot be read does not look at that record's copy",
    'vice/seam/kept-twice.js',
    'return unseal(copy ?? stored);',
    'return unseal(stored);',
    profile,
  ),
  // Harmless, but for ever: nobody sees it, and disks fill.
  bug(
    'applied-kept-for-ever',
    'a server goes on remembering updates one by one that will not come again',
    'vice/store/update-rows.js',
    'for (const { key } of rows)',
    'for (const { key } of [])',
  ),
  bug(
    'second-phase-kept',
    'a server goes on waiting for the second phase of an update that has come',
    'vice/volume/cop2.js',
    'transaction.updates.forgetCop2(storeId);',
    '',
  ),
  bug(
    'removed-stays-cached',
    'a gateway keeps for ever what it has cached of objects that others have removed',
    'venus/volume/nameless-objects.js',
    'await this.#askOthers(asked);',
    '',
  ),
];
