/** Healed, everything comes together in bounded time: replicas are equal, gateways show them, logs are empty. */
import { firstDifference, withoutOrder, type ReplicaDump } from '../replica-dump.js';
import type { Law, Look } from '../world/outcome.js';

export const convergence: Law = ({ looks, settledMs }) => {
  const broken: string[] = [];
  if (settledMs === undefined) broken.push('healed, the realm did not come together in time');
  for (const look of looks) broken.push(...judge(look));
  return broken;
};

function judge({ when, dumps, views }: Look): readonly string[] {
  const broken: string[] = [];
  const [first, ...others] = [...dumps].flatMap(([server, dump]) =>
    dump instanceof Error ? [] : [{ server, dump }],
  );
  for (const { server, dump } of others) {
    const difference = firstDifference(lines(first?.dump), lines(dump));
    if (difference !== undefined)
      broken.push(`${when}: ${first?.server} and ${server} differ: ${difference}`);
  }
  const paths = (first?.dump ?? []).flatMap(({ path }) => (path === '' ? [] : [path])).sort();
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

function lines(dump: ReplicaDump | undefined): readonly string[] {
  return dump === undefined ? [] : withoutOrder(dump);
}
