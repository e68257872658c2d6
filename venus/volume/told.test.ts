/** What replies are worth. */
import t from 'tap';
import { makeFid, type VenusId, type VolumeId } from '../../vice/interface/index.js';
import type { CachedObject } from '../cache/cached-object.js';
import { Breaks } from './told.js';

const fid = (vnode: number): ReturnType<typeof makeFid> =>
  makeFid('7f000001' as VolumeId, vnode, '00000000000000aa' as VenusId);
const group = (): readonly string[] => ['s1', 's2', 's3'];
const before = (epoch: number, suspect: boolean, unheard: readonly string[]): CachedObject =>
  ({ epoch, suspect, unheard }) as CachedObject;

t.test('who was not heard is remembered, unless he had confirmed what is cached', (t) => {
  const { told } = new Breaks().begin(2, group);
  const { validation } = told(['s1']);
  t.same(validation(undefined), { epoch: 2, unheard: ['s2', 's3'] });
  t.same(validation(before(1, false, [])), { epoch: 2, unheard: ['s2', 's3'] }, 'of another epoch');
  t.same(validation(before(2, true, [])), { epoch: 2, unheard: ['s2', 's3'] }, 'by a break of one of them');
  t.same(validation(before(2, false, ['s1', 's3'])), { epoch: 2, unheard: ['s3'] });
  t.same(validation(before(2, false, [])), { epoch: 2, unheard: [] });
  t.same(told(['s3', 's1', 's2']).validation(undefined), { epoch: 2, unheard: [] });
  t.end();
});

t.test('a break counts for what was begun before it', (t) => {
  const breaks = new Breaks();
  breaks.note(fid(1));
  const first = breaks.begin(1, group);
  breaks.note(fid(2));
  const second = breaks.begin(1, group);
  breaks.note(fid(3));
  const broken = ({ told }: typeof first): boolean[] =>
    [1, 2, 3].map((each) => told([]).wasBroken(fid(each)));
  t.same(broken(first), [false, true, true]);
  t.same(broken(second), [false, false, true]);
  first.end();
  t.ok(breaks.has(fid(2)), 'the second one is under way');
  second.end();
  t.notOk(breaks.has(fid(2)), 'nobody asks any more');
  t.end();
});

t.test('of more breaks than are told apart everything is broken, until nothing is under way', (t) => {
  const breaks = new Breaks();
  const fetch = breaks.begin(1, group);
  for (let vnode = 1; vnode <= 10_001; vnode += 1) breaks.note(fid(vnode));
  t.ok(fetch.told([]).wasBroken(fid(1)));
  t.ok(fetch.told([]).wasBroken(fid(20_000)));
  const later = breaks.begin(1, group);
  t.notOk(later.told([]).wasBroken(fid(1)));
  for (const each of [fetch, later]) each.end();
  t.notOk(breaks.has(fid(20_000)));
  t.end();
});
