/** Finds the objects in which two replicas differ, by digests of fewer and fewer of them: in a handful of calls. */
import { parseFid, type Fid } from '../interface/index.js';
import type { Link } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { bucketDigits } from '../store/state-digest.js';
import { ask } from './ask.js';

/** More are not looked for at once: the next round finds the rest. */
const objectsMost = 500;
const callsMost = 100;

/** Objects of `replica` and its peer's that are not the same in both. */
export async function differing(replica: Replica, link: Link, signal: AbortSignal): Promise<readonly Fid[]> {
  const { volume } = replica;
  const prefixes = [''];
  const fids: Fid[] = [];
  for (let calls = 0; calls < callsMost && fids.length < objectsMost; calls += 1) {
    // Depth first: the few buckets that differ are reached soon.
    const prefix = prefixes.pop();
    if (prefix === undefined) break;
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
  }
  return fids;
}
