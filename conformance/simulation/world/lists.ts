/** Access lists in scenarios: who may do what is changed while it is done. */
import { parseRights, type AccessList } from '../../../vice/interface/index.js';
import { chatter, put } from './deeds.js';
import type { Draft } from './draft.js';
import type { Deed } from './scenario.js';

const rights = ['none', 'l', 'rl', 'li', 'rlid', 'write', 'all'] as const;

/** `bob:rl cid:none` as a list. Ann has all rights: the realm is looked at in her name. */
export function listOf(text: string): AccessList | null {
  if (text === '') return null;
  const positive: Record<string, number> = { ann: parseRights('all') ?? 0 };
  for (const entry of text.split(' ')) {
    const [who = '', granted = ''] = entry.split(':');
    positive[who] = parseRights(granted) ?? 0;
  }
  return { positive, negative: {} };
}

/** A directory's list is set while everybody works in it. */
export function lists(draft: Draft): void {
  const path = draft.directory();
  const anns = draft.sessions.filter((session) => session.endsWith('/ann'));
  const sets = (): void => {
    // Others are refused, but where they have `a`.
    const by = anns.length > 0 && draft.chance(0.9) ? draft.pick(anns) : draft.pick(draft.sessions);
    const list = draft.chance(0.25) ? '' : `bob:${draft.pick(rights)} cid:${draft.pick(rights)}`;
    draft.deed({ do: 'setacl', by, path: draft.chance(0.8) ? path : draft.directory(), list });
  };
  if (draft.chance(0.7)) sets();
  draft.wait(draft.pick([0, 0, 5, 1300]));
  for (let index = 2 + draft.below(5); index > 0; index -= 1) within(draft, path);
  if (draft.chance(0.5)) sets();
  for (let index = draft.below(4); index > 0; index -= 1) within(draft, path);
}

function within(draft: Draft, path: string): void {
  const by = draft.pick(draft.sessions);
  const name = draft.nameIn(path);
  if (draft.chance(0.2)) return chatter(draft, by);
  draft.deed(
    draft.pick<Deed>([
      put(draft, by, name),
      put(draft, by, name),
      { do: 'get', by, path: name },
      { do: 'get', by, path: name },
      { do: 'list', by, path },
      { do: 'mkdir', by, path: name },
      { do: 'remove', by, path: name },
      { do: 'rename', by, path: name, to: draft.name() },
      { do: 'rename', by, path: draft.file(), to: name },
      { do: 'copy', by, path: name, to: draft.name() },
      { do: 'setprop', by, path: name, name: '{x}p0', value: `<v>${draft.number()}</v>` },
    ]),
  );
}
