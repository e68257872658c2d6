/** People on the two sides of a cut through the servers who decide, or order, about one thing without each other. */
import { put } from './deeds.js';
import type { Draft } from './draft.js';
import { ann, some } from './lists.js';
import { cutThrough } from './troubles.js';

/** A file is saved on both sides; when all has come together, both sides decide about its versions, apart again. */
export function decidedApart(draft: Draft): void {
  const [one, other] = [draft.sessionOf('g1'), draft.sessionOf('g2')];
  const path = draft.file();
  draft.deed(put(draft, one, path), 300);
  cutThrough(draft);
  draft.wait(4000);
  for (const by of [one, other, one].slice(draft.below(2))) draft.deed(put(draft, by, path), 50);
  draft.mend();
  draft.wait(3000);
  for (const by of [one, other]) draft.deed({ do: 'list', by, path: parentOf(path) }, 50);
  draft.wait(draft.pick([300, 3000]));
  cutThrough(draft);
  draft.wait(4000);
  const first = draft.below(2);
  for (const [index, by] of [one, other].entries()) {
    const pick = draft.chance(0.7) ? ((first + index) % 2) * 0.6 : draft.pick([0, 0.6, 'all'] as const);
    draft.deed({ do: 'repair', by, path, pick }, 50);
  }
  if (draft.chance(0.4))
    draft.deed(draft.pick([put(draft, one, path), { do: 'remove', by: other, path }]), 50);
  if (draft.chance(0.3)) draft.deed({ do: 'repair', by: draft.pick([one, other]), path, pick: 0 }, 50);
  draft.mend();
  draft.wait(draft.pick([50, 3000]));
}

/** The list of one directory is set on both sides. */
export function listsSplit(draft: Draft): void {
  const path = draft.directory();
  cutThrough(draft);
  draft.wait(4000);
  for (const gateway of ['g1', 'g2'])
    draft.deed({ do: 'setacl', by: ann(gateway), path, list: some(draft) }, 20);
  if (draft.chance(0.5)) draft.deed(put(draft, draft.pick(draft.sessions), draft.nameIn(path)), 50);
  draft.mend();
  draft.wait(draft.pick([50, 3000]));
}

function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}
