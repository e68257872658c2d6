/**
 * No update is applied twice: no replica counts more updates of an object than gateways have ever sent of it, however
 * often they repeated them, nor more at another replica than that one has. And no replica goes back behind what it has
 * flushed and told.
 */
import type { Law } from '../world/outcome.js';

export const appliedOnce: Law = ({ ledger, looks, regressions }) => {
  const broken = regressions.map(({ server, fid, what }) => `${server}: ${fid} ${what}`);
  const [look] = looks;
  for (const [server, dump] of look?.dumps ?? []) {
    if (dump instanceof Error) continue;
    for (const { fid, path, vv } of dump) {
      const sent = ledger.sent.get(fid)?.size ?? 0;
      for (const [replica, count] of Object.entries(vv)) {
        if (count > sent)
          broken.push(`${server}: ${path} counts ${count} updates at ${replica}; ${sent} were ever sent`);
      }
    }
  }
  return broken;
};
