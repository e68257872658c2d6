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
];
