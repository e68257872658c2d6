/** Finds the objects in which two replicas differ, by digests of fewer and fewer of them: in a handful of calls. */
import { parseFid, type Fid } from '../interface/index.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { bucketDigits } from '../store/state-digest.js';
import { ask } from './ask.js';

/** So many are given at once, or those that so many calls have found. */
const objectsMost = 500;
const callsMost = 100;

/** Objects of `replica` and its peer's that are not the same in both, some at a time, none twice. */
export async function* differing(
  replica: Replica,
  link: Link,
  signal: AbortSignal,
): AsyncGenerator<readonly Fid[], void> {
  const { volume } = replica;
  const prefixes = [''];
  let fids: Fid[] = [];
  let calls = 0;
  // Depth first: the few buckets that differ are reached soon.
  for (let prefix = prefixes.pop(); prefix !== undefined; prefix = prefixes.pop()) {
    const { digests: theirs } = await ask(link, 'digests', { volume, prefix }, signal);
    const ours = replica.digests(prefix);
    const parts = [...new Set([...Object.keys(theirs), ...ours.keys()])];
    const unequal = parts.filter((part) => theirs[part] !== ours.get(part));
    for (const part of unequal) {
      const fid = parseFid(part);
      if (fid === undefined) prefixes.push(part);
      else fids.push(fid);
    }
    // Equal objects, unequal digests: one of the two is wrong, perhaps this one's.
    if (unequal.length === 0 && prefix.length === bucketDigits) await replica.mending.bucket(prefix);
    calls += 1;
    if (calls < callsMost && fids.length < objectsMost) continue;
    yield fids;
    [fids, calls] = [[], 0];
  }
  yield fids;
}
