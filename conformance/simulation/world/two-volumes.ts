/** Scenes of two volumes in one tree: one is lost while the other is not, and things go from one to the other. */
import { change, chatter, put, saves } from './deeds.js';
import type { Draft } from './draft.js';
import type { VolumeName } from './scenario.js';
import { crash, cutOff } from './troubles.js';

/** As long as hosts need to notice that they do not hear each other. */
const noticedMs = 4000;

/** Files and directories go from one volume to the other, while others work on them. */
export function across(draft: Draft): void {
  for (let index = 1 + draft.below(3); index > 0; index -= 1) goOver(draft);
}

function goOver(draft: Draft, by = draft.pick(draft.sessions)): void {
  const [from, to] = draft.chance(0.5) ? (['root', 'annex'] as const) : (['annex', 'root'] as const);
  const isTree = draft.chance(0.3);
  const source = isTree ? draft.directoryOf(from) : draft.nameOf(from);
  const target = draft.chance(0.7) ? draft.nameOf(to) : draft.fileOf(to);
  const [, other] = draft.pair([by, ...draft.sessions.filter((session) => session !== by)]);
  if (isTree) draft.deed({ do: 'put', by, path: draft.nameIn(source), bytes: 40 }, 10);
  // Of large contents that another gateway has put this one has nothing.
  else if (draft.chance(0.12)) draft.deed({ do: 'put', by: other, path: source, bytes: 70_000 }, 100);
  else if (draft.chance(0.8)) draft.deed(put(draft, by, source), draft.pick([30, 60]));
  if (draft.chance(0.25)) draft.deed({ do: 'copy', by, path: source, to: target }, draft.pick([0, 2, 10]));
  else draft.deed({ do: 'rename', by, path: source, to: target }, draft.pick([0, 2, 5, 10, 20]));
  const path = draft.chance(0.5) ? source : target;
  const dice = draft.fraction();
  if (dice < 0.4)
    draft.deed({ do: 'put', by: other, path: isTree ? draft.nameIn(path) : path, bytes: 40 }, 2);
  else if (dice < 0.5) draft.deed({ do: 'remove', by: other, path }, 2);
  else if (dice < 0.7) draft.deed({ do: 'get', by: other, path }, draft.pick([2, 50]));
  else if (dice < 0.8) draft.deed({ do: 'rename', by: other, path, to: draft.name() }, 2);
}

/** A gateway, or all, do not reach the servers of one volume; what both need is reached through the others. */
export function oneLost(draft: Draft): void {
  const volume = draft.pick(['root', 'annex', 'annex'] as const);
  const gateways = draft.chance(0.6) ? [draft.pick(draft.gateways)] : draft.gateways;
  const servers = draft.serversOf(volume);
  for (const gateway of gateways) for (const server of servers) cutOff(draft, gateway, server);
  draft.wait(draft.pick([0, noticedMs, noticedMs]));
  for (let index = 2 + draft.below(4); index > 0; index -= 1) {
    const by = draft.chance(0.7) ? draft.sessionOf(draft.pick(gateways)) : draft.pick(draft.sessions);
    const dice = draft.fraction();
    if (dice < 0.35) goOver(draft, by);
    else if (dice < 0.6) draft.deed({ do: 'put', by, path: draft.fileOf(volume), bytes: 40 });
    else if (dice < 0.75) saves(draft, by);
    else change(draft, by, draft.pause());
  }
  if (draft.chance(0.3)) crash(draft, draft.pick(gateways));
  if (draft.chance(0.2)) return;
  for (const gateway of gateways) {
    for (const server of servers) {
      draft.mend(`cut ${gateway} ${server}`);
      draft.mend(`cut ${server} ${gateway}`);
    }
  }
  draft.wait(draft.pick([10, 100, 3000]));
}

/** Somebody moves from one volume to the other when his gateway dies. */
export function crashAcross(draft: Draft): void {
  const gateway = draft.pick(draft.gateways);
  goOver(draft, draft.sessionOf(gateway));
  draft.wait(draft.pick([0, 2, 5, 10, 20, 30, 50]));
  crash(draft, gateway, 1);
}

/** An administrator locks a volume, or lets it be seen elsewhere, while people work. */
export function administered(draft: Draft): void {
  const volume = draft.pick<VolumeName>(['root', 'annex']);
  if (draft.chance(0.5)) {
    draft.breaks(
      `locked ${volume}`,
      { do: 'lock-volume', volume },
      { do: 'unlock-volume', volume },
      draft.pick([0, 20, 1500]),
    );
    work(draft);
    if (draft.chance(0.7)) draft.mend(`locked ${volume}`, draft.pick([0, 20, 1500]));
  } else {
    draft.add({ do: 'unmount' }, draft.pick([20, 100, 1500]));
    if (draft.chance(0.5)) work(draft);
    const path = draft.chance(0.6) ? draft.mounted : draft.directoryOf('root');
    draft.mounts(path, draft.pick([0, 20, 1500]));
  }
  work(draft);
}

function work(draft: Draft): void {
  for (let index = 1 + draft.below(4); index > 0; index -= 1) {
    if (draft.chance(0.3)) goOver(draft);
    else chatter(draft);
  }
}
