/** Healed, everything comes together in bounded time: replicas are equal, gateways show them, logs are empty. */
import { firstDifference, withoutOrder, type ReplicaDump } from '../replica-dump.js';
import { annexSuffix, dumpsByVolume, type Law, type Look } from '../world/outcome.js';

export const convergence: Law = ({ looks, settledMs }) => {
  const broken: string[] = [];
  if (settledMs === undefined) broken.push('healed, the realm did not come together in time');
  for (const look of looks) broken.push(...judge(look));
  return broken;
};

function judge(look: Look): readonly string[] {
  const { when, views } = look;
  const broken: string[] = [...unequal(look, false), ...unequal(look, true)];
  const all = dumpsByVolume(look).flatMap((dump) => dump.map(({ path }) => path));
  // The root has no name; a volume bears that of the directory that it is mounted on.
  const paths = [...new Set(all)].filter((path) => path !== '').sort();
  for (const { gateway, paths: shown, pending } of views) {
    const difference = firstDifference(paths, shown);
    if (difference !== undefined)
      broken.push(`${when}: ${gateway} shows another tree than servers have: ${difference}`);
    for (const { sequence, state, reason, records } of pending) {
      const what = records.map(({ op, path }) => `${op} ${path}`).join(', ');
      broken.push(`${when}: ${gateway}: change ${sequence} (${what}) is ${state}: ${reason}`);
    }
  }
  return broken;
}

/** Replicas of the root volume that differ, or of the second one. */
function unequal({ when, dumps }: Look, isAnnex: boolean): readonly string[] {
  const broken: string[] = [];
  const [first, ...others] = [...dumps].flatMap(([replica, dump]) =>
    dump instanceof Error || replica.endsWith(annexSuffix) !== isAnnex ? [] : [{ replica, dump }],
  );
  for (const { replica, dump } of others) {
    const difference = firstDifference(lines(first?.dump), lines(dump));
    if (difference !== undefined)
      broken.push(`${when}: ${first?.replica} and ${replica} differ: ${difference}`);
  }
  return broken;
}

function lines(dump: ReplicaDump | undefined): readonly string[] {
  return dump === undefined ? [] : withoutOrder(dump);
}
