/**
 * Conflicts are complete and readable: what the replicas hold in conflict every gateway lists, every version of it can
 * be opened; when all are decided none is left. Where one server alone says what comes first and nothing ever went
 * wrong there are none.
 */
import type { DumpedObject } from '../replica-dump.js';
import { dumpsByVolume, type Law } from '../world/outcome.js';

export const conflicts: Law = ({ looks, scenario, ledger }) => {
  const broken: string[] = [];
  const mayDiffer = scenario.servers > 1 || ledger.troubles.length > 0;
  for (const look of looks) {
    const { when, views } = look;
    const dump = dumpsByVolume(look).flat();
    if (dump.length === 0) continue;
    const expected = dump.flatMap((object) => kindsOf(object).map((kind) => `${kind} ${object.fid}`)).sort();
    if (!mayDiffer && expected.length > 0)
      broken.push(`${when}: nothing ever went wrong, and there is ${expected.join(', ')}`);
    for (const { gateway, conflicts: reports, texts } of views) {
      const listed = reports.map(({ kind, fid }) => `${kind} ${fid}`).sort();
      const missing = expected.filter((each) => !listed.includes(each));
      const extra = listed.filter((each) => !expected.includes(each));
      if (missing.length > 0) broken.push(`${when}: ${gateway} does not list ${missing.join(', ')}`);
      if (extra.length > 0) broken.push(`${when}: ${gateway} lists ${extra.join(', ')}, which no server has`);
      if (when === 'repaired' && listed.length > 0)
        broken.push(`${gateway}: still in conflict: ${listed.join(', ')}`);
      const shown = new Set(texts);
      for (const { path, versions, status } of dump) {
        for (const text of versions.slice(0, 1 + status.siblings.length)) {
          if (!shown.has(text)) broken.push(`${when}: ${gateway} shows no file with a version of ${path}`);
        }
      }
    }
  }
  return broken;
};

/** Said again, in other words than the product's (vice/interface/conflict.ts). */
function kindsOf({ path, versions, status, conflicts: own }: DumpedObject): readonly string[] {
  const kinds = own.filter((kind) => kind !== 'versions' && kind !== 'name');
  if (new Set(versions.slice(0, 1 + status.siblings.length)).size > 1) kinds.push('versions');
  const wanted = status.places[0]?.name;
  if (wanted !== undefined && !path.endsWith(`/${wanted}`)) kinds.push('name');
  return kinds;
}
