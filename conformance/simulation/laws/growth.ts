/**
 * Nothing grows without bound: at rest logs are empty, no body is half written, and a server has the rows and the
 * containers that its objects need, and no more. Where a gateway died, a server may wait for it with what it had
 * announced: it is looked at when that time is over (world/inspector.ts).
 */
import type { Law, Look, Size } from '../world/outcome.js';
import type { Scenario } from '../world/scenario.js';

export const growth: Law = ({ scenario, sizes, settledMs, looks }) => {
  const look = looks.at(-1);
  if (settledMs === undefined || look === undefined) return [];
  return sizes.flatMap((size) => {
    const broken: string[] = [];
    const same = (what: string, is: number, should: number, more = 0): void => {
      if (is < should || is > should + more)
        broken.push(`${size.host} has ${is} ${what}, where it needs ${should}`);
    };
    same('rows of an empty log', size.logRows, 0);
    same('bodies half written', size.spools, 0);
    if (size.isServer) compare(size, look, same, rotten(scenario, size.host));
    return broken;
  });
};

type Same = (what: string, is: number, should: number, more?: number) => void;

/** How many rows of a server may have been damaged. */
function rotten({ steps }: Scenario, host: string): number {
  return steps.filter((step) => step.do === 'flip-row' && step.at === host).length;
}

function compare(size: Size, look: Look, same: Same, damaged: number): void {
  const dump = look.dumps.get(size.host);
  if (dump === undefined) same('objects of a replica that is no more', size.objects, 0);
  if (dump === undefined || dump instanceof Error) return;
  const conflicts = dump.filter((object) => object.conflicts.length > 0);
  // Where the row of an object was damaged nobody knows where its last change stands: those rows stay.
  if (dump.length > 1) same('rows of last changes', size.stamps, size.objects, damaged);
  same('rows of removals', size.graves, size.objects - dump.length, damaged);
  // A root in which nothing was ever made has none.
  if (dump.length > 1) same('digests of objects', size.members, dump.length, damaged);
  same('rows of names', size.entries, dump.length - 1);
  same('rows of conflicts', size.conflicts, conflicts.length);
  same(
    'rows of names beside',
    size.besides,
    dump.filter((object) => object.conflicts.includes('name')).length,
  );
  same('containers that nothing needs', size.unnamed, 0);
}
