/** Bugs of several volumes in one tree, and of what administrators want of them. */
import { bug, bugOf, type PlantedBug } from './bug.js';

export const severalVolumes: readonly PlantedBug[] = [
  bug(
    'moved-unseen',
    'a move to another volume removes what is at the source by then, also what nobody has copied',
    'gateway/webdav/move-across.js',
    '{ unchanged: status }',
    '{}',
    'two volumes',
  ),
  bug(
    'one-volume-heard',
    'a gateway heeds the breaks of the root volume only',
    'venus/volume/volume.js',
    'if (volumeOf(fid) === this.id)',
    "if (volumeOf(fid) === this.id && this.id === '7f000001')",
  ),
  bug(
    'quota-unheeded',
    'a volume takes whatever comes, whatever its quota says',
    'vice/volume/bounds.js',
    'if (quotaBytes === undefined ||',
    'if (true || quotaBytes === undefined ||',
    'administrators',
  ),
  bug(
    'space-not-given-back',
    'what is replaced or removed goes on counting as used',
    'vice/store/volume-transaction.js',
    'this.#used += bytesOf(row) - bytesOf(working.after);',
    'this.#used += Math.max(0, bytesOf(row) - bytesOf(working.after));',
  ),
  bug(
    'checksum-unheeded',
    'a row of a store is believed although its checksum does not fit',
    'vice/interface/codec.js',
    'stored.getUint32(0) !== crc32(body)',
    'false',
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
