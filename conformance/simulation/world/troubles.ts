/** What the world does to the realm, each with the deeds that it must not spoil. */
import { apart, change, chatter, saves, watch } from './deeds.js';
import type { Draft } from './draft.js';

/** Milliseconds after a deed: before its flush, during it, after it, before and after its answer. */
const moments: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20];

/** A gateway works alone; afterwards it finds its servers again. The answer mends it. */
export function alone(
  draft: Draft,
  gateway: string,
  how = draft.pick(['plan', 'plan', 'cut', 'mode']),
): string {
  const what = `alone ${gateway}`;
  if (how === 'plan') {
    draft.breaks(what, { do: 'disconnect', at: gateway }, { do: 'reconnect', at: gateway }, 20);
  } else if (how === 'mode') {
    const mode = 'write-disconnected';
    draft.breaks(
      what,
      { do: 'mode', at: gateway, mode },
      { do: 'mode', at: gateway, mode: 'write-through' },
      5,
    );
  } else {
    for (const server of draft.servers) cutOff(draft, gateway, server);
    draft.wait(draft.pick([0, 4000, 4000]));
  }
  return what;
}

/** Both of them are heard of again. */
export function together(draft: Draft, gateway: string, ms: number): void {
  for (const server of draft.servers) {
    draft.mend(`cut ${gateway} ${server}`);
    draft.mend(`cut ${server} ${gateway}`);
  }
  draft.mend(`alone ${gateway}`);
  draft.wait(ms);
}

export function cutOff(draft: Draft, one: string, other: string, isOneWay = false): void {
  const ways = isOneWay
    ? [[one, other]]
    : [
        [one, other],
        [other, one],
      ];
  for (const [from = '', to = ''] of ways)
    draft.breaks(`cut ${from} ${to}`, { do: 'cut', from, to }, { do: 'heal', from, to }, 0);
}

/** Two gateways change the same apart, and come together, smoothly or not. */
export function island(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  draft.deed({ do: 'put', by: draft.sessionOf(other), path: draft.file(), bytes: 40 }, 30);
  alone(draft, gateway);
  if (draft.chance(0.3)) alone(draft, other, 'plan');
  const count = 1 + draft.below(4);
  for (let index = 0; index < count; index += 1) {
    const [one, two] = [draft.sessionOf(gateway), draft.sessionOf(other)];
    if (draft.chance(0.7)) apart(draft, ...draft.pair([one, two]));
    else if (draft.chance(0.5)) saves(draft, one);
    else chatter(draft, one);
  }
  if (draft.chance(0.25)) crash(draft, gateway);
  if (draft.chance(0.5)) return replay(draft, gateway);
  together(draft, gateway, draft.pick([50, 500, 3000]));
  together(draft, other, 50);
}

/** The log of a gateway is under way to the servers when something breaks. */
export function replay(draft: Draft, gateway: string): void {
  const server = draft.pick(draft.servers);
  if (draft.chance(0.3)) draft.add({ do: 'lose-reply', from: server, to: gateway }, 0);
  together(draft, gateway, 0);
  draft.wait(draft.pick([1, 2, 4, 6, 8, 10, 12, 15, 20, 30, 50]));
  const dice = draft.fraction();
  if (dice < 0.3) crash(draft, gateway, 0);
  else if (dice < 0.55)
    for (const each of draft.servers) draft.add({ do: 'reset', from: gateway, to: each }, 0);
  else if (dice < 0.75) powerCut(draft, draft.servers);
  else if (dice < 0.9) alone(draft, gateway, 'plan');
  else kill(draft, server, true);
  for (let index = draft.below(3); index > 0; index -= 1) chatter(draft, draft.sessionOf(gateway));
}

export function kill(draft: Draft, at: string, silent: boolean, ms = 0): void {
  const fault = { do: 'kill', at, silent, keepsRunning: draft.chance(0.4) } as const;
  draft.breaks(`down ${at}`, fault, { do: 'start', at }, ms);
}

/** A gateway dies about when it answers, and comes back with its disk. */
export function crash(draft: Draft, gateway: string, deeds = 1 + draft.below(2)): void {
  if (draft.chance(0.4)) {
    const by = draft.sessionOf(gateway);
    draft.deed({ do: 'lock', by, path: draft.file(), token: draft.token(true) }, draft.pick([5, 9]));
  }
  for (let index = 0; index < deeds; index += 1)
    change(draft, draft.sessionOf(gateway), index === deeds - 1 ? draft.pick(moments) : 1);
  kill(draft, gateway, draft.chance(0.5));
  draft.mend(`down ${gateway}`);
  draft.wait(draft.pick([0, 5, 300]));
  for (const by of draft.sessionsOf(gateway)) draft.deed({ do: 'get', by, path: draft.file() }, 1);
}

/** Servers die about when they take a change. */
export function powerCut(draft: Draft, servers: readonly string[], isSilent = draft.chance(0.5)): void {
  for (const server of servers) kill(draft, server, isSilent, draft.pick([0, 0, 1, 2]));
  for (let index = draft.below(3); index > 0; index -= 1) chatter(draft);
  for (const server of servers) draft.mend(`down ${server}`, draft.pick([0, 0, 100, 1000]));
}

/** Some servers miss changes, which all have seen, and are asked as soon as they are back. */
export function outage(draft: Draft): void {
  const servers = draft.servers.filter(() => draft.chance(0.4));
  if (servers.length === 0 || draft.chance(0.3))
    change(draft, draft.pick(draft.sessions), draft.pick(moments));
  for (const server of servers) kill(draft, server, draft.chance(0.5), draft.pick([0, 0, 1, 3]));
  draft.wait(draft.pick([0, 20, 3000]));
  const path = draft.file();
  const by = draft.pick(draft.sessions);
  draft.deed({ do: 'put', by, path, bytes: 40 }, 30);
  for (const reader of draft.sessions) draft.deed({ do: 'get', by: reader, path }, 5);
  draft.deed({ do: 'put', by, path, bytes: 40 }, 30);
  for (let index = draft.below(3); index > 0; index -= 1)
    change(draft, draft.pick(draft.sessions), draft.pause());
  for (const server of servers) draft.mend(`down ${server}`);
  const ms = draft.pick([5, 30, 100, 300]);
  for (let index = 0; index < 10; index += 1)
    draft.deed({ do: 'get', by: draft.pick(draft.sessions), path }, ms);
}

/** Two directories are moved into each other apart. */
export function circle(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const [one, two] = [draft.sessionOf(gateway), draft.sessionOf(other)];
  for (const path of ['p', 'q']) draft.deed({ do: 'mkdir', by: one, path }, 40);
  for (const by of [one, two]) draft.deed({ do: 'list', by, path: '' }, 20);
  alone(draft, gateway);
  draft.deed({ do: 'rename', by: one, path: 'p', to: 'q/n' }, 20);
  draft.deed({ do: 'rename', by: two, path: 'q', to: 'p/n' }, 20);
  together(draft, gateway, draft.pick([100, 3000]));
}

/** The log of a gateway that keeps its changes for a while is replayed one after the other. */
export function trickle(draft: Draft): void {
  const gateway = draft.pick(draft.gateways);
  const by = draft.sessionOf(gateway);
  alone(draft, gateway, 'mode');
  for (let index = 0; index < 4; index += 1) change(draft, by, 11_000);
  saves(draft, by);
  // Over a weak link, and then over none.
  if (draft.chance(0.3)) for (const server of draft.servers) cutOff(draft, gateway, server);
  draft.wait(draft.pick([5000, 20_000]));
  if (draft.chance(0.5)) together(draft, gateway, 100);
}

/** A gateway copies what only the servers have, and they let it go before they hear of the copy. */
export function borrowed(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const path = draft.file();
  const owner = draft.sessionOf(other);
  draft.deed({ do: 'put', by: owner, path, bytes: 300 }, 60);
  const by = draft.sessionOf(gateway);
  alone(draft, gateway, 'mode');
  draft.deed({ do: 'copy', by, path, to: draft.nameIn('') }, 60);
  if (draft.chance(0.2)) draft.deed({ do: 'remove', by: owner, path }, 60);
  else draft.deed({ do: 'put', by: owner, path, bytes: 40 }, 60);
  if (draft.chance(0.7)) together(draft, gateway, 100);
}

/** Servers and gateways are on two sides, g1 on one of them and g2 on the other. */
export function cutThrough(draft: Draft): void {
  const all = [...draft.servers, ...draft.gateways];
  const left = new Set(all.filter(() => draft.chance(0.5)));
  if (!draft.servers.some((server) => left.has(server))) left.add('s1');
  if (left.has('g1')) left.delete('g2');
  else left.add('g1');
  for (const one of all.filter((host) => left.has(host)))
    for (const other of all.filter((host) => !left.has(host))) cutOff(draft, one, other);
}

/** Servers and gateways fall into two halves that do not hear each other. */
export function split(draft: Draft): void {
  cutThrough(draft);
  // Until links have noticed, what is cut off is only late.
  draft.wait(draft.pick([0, 4000, 4000]));
  for (let index = 2 + draft.below(4); index > 0; index -= 1) {
    if (draft.chance(0.75)) apart(draft, draft.sessionOf('g1'), draft.sessionOf('g2'));
    else chatter(draft);
  }
  draft.wait(draft.pick([0, 3000]));
  if (draft.chance(0.8)) draft.mend();
  watch(draft, 2 + draft.below(5), draft.pick([100, 600]));
}

/** A message is lost, or comes again: soon, behind later ones, or when its link is no more. */
export function mishap(draft: Draft): void {
  const [server, gateway] = [draft.pick(draft.servers), draft.pick(draft.gateways)];
  const [from, to] =
    draft.chance(0.8) || draft.servers.length < 2 ? [gateway, server] : draft.pair(draft.servers);
  const late = draft.pick([1, 5, 20, 100, 1000, 5000]);
  const dice = draft.fraction();
  if (dice < 0.3) draft.add({ do: 'lose-request', from, to }, 0);
  else if (dice < 0.75) draft.add({ do: 'repeat-request', from, to, late }, 0);
  else draft.add({ do: 'repeat-push', from: server, to: gateway, late }, 0);
  const by = draft.sessionOf(gateway);
  change(draft, by, draft.pick([0, 5, 20]));
  if (draft.chance(0.3)) draft.add({ do: 'reset', from, to }, 0);
  for (let index = 1 + draft.below(3); index > 0; index -= 1)
    change(draft, draft.chance(0.5) ? by : draft.pick(draft.sessions), draft.pause());
  draft.wait(draft.pick([0, 0, late]));
}

/** The network misbehaves while deeds are under way. */
export function noise(draft: Draft): void {
  const [server, gateway] = [draft.pick(draft.servers), draft.pick(draft.gateways)];
  const [one, other] = draft.chance(0.8) ? [server, gateway] : draft.pair(draft.servers);
  const dice = draft.fraction();
  if (dice < 0.4) draft.add({ do: 'lose-reply', from: server, to: gateway }, 0);
  else if (dice < 0.5) {
    change(draft, draft.sessionOf(gateway), draft.pick([0, 1, 2, 3, 5]));
    draft.add({ do: 'reset', from: one, to: other }, 0);
  } else if (dice < 0.65) {
    const late = draft.pick([10, 50, 400, 3000]);
    const [from, to] = draft.pair([one, other]);
    draft.breaks(
      `late ${from} ${to}`,
      { do: 'delay', from, to, late },
      { do: 'delay', from, to, late: 0 },
      0,
    );
  } else if (dice < 0.85) {
    const [from, to] = draft.pair([one, other]);
    cutOff(draft, from, to, true);
    change(draft, draft.pick(draft.sessions), draft.pick([5, 500, 3000, 8000]));
    if (draft.chance(0.6)) draft.mend(`cut ${from} ${to}`);
  } else {
    const at = draft.pick([server, gateway]);
    draft.breaks(`paused ${at}`, { do: 'pause', at }, { do: 'resume', at }, 0);
    change(draft, draft.pick(draft.sessions), draft.pick([5, 500, 3000, 8000]));
    draft.mend(`paused ${at}`);
  }
  for (let index = 1 + draft.below(3); index > 0; index -= 1)
    change(draft, draft.pick(draft.sessions), draft.pause());
}

/** A server, or a gateway, is away while things are removed and made, for longer than anybody waits. */
export function absence(draft: Draft, ms: number): void {
  const gone = draft.chance(0.75) ? draft.pick(draft.servers) : draft.pick(draft.gateways);
  const others = draft.sessions.filter((session) => !session.startsWith(`${gone}/`));
  const path = draft.file();
  const by = draft.pick(others.length > 0 ? others : draft.sessions);
  draft.deed({ do: 'put', by, path, bytes: 40 }, 100);
  if (gone.startsWith('s') || draft.chance(0.5)) kill(draft, gone, true);
  else alone(draft, gone, draft.pick(['plan', 'cut']));
  draft.wait(3000);
  draft.deed({ do: 'remove', by, path }, 20);
  for (let index = draft.below(4); index > 0; index -= 1) chatter(draft, draft.pick(others));
  if (!draft.isBroken(`down ${gone}`) && gone.startsWith('g')) apart(draft, draft.sessionOf(gone), by);
  draft.wait(ms);
  draft.mend();
  watch(draft, 3, 300);
}
