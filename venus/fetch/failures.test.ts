/** What a reader is told when nobody has sent the contents. */
import t from 'tap';
import { Failure, rootFid, type VolumeId } from '../../vice/interface/index.js';
import type { Member } from '../volume/volume.js';
import { cannotFetch } from './failures.js';

const fid = rootFid('7f000001' as VolumeId);
const [one, other] = [{ replica: '1' } as Member, { replica: '2' } as Member];
const absent = new Failure('not-found', 'vice.fetch', 'no such contents');
const silent = new Failure('timeout', 'vice.fetch', 'no answer');

t.test('contents are damaged only where every server has been asked', async (t) => {
  const members = [one, other];
  t.match(cannotFetch({ avsg: members, members }, fid, absent), { kind: 'damaged', fid, cause: absent });
  const some = cannotFetch({ avsg: [one], members }, fid, absent);
  t.match(some, { kind: 'unreachable', message: /others are out of reach/ }, 'the other one may have them');
  t.match(cannotFetch({ avsg: members, members }, fid, silent), { kind: 'unreachable' });
  const none = cannotFetch({ avsg: [], members }, fid, undefined);
  t.match(none, { kind: 'unreachable', message: /no server answers/ });
});

t.test('what says more itself is told as it is', async (t) => {
  const full = new Failure('no-space', 'containers', 'the disk is full');
  const own = new Failure('damaged', 'venus.fetch', 'other bytes than announced', { fid });
  for (const each of [full, own]) t.equal(cannotFetch({ avsg: [one], members: [one] }, fid, each), each);
});
