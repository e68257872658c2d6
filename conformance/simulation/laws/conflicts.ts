/**
 * Conflicts are complete and readable: what the replicas hold in conflict every gateway lists, every version of it can
 * be opened; when all are decided none is left.
 */
import type { Law } from '../world/outcome.js';

export const conflicts: Law = ({ looks }) => {
  const broken: string[] = [];
  for (const { when, dumps, views } of looks) {
    const dump = [...dumps.values()].find((each) => !(each instanceof Error));
    if (dump === undefined || dump instanceof Error) continue;
    const expected = dump
      .flatMap(({ fid, conflicts: kinds }) => kinds.map((kind) => `${kind} ${fid}`))
      .sort();
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
