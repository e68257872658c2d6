/** The way up to whoever's list decides, as it is known here: it may be anything while directories move. */
import t from 'tap';
import { isFailure, type Fid, type VnodeStatus } from '../../vice/interface/index.js';
import type { ObjectCache } from '../cache/object-cache.js';
import type { Fetcher } from '../volume/fetch.js';
import { AccessGuard } from './access-guard.js';

const fid = (vnode: number): Fid => `7f000001.${vnode}.00000000000000aa` as Fid;

/** Of directories that are in each other as `parents` says. */
function guardOf(parents: ReadonlyMap<Fid, Fid | null>, isFresh: boolean): AccessGuard {
  const status = (of: Fid): Pick<VnodeStatus, 'fid' | 'parent'> => ({
    fid: of,
    parent: parents.get(of) ?? null,
  });
  return new AccessGuard({
    cache: { status } as unknown as ObjectCache,
    fetcher: {
      isFresh: () => isFresh,
      fresh: (of: Fid) => Promise.resolve({ status: status(of) }),
    } as unknown as Fetcher,
    groups: () => undefined,
  });
}

t.test('two directories in each other are no way without an end', async (t) => {
  const circle = new Map([
    [fid(2), fid(3)],
    [fid(3), fid(4)],
    [fid(4), fid(3)],
  ]);
  for (const isFresh of [true, false]) {
    const outcome: unknown = await guardOf(circle, isFresh)
      .prepare(fid(2))
      ?.catch((error: unknown) => error);
    t.ok(isFailure(outcome, 'busy'), 'who asks is told to try again');
  }
});

t.test('what is known all the way up is not asked for', async (t) => {
  const tree = new Map([[fid(2), fid(1)]]);
  t.equal(guardOf(tree, true).prepare(fid(2)), undefined);
  await guardOf(tree, false).prepare(fid(2));
});
