/**
 * Kinds of trouble. A seed has one, and its own mixture within it (swarm testing, Groce et al. 2012): what is dense in
 * a short run meets more than everything thinly in a long one.
 */
import { decidedApart, listsSplit } from './apart.js';
import { look, race } from './deeds.js';
import {
  copyRot,
  cloned,
  forgottenDisk,
  full,
  halfFetched,
  loss,
  oldDisk,
  restored,
  rot,
  rowRot,
  slowDisk,
  writeFails,
} from './disks.js';
import { brokenCatchUp, cameAndWent, forgotten, heardOfRemoval, lagging, weakMeanwhile } from './lagging.js';
import { largeTree, smallTree } from './large-trees.js';
import { deniedLater, deniedReading, lists, listsApart } from './lists.js';
import { kept, steppedAside, tight } from './quotas.js';
import { resize } from './resizing.js';
import {
  type Scene,
  away,
  bursting,
  calm,
  everybodyDies,
  gatewayCrash,
  lonelyCrash,
  lonelyWork,
  saving,
  some,
  watching,
  wrongClock,
} from './scenes.js';
import { across, administered, crashAcross, oneLost } from './two-volumes.js';
import { borrowed, circle, island, mishap, noise, outage, split, trickle } from './troubles.js';

export interface Profile {
  readonly name: string;
  readonly servers: readonly number[];
  readonly gateways: readonly number[];
  readonly hot: readonly number[];
  readonly pauses: readonly number[];
  /** How many scenes, at most. */
  readonly scenes: number;
  /** How many of the servers hold a replica at first; absent: all, for ever. */
  readonly holding?: readonly number[];
  /** A second volume is mounted in the tree. */
  readonly hasAnnex?: boolean;
  /** As in a scenario. */
  readonly graceMs?: number;
  /** Scene and how often; a seed leaves some out. */
  readonly mixture: readonly (readonly [Scene, number])[];
}

const usual = {
  servers: [3, 3, 3, 3, 4, 5],
  gateways: [2, 2, 2, 3],
  hot: [1, 2, 4],
  pauses: [0, 0, 1, 2, 5, 20],
};

export const profiles: readonly Profile[] = [
  {
    ...usual,
    name: 'calm office',
    pauses: [0, 1, 5, 20, 100],
    scenes: 14,
    mixture: [
      [some, 3],
      [race, 3],
      [look, 3],
      [saving, 1],
      [bursting, 2],
      [lists, 2],
      [smallTree, 2],
    ],
  },
  {
    ...usual,
    name: 'one server',
    servers: [1],
    scenes: 14,
    mixture: [
      [some, 3],
      [race, 5],
      [saving, 1],
      [look, 1],
    ],
  },
  {
    ...usual,
    name: 'hot file',
    hot: [1],
    scenes: 12,
    mixture: [
      [some, 2],
      [race, 5],
      [noise, 1],
      [saving, 1],
      [watching, 1],
      [bursting, 2],
    ],
  },
  {
    ...usual,
    name: 'split servers',
    scenes: 6,
    mixture: [
      [split, 5],
      [decidedApart, 1.5],
      [race, 1],
      [outage, 1],
      [look, 1],
    ],
  },
  {
    ...usual,
    name: 'lagging replicas',
    scenes: 5,
    mixture: [
      [lagging, 4],
      [brokenCatchUp, 3],
      [cameAndWent, 1],
      [heardOfRemoval, 2],
      [forgotten, 1],
      [weakMeanwhile, 2],
      [largeTree, 0.4],
      [some, 1],
      [bursting, 0.5],
    ],
  },
  {
    ...usual,
    name: 'access lists',
    scenes: 9,
    mixture: [
      [lists, 5],
      [listsApart, 2],
      [listsSplit, 2],
      [deniedLater, 1],
      [deniedReading, 1],
      [lagging, 0.5],
      [outage, 0.7],
      [gatewayCrash, 0.7],
      [lonelyWork, 1],
      [circle, 0.3],
    ],
  },
  {
    ...usual,
    name: 'islands',
    scenes: 7,
    mixture: [
      [island, 5],
      [listsApart, 1],
      [circle, 2],
      [some, 1],
      [calm, 0.3],
    ],
  },
  {
    ...usual,
    name: 'crash-happy gateways',
    scenes: 8,
    mixture: [
      [gatewayCrash, 3],
      [lonelyCrash, 4],
      [forgotten, 1.5],
      [largeTree, 0.4],
      [race, 1],
      [saving, 1],
    ],
  },
  {
    ...usual,
    name: 'crash-happy servers',
    scenes: 7,
    mixture: [
      [outage, 5],
      [everybodyDies, 1],
      [race, 1],
      [look, 0.5],
    ],
  },
  {
    ...usual,
    name: 'lossy network',
    scenes: 9,
    mixture: [
      [noise, 5],
      [mishap, 4],
      [some, 1],
      [race, 2],
      [watching, 1],
    ],
  },
  {
    ...usual,
    name: 'restored gateways',
    scenes: 5,
    mixture: [
      [restored, 4],
      [cloned, 3],
      [some, 1],
      [lonelyCrash, 1],
    ],
  },
  {
    ...usual,
    name: 'bad disks',
    scenes: 8,
    mixture: [
      [writeFails, 3],
      [full, 2],
      [rot, 2],
      [rowRot, 3],
      [copyRot, 2],
      [halfFetched, 2],
      [loss, 1],
      [oldDisk, 1.5],
      [race, 1],
    ],
  },
  {
    ...usual,
    name: 'slow disks',
    scenes: 6,
    mixture: [
      [slowDisk, 5],
      [race, 1],
      [some, 1],
      [noise, 1],
      [lonelyWork, 1],
      [outage, 0.7],
      [gatewayCrash, 0.7],
    ],
  },
  {
    ...usual,
    name: 'weekend',
    scenes: 8,
    mixture: [
      [lonelyWork, 4],
      [borrowed, 2],
      [trickle, 2],
      [island, 2],
      [wrongClock, 1],
    ],
  },
  {
    ...usual,
    name: 'forgetful servers',
    graceMs: 10_000,
    scenes: 3,
    mixture: [
      [forgottenDisk, 3],
      [away, 2],
      [some, 2],
    ],
  },
  {
    ...usual,
    name: 'long away',
    scenes: 4,
    mixture: [
      [away, 4],
      [some, 1],
      [island, 1],
    ],
  },
  {
    ...usual,
    name: 'resized group',
    servers: [4, 5],
    holding: [1, 2, 3],
    scenes: 8,
    mixture: [
      [resize, 5],
      [race, 2],
      [outage, 1],
      [gatewayCrash, 1],
      [island, 1],
      [split, 0.5],
      [noise, 0.5],
    ],
  },
  {
    ...usual,
    name: 'two volumes',
    servers: [3, 4, 4, 5],
    hot: [2, 3, 4],
    hasAnnex: true,
    scenes: 7,
    mixture: [
      [across, 4],
      [oneLost, 4],
      [crashAcross, 1],
      [administered, 2],
      [lists, 2],
      [island, 0.7],
      [outage, 0.7],
      [noise, 0.5],
    ],
  },
  {
    ...usual,
    name: 'administrators',
    pauses: [0, 1, 5, 20, 100],
    hot: [2, 3, 4],
    servers: [3, 4],
    hasAnnex: true,
    scenes: 8,
    mixture: [
      [administered, 4],
      [tight, 4],
      [lists, 1],
      [kept, 2],
      [steppedAside, 1.5],
      [across, 2],
      [look, 1],
    ],
  },
  {
    ...usual,
    name: 'everything',
    scenes: 8,
    mixture: [
      ...([
        [some, 2],
        [race, 2],
        [island, 2],
        [outage, 2],
        [split, 1],
        [noise, 2],
        [lonelyCrash, 2],
      ] as const),
      ...([
        [lagging, 1],
        [brokenCatchUp, 1],
        [bursting, 1],
        [lists, 0.3],
        [largeTree, 0.3],
      ] as const),
      ...([
        [writeFails, 1],
        [rot, 1],
        [loss, 0.5],
        [restored, 0.5],
        [wrongClock, 1],
        [calm, 0.5],
      ] as const),
      ...([
        [everybodyDies, 0.5],
        [lonelyWork, 1],
        [borrowed, 1],
        [trickle, 0.3],
        [away, 0.2],
        [mishap, 1],
      ] as const),
      ...([
        [slowDisk, 1],
        [gatewayCrash, 1],
        [saving, 0.5],
        [smallTree, 0.5],
        [rowRot, 0.5],
        [halfFetched, 0.3],
        [full, 0.3],
      ] as const),
      ...([
        [forgotten, 0.5],
        [cameAndWent, 0.3],
        [heardOfRemoval, 0.3],
        [weakMeanwhile, 0.3],
        [decidedApart, 0.3],
        [circle, 0.3],
      ] as const),
    ],
  },
];
