/** A group that grows, shrinks and moves while people work. */
import { change, chatter, race, saves } from './deeds.js';
import type { Draft } from './draft.js';
import { kill } from './troubles.js';

/** Milliseconds in which a replica fills, is fenced, drops: some of the next deeds fall into each step. */
const pauses: readonly number[] = [0, 20, 300, 1500, 5000, 20_000];

export function resize(draft: Draft): void {
  const { group } = draft;
  if (group === undefined) return;
  order(draft, group);
  if (draft.chance(0.3)) order(draft, group);
  for (let index = 1 + draft.below(4); index > 0; index -= 1) {
    draft.wait(draft.pick(pauses));
    const dice = draft.fraction();
    if (dice < 0.3) change(draft, draft.pick(draft.sessions), draft.pause());
    else if (dice < 0.5) saves(draft, draft.pick(draft.sessions));
    else if (dice < 0.7) race(draft);
    else if (dice < 0.8) restart(draft);
    else chatter(draft);
  }
}

function order(draft: Draft, group: Set<string>): void {
  const others = draft.servers.filter((server) => !group.has(server));
  const dice = draft.fraction();
  const from = draft.pick([...group]);
  if (others.length > 0 && dice < 0.4) {
    const at = draft.pick(others);
    group.add(at);
    draft.add({ do: 'grow', at }, 0);
  } else if (others.length > 0 && dice < 0.65) {
    const to = draft.pick(others);
    group.add(to).delete(from);
    draft.add({ do: 'move', from, to }, 0);
  } else {
    // Also the last one: that is refused.
    if (group.size > 1) group.delete(from);
    draft.add({ do: 'shrink', at: from }, 0);
  }
}

/** Whoever is in the middle of it dies, and comes back with its disk. */
function restart(draft: Draft): void {
  const server = draft.pick(draft.servers);
  kill(draft, server, draft.chance(0.5));
  draft.wait(draft.pick([0, 100, 3000]));
  draft.mend(`down ${server}`);
}
