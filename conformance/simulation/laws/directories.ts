/** Directories are sound on every replica: every name names an object, once; every object has one parent; no circle. */
import type { Law } from '../world/outcome.js';

export const directories: Law = ({ looks }) => {
  const broken: string[] = [];
  for (const { when, dumps } of looks) {
    for (const [server, dump] of dumps) {
      if (dump instanceof Error) {
        broken.push(`${when}: ${server} is no tree: ${dump.message}`);
        continue;
      }
      const seen = new Map<string, string>();
      for (const { fid, path } of dump) {
        const other = seen.get(fid);
        if (other !== undefined) broken.push(`${when}: ${server}: ${fid} is both ${other} and ${path}`);
        seen.set(fid, path);
      }
    }
  }
  return broken;
};
