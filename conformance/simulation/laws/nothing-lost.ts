/** No acknowledged update is lost: contents that nobody has replaced or removed knowingly are on every server. */
import { digestOf } from '../../../vice/seam/block-digests.js';
import { brief } from '../world/ledger.js';
import type { Law } from '../world/outcome.js';

export const nothingLost: Law = ({ ledger, looks }) => {
  const look = looks.at(-1);
  if (look === undefined) return [];
  const there = new Set<string>();
  for (const dump of look.dumps.values()) {
    if (dump instanceof Error) continue;
    for (const { versions, status } of dump) {
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
  return broken;
};
