/** Access lists in scenarios: who may do what is changed while it is done. */
import { parseRights, type AccessList } from '../../../vice/interface/index.js';
import { chatter, put } from './deeds.js';
import type { Draft } from './draft.js';
import type { Deed } from './scenario.js';
import { alone, together } from './troubles.js';

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
  const sets = (): void => {
    // Others are refused, but where they have `a`.
    const by = draft.chance(0.9) ? ann(draft.pick(draft.gateways)) : draft.pick(draft.sessions);
    draft.deed({ do: 'setacl', by, path: draft.chance(0.8) ? path : draft.directory(), list: some(draft) });
  };
  const name = draft.nameIn(path);
  if (draft.chance(0.6)) draft.deed(put(draft, draft.pick(draft.sessions), name), 20);
  if (draft.chance(0.8)) sets();
  draft.wait(draft.pick([0, 5, 1300, 1300]));
  // Some may see that it is there, and not what is in it.
  if (draft.chance(0.3)) for (const by of draft.sessions) draft.deed({ do: 'get', by, path: name }, 5);
  for (let index = 2 + draft.below(5); index > 0; index -= 1) within(draft, path);
  if (draft.chance(0.3)) sets();
  for (let index = draft.below(4); index > 0; index -= 1) within(draft, path);
}

/** Somebody reads, may read no more, and asks again for what his gateway has still cached. */
export function deniedReading(draft: Draft): void {
  const path = draft.directory();
  const name = draft.nameIn(path);
  const by = `${draft.pick(draft.gateways)}/${draft.pick(['bob', 'cid'])}`;
  draft.deed({ do: 'setacl', by: ann(draft.pick(draft.gateways)), path, list: 'bob:rl cid:rl' }, 30);
  draft.deed({ do: 'put', by: ann(draft.pick(draft.gateways)), path: name, bytes: 40 }, 60);
  draft.deed({ do: 'get', by, path: name }, 20);
  draft.deed({ do: 'setacl', by: ann(draft.pick(draft.gateways)), path, list: 'bob:l cid:l' }, 1300);
  draft.deed({ do: 'get', by, path: name }, draft.pause());
  if (draft.chance(0.5)) within(draft, path);
}

/** Two set the list of one directory, and do not hear of each other. */
export function listsApart(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const path = draft.directory();
  alone(draft, gateway);
  const both = draft.chance(0.5) ? [gateway, other] : [other, gateway];
  for (const each of both) draft.deed({ do: 'setacl', by: ann(each), path, list: some(draft) }, 20);
  within(draft, path);
  together(draft, gateway, draft.pick([50, 3000]));
  within(draft, path);
}

export function some(draft: Draft): string {
  return draft.chance(0.2) ? '' : `bob:${draft.pick(rights)} cid:${draft.pick(rights)}`;
}

/** She may set lists: she is an administrator. */
export function ann(gateway: string): string {
  return `${gateway}/ann`;
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

/** Somebody goes on without servers where he may do nothing any more: what he has logged is refused for good. */
export function deniedLater(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const path = draft.pick(['x', 'y']);
  const by = `${gateway}/${draft.pick(['bob', 'cid'])}`;
  draft.deed({ do: 'list', by, path }, 50);
  alone(draft, gateway, draft.pick(['plan', 'mode']));
  for (let index = 1 + draft.below(3); index > 0; index -= 1)
    draft.deed(put(draft, by, draft.nameIn(path)), 20);
  draft.deed({ do: 'setacl', by: ann(other), path, list: 'bob:rl cid:rl' }, 50);
  together(draft, gateway, draft.pick([50, 3000]));
  within(draft, path);
}
