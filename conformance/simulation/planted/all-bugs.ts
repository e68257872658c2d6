/** All planted bugs. */
import { rights } from './access-bugs.js';
import type { PlantedBug } from './bug.js';
import { callbacks, certification, durability, upkeep } from './bugs.js';
import { damage } from './damage-bugs.js';
import { logging, merging } from './merging-bugs.js';
import { severalVolumes } from './volume-bugs.js';

export const plantedBugs: readonly PlantedBug[] = [
  ...durability,
  ...upkeep,
  ...callbacks,
  ...certification,
  ...merging,
  ...logging,
  ...rights,
  ...severalVolumes,
  ...damage,
];

export function plantedBug(name: string): PlantedBug {
  const found = plantedBugs.find((bug) => bug.name === name);
  if (found === undefined) throw new Error(`no bug is planted under the name ${name}`);
  return found;
}
