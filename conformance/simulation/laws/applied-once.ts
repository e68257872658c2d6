/**
 * No update is applied twice: no replica counts more updates of an object than gateways have ever sent of it, however
 * often they repeated them, nor more at another replica than that one has. And no replica goes back behind what it has
 * flushed and told.
 *
 * Of a replica whose disk was lost, its updates may be counted once more for each loss: which ones it had applied went
 * with the disk. The others bring it the objects with their counts of it, and when a gateway sends such an update once
 * more, it counts that as it counts everything that came by resolution before its record (countOnce in
 * vice/volume/apply-batch.ts). Not to count would be wrong: the gateway tells the others that this replica has the
 * update, and they must not count more of it than it does. That it counts more itself hides nothing, since its count
 * still grows with each of its updates.
 */
import type { Law } from '../world/outcome.js';
import type { Scenario } from '../world/scenario.js';

export const appliedOnce: Law = ({ scenario, ledger, looks, regressions }) => {
  const broken = regressions.map(({ server, fid, what }) => `${server}: ${fid} ${what}`);
  const [look] = looks;
  for (const [server, dump] of look?.dumps ?? []) {
    if (dump instanceof Error) continue;
    for (const { fid, path, vv } of dump) {
      const sent = ledger.sent.get(fid)?.size ?? 0;
      for (const [replica, count] of Object.entries(vv)) {
        if (count > sent * (1 + lossesOf(replica, scenario)))
          broken.push(`${server}: ${path} counts ${count} updates at ${replica}; ${sent} were ever sent`);
      }
    }
  }
  return broken;
};

function lossesOf(server: string, { steps }: Scenario): number {
  return steps.filter((step) => step.do === 'wipe' && step.at === server).length;
}
