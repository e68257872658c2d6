/** Looks whether the contents of all that a replica holds are on its disk, and gets those that are not. */
import { emptyDigest, isFailure, isRemoved, parseFid, versionsOf } from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Containers } from '../seam/containers.js';
import type { Replica } from '../volume/replica.js';

export interface ContentsWorld {
  readonly clock: Clock;
  readonly containers: Containers;
}

/** The answer is how many nobody has. `fetch` gets one from a peer. */
export async function lackingContents(
  replica: Replica,
  { clock, containers }: ContentsWorld,
  fetch: (digest: string) => Promise<void>,
): Promise<number> {
  let lacking = 0;
  const prefixes = [''];
  for (let prefix = prefixes.pop(); prefix !== undefined; prefix = prefixes.pop()) {
    for (const part of replica.digests(prefix).keys()) {
      const fid = parseFid(part);
      if (fid === undefined) {
        prefixes.push(part);
        continue;
      }
      const status = replica.held(fid);
      if (status === undefined || isRemoved(status)) continue;
      for (const { digest } of versionsOf(status)) {
        if (digest === emptyDigest || (await containers.has(digest))) continue;
        const release = replica.hold(digest);
        try {
          await fetch(digest);
        } catch (error) {
          if (!isFailure(error)) throw error;
          // Superseded meanwhile: nobody needs it any more.
          if (replica.names(digest)) lacking += 1;
        } finally {
          release();
        }
      }
    }
    await sleep(clock, 0);
  }
  return lacking;
}
