/** Bugs of several volumes in one tree, and of what administrators want of them. */
import { bug, bugOf, type PlantedBug } from './bug.js';

export const severalVolumes: readonly PlantedBug[] = [
  bug(
    'moved-unseen',
    'a move to another volume removes what is at the source by then, also what nobody has copied',
    'gateway/webdav/move-across.js',
    '{ unchanged: status }',
    '{}',
  ),
  bug(
    'copied-without-contents',
    'a copy for another volume names contents that neither its servers nor the gateway have',
    'venus/change/changes.js',
    'volume.id !== volumeOf(target) ||',
    '',
  ),
  bug(
    'one-volume-heard',
    'a gateway heeds the breaks of the root volume only',
    'venus/volume/volume.js',
    'if (volumeOf(fid) === this.id)',
    "if (volumeOf(fid) === this.id && this.id === '7f000001')",
  ),
  bugOf('lock-unheeded', 'a locked volume is changed all the same', [
    { file: 'vice/volume/bounds.js', find: 'if (locked === true) {', replace: 'if (false) {' },
    {
      file: 'venus/volume/volume.js',
      find: 'this.#isLocked = entry.locked === true || entry.restoring !== undefined;',
      replace: 'this.#isLocked = false;',
    },
  ]),
];
