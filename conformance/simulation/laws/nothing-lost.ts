/**
 * No acknowledged update is lost: contents that nobody has replaced or removed knowingly are on the servers, and so is
 * every object that somebody made and nobody removed.
 */
import { digestOf } from '../../../vice/seam/block-digests.js';
import { brief } from '../world/ledger.js';
import { contenders } from './marks.js';
import { wordsOf } from '../world/scenario.js';
import type { Law } from '../world/outcome.js';

export const nothingLost: Law = ({ ledger, looks }) => {
  const look = looks.at(-1);
  if (look === undefined) return [];
  const there = new Set<string>();
  const objects = new Set<string>();
  for (const dump of look.dumps.values()) {
    if (dump instanceof Error) continue;
    for (const { versions, status, fid } of dump) {
      objects.add(fid);
      // Not those that are set aside: they are there no more for those who look.
      for (const text of versions.slice(0, 1 + status.siblings.length)) there.add(text);
    }
  }
  const broken: string[] = [];
  for (const [text, { by, deed, end }] of ledger.standing()) {
    if (there.has(text) || ledger.forgiven.has(digestOf(Buffer.from(text)))) continue;
    const path = 'path' in deed ? deed.path : '';
    broken.push(`${brief(text)}, put as ${path} by ${by}, acknowledged at ${end}, is on no server`);
  }
  const contested = contenders(ledger);
  // Of two that want one name a rename takes the one that bears it then, perhaps over another one: its contents are
  // a version of that one since.
  const renamed = ledger.attempts.flatMap(({ deed, outcome, takes }) =>
    deed.do === 'rename' && outcome === 'ok' ? [...takes] : [],
  );
  const moved = new Set(renamed.flatMap((fid) => [...(contested.get(fid) ?? [])]));
  for (const [fid, { by, deed, end }] of ledger.living()) {
    if (objects.has(fid) || ledger.forgiven.has(fid) || moved.has(fid)) continue;
    broken.push(`${fid} is on no server, though ${by} was told of ${wordsOf(deed)} at ${end}`);
  }
  return broken;
};
