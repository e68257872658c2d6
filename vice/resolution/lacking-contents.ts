/** Looks whether the contents of all that a replica holds are on its disk, and gets those that are not. */
import {
  emptyDigest,
  isCovered,
  isFailure,
  isRemoved,
  parseFid,
  versionsOf,
  wantedVersions,
  type FileData,
  type VnodeStatus,
} from '../interface/index.js';
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
      for (const version of versionsOf(status)) {
        const { digest } = version;
        if (digest === emptyDigest || (await containers.has(digest))) continue;
        const release = replica.hold(digest);
        try {
          await fetch(digest);
        } catch (error) {
          if (!isFailure(error)) throw error;
          const isNowhere = isFailure(error, 'not-found');
          // Superseded meanwhile: nobody needs it any more.
          if (isOwed(status, version, isNowhere) && replica.names(digest)) lacking += 1;
        } finally {
          release();
        }
      }
    }
    await sleep(clock, 0);
  }
  return lacking;
}

/**
 * Not what a removal covers: that was given up, and where nobody has it nobody ever will (vice/volume/merge-step.ts).
 * Who waits for it waits for ever.
 */
function isOwed(status: VnodeStatus, version: FileData, isNowhere: boolean): boolean {
  if (!isCovered(version, status.gone)) return true;
  return !isNowhere && wantedVersions(status).includes(version);
}
