/**
 * Nothing grows without bound: at rest logs are empty, no body is half written, and a server has the rows and the
 * containers that its objects need, and no more.
 */
import type { Law, Look, Size } from '../world/outcome.js';

export const growth: Law = ({ sizes, settledMs, looks }) => {
  const look = looks.at(-1);
  if (settledMs === undefined || look === undefined) return [];
  return sizes.flatMap((size) => {
    const broken: string[] = [];
    const same = (what: string, is: number, should: number): void => {
      if (is !== should) broken.push(`${size.host} has ${is} ${what}, where it needs ${should}`);
    };
    same('rows of an empty log', size.logRows, 0);
    same('bodies half written', size.spools, 0);
    if (size.isServer) compare(size, look, same);
    return broken;
  });
};

function compare(size: Size, look: Look, same: (what: string, is: number, should: number) => void): void {
  const dump = look.dumps.get(size.host);
  if (dump === undefined) same('objects of a replica that is no more', size.objects, 0);
  if (dump === undefined || dump instanceof Error) return;
  const conflicts = dump.filter((object) => object.conflicts.length > 0);
  if (dump.length > 1) same('rows of last changes', size.stamps, size.objects);
  same('rows of removals', size.graves, size.objects - dump.length);
  same('rows of names', size.entries, dump.length - 1);
  same('rows of conflicts', size.conflicts, conflicts.length);
  same(
    'rows of names beside',
    size.besides,
    dump.filter((object) => object.conflicts.includes('name')).length,
  );
  same('containers that nothing needs', size.unnamed, 0);
}
