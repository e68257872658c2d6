/** What a new file is probably a new version of: what its author has used there last, if it is about as long. */
import t from 'tap';
import type { Fid } from '../../vice/interface/index.js';
import { LatelyUsed } from './lately-used.js';
import { leastBytes } from './worth.js';

const [here, there] = ['7f000001.1.1', '7f000001.2.1'] as Fid[] as [Fid, Fid];
const fid = (vnode: number): Fid => `7f000001.${vnode.toString(16)}.1` as Fid;
const size = leastBytes * 4;

t.test('what somebody has used last in a directory', async (t) => {
  const lately = new LatelyUsed();
  t.equal(lately.likely('ann', here, size), undefined);
  lately.used('ann', { fid: fid(7), parent: here, length: size });
  t.equal(lately.likely('ann', here, size), fid(7));
  t.equal(lately.likely('ann', here, undefined), fid(7), 'a body of unknown length');
  t.equal(lately.likely('bob', here, size), undefined, 'somebody else');
  t.equal(lately.likely('ann', there, size), undefined, 'elsewhere');
  lately.used('ann', { fid: fid(8), parent: here, length: size });
  t.equal(lately.likely('ann', here, size), fid(8));
  lately.used('ann', { fid: fid(7), parent: here, length: size });
  t.equal(lately.likely('ann', here, size), fid(7), 'used again');
});

t.test('about as long', async (t) => {
  const lately = new LatelyUsed();
  lately.used('ann', { fid: fid(7), parent: here, length: size });
  lately.used('ann', { fid: fid(8), parent: here, length: size * 10 });
  t.equal(lately.likely('ann', here, size + 5), fid(7));
  t.equal(lately.likely('ann', here, size * 9), fid(8));
  t.equal(lately.likely('ann', here, size * 2), fid(7), 'twice');
  t.equal(lately.likely('ann', here, size * 3), undefined, 'neither');
  t.equal(lately.likely('ann', here, 10), undefined);
});

t.test('small files, roots, and what was long ago', async (t) => {
  const lately = new LatelyUsed();
  lately.used('ann', { fid: fid(7), parent: here, length: leastBytes - 1 });
  lately.used('ann', { fid: here, parent: null, length: size });
  t.equal(lately.likely('ann', here, undefined), undefined);
  for (let vnode = 10; vnode < 16; vnode += 1)
    lately.used('ann', { fid: fid(vnode), parent: here, length: size * 100 ** (vnode - 10) });
  t.equal(lately.likely('ann', here, size), undefined, 'four files are remembered');
  for (let count = 0; count < 2000; count += 1)
    lately.used(`user ${count}`, { fid: fid(9), parent: here, length: size });
  t.equal(lately.likely('ann', here, undefined), undefined, 'and a thousand places');
});
