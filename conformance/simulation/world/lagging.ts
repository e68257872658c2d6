/** Replicas that differ for a while, and what is asked of them meanwhile: a partition need not be one for everybody. */
import { change, chatter, saves, watch } from './deeds.js';
import type { Draft } from './draft.js';
import { alone, crash, cutOff, kill } from './troubles.js';

/** As long as hosts need to notice that they do not hear each other, or hear each other again. */
const noticedMs = 5000;
/** As long as servers need that have not heard each other for a while. */
const redialledMs = 6000;

/**
 * A server misses changes, and is reached by gateways again while it does not hear the other servers: whoever looks, or
 * goes on with what it missed, meets replicas that differ.
 */
export function lagging(draft: Draft): void {
  const server = draft.pick([draft.servers[0] ?? 's1', draft.pick(draft.servers)]);
  const by = draft.pick(draft.sessions);
  const path = draft.file();
  draft.deed({ do: 'put', by, path, bytes: 40 }, 50);
  if (draft.chance(0.5)) for (const reader of draft.sessions) draft.deed({ do: 'get', by: reader, path }, 5);
  for (const other of [...draft.servers, ...draft.gateways])
    if (other !== server) cutOff(draft, server, other);
  draft.wait(noticedMs);
  missed(draft, by, path);
  for (const gateway of draft.gateways) reunite(draft, server, gateway);
  draft.wait(draft.pick([1500, noticedMs]));
  if (draft.chance(0.4)) leftWith(draft, server, path);
  for (let index = 1 + draft.below(3); index > 0; index -= 1) {
    if (draft.chance(0.5)) draft.deed({ do: 'get', by: draft.pick(draft.sessions), path }, 20);
    else if (draft.chance(0.7)) missed(draft, draft.chance(0.7) ? by : draft.pick(draft.sessions), path);
    else change(draft, draft.pick(draft.sessions), 20);
  }
  watch(draft, 2, 50);
  if (draft.chance(0.3)) return;
  for (const other of draft.servers) reunite(draft, server, other);
  watch(draft, 2, draft.pick([20, 300]));
}

/** Gateways reach nobody but the server that lags, and look; then the others again, which it still does not hear. */
function leftWith(draft: Draft, server: string, path: string): void {
  const others = draft.servers.filter((other) => other !== server);
  for (const gateway of draft.gateways) for (const other of others) cutOff(draft, gateway, other);
  draft.wait(noticedMs);
  for (const by of draft.sessions) if (draft.chance(0.7)) draft.deed({ do: 'get', by, path }, 20);
  if (draft.chance(0.3)) crash(draft, draft.pick(draft.gateways));
  for (const gateway of draft.gateways) for (const other of others) reunite(draft, gateway, other);
  draft.wait(redialledMs);
  for (const by of draft.sessions) if (draft.chance(0.7)) draft.deed({ do: 'get', by, path }, 20);
}

/** What its author builds on afterwards. */
function missed(draft: Draft, by: string, path: string): void {
  if (draft.chance(0.3)) saves(draft, by);
  if (draft.chance(0.8)) draft.deed({ do: 'put', by, path, bytes: draft.pick([40, 300]) }, 20);
  else draft.deed({ do: 'setprop', by, path, name: '{x}p1', value: `<v>${draft.number()}</v>` }, 20);
  if (draft.chance(0.3)) draft.deed({ do: 'mkdir', by, path: draft.name() }, 20);
}

function reunite(draft: Draft, one: string, other: string): void {
  draft.mend(`cut ${one} ${other}`);
  draft.mend(`cut ${other} ${one}`);
}

/** A server that was away is catching up when something breaks: a peer, the way to it, or itself. */
export function brokenCatchUp(draft: Draft): void {
  const server = draft.pick(draft.servers);
  const others = draft.servers.filter((other) => other !== server);
  kill(draft, server, true);
  draft.wait(draft.pick([20, 4000]));
  const by = draft.pick(draft.sessions);
  for (let index = 2 + draft.below(4); index > 0; index -= 1)
    draft.deed({ do: 'put', by, path: draft.chance(0.6) ? draft.name() : draft.file(), bytes: 300 }, 20);
  if (draft.chance(0.3)) chatter(draft);
  draft.mend(`down ${server}`);
  draft.wait(draft.pick([2, 4, 6, 8, 10, 12, 15, 20, 30, 50]));
  const dice = draft.fraction();
  if (dice < 0.4)
    for (const other of others) draft.add({ do: 'reset', from: server, to: other }, draft.pick([0, 2]));
  else if (dice < 0.7) for (const other of others) cutOff(draft, server, other);
  else if (dice < 0.85) for (const other of others) kill(draft, other, draft.chance(0.5));
  else kill(draft, server, draft.chance(0.5));
  draft.wait(draft.pick([100, noticedMs]));
  for (const other of draft.servers) draft.mend(`down ${other}`);
  watch(draft, 2, 20);
}

/**
 * A folder is made while one server is away, and removed where another one does not hear of it; the first server hears
 * of it from the one and then from the other. Then its author removes what it was in, and tells that server first.
 */
export function cameAndWent(draft: Draft): void {
  const [late, rest] = draft.pair(draft.servers);
  const [knowing = rest] = draft.servers.filter((server) => server !== late && server !== rest);
  const others = draft.servers.filter((server) => server !== late && server !== knowing);
  const gateway = draft.pick(draft.gateways);
  const by = draft.sessionOf(gateway);
  const outer = `o${draft.number()}`;
  draft.deed({ do: 'mkdir', by, path: outer }, 100);
  for (const other of [...draft.servers, ...draft.gateways]) if (other !== late) cutOff(draft, late, other);
  draft.wait(noticedMs);
  // Who tells nobody of the second phase leaves it to resolution.
  draft.deed({ do: 'mkdir', by, path: `${outer}/n` }, draft.pick([12, 50]));
  if (draft.chance(0.3)) draft.deed({ do: 'put', by, path: `${outer}/n/f`, bytes: 40 }, 50);
  for (const other of others) for (const each of [knowing, gateway]) cutOff(draft, each, other);
  draft.wait(noticedMs);
  draft.deed({ do: 'remove', by, path: `${outer}/n` }, 50);
  reunite(draft, late, knowing);
  draft.wait(redialledMs);
  if (draft.chance(0.5)) draft.add({ do: 'resolve', at: late, path: outer }, 100);
  cutOff(draft, late, knowing);
  cutOff(draft, gateway, knowing);
  for (const other of others) reunite(draft, late, other);
  draft.wait(redialledMs);
  if (draft.chance(0.5)) draft.add({ do: 'resolve', at: late, path: outer }, 100);
  draft.deed({ do: 'remove', by, path: outer }, 50);
  reunite(draft, late, gateway);
  draft.wait(draft.pick([1500, noticedMs]));
  if (draft.chance(0.5)) draft.mend();
}

/**
 * A server is told to resolve one folder, and hears so from one peer that something was removed in it, before it has
 * ever had that (PL-2, vice/resolution/pull.ts). A peer that did not hear of the removal then offers it. Nobody lives
 * to tell the servers who has what (COP2), or they would read all of each other's changes and know better. Meanwhile
 * somebody who has seen the folder empty removes it without servers, and finds that one first.
 */
export function heardOfRemoval(draft: Draft): void {
  const [late, knowing] = draft.pair(draft.servers);
  const others = draft.servers.filter((server) => server !== late && server !== knowing);
  const [maker, remover] = draft.pair(draft.gateways);
  const by = draft.sessionOf(maker);
  const outer = `o${draft.number()}`;
  draft.mend();
  draft.wait(redialledMs);
  draft.deed({ do: 'mkdir', by, path: outer }, 1300);
  for (const other of [...others, ...draft.gateways]) cutOff(draft, late, other);
  for (const other of others) cutOff(draft, remover, other);
  draft.wait(noticedMs);
  draft.deed({ do: 'mkdir', by, path: `${outer}/n` }, draft.pick([30, 50]));
  kill(draft, maker, true);
  for (const other of others) for (const each of [knowing, maker]) cutOff(draft, each, other);
  draft.deed({ do: 'remove', by: draft.sessionOf(remover), path: `${outer}/n` }, draft.pick([30, 50]));
  kill(draft, remover, true);
  draft.add({ do: 'resolve', at: late, path: outer }, 50);
  cutOff(draft, late, knowing);
  draft.mend(`down ${maker}`);
  draft.wait(draft.pick([300, 1500]));
  draft.deed({ do: 'list', by, path: outer }, 20);
  cutOff(draft, maker, knowing);
  draft.wait(noticedMs);
  draft.deed({ do: 'remove', by, path: outer }, 20);
  for (const other of others) reunite(draft, late, other);
  draft.wait(redialledMs);
  if (draft.chance(0.3)) watch(draft, 2, 20);
  reunite(draft, late, maker);
  draft.wait(draft.pick([1500, noticedMs]));
  if (draft.chance(0.7)) draft.mend();
}

/**
 * A gateway loses power when one server has its new contents, and its own log has not: it goes on as if they had never
 * been, where that server does not hear it (MG-5, vice/interface/merge.ts).
 */
export function forgotten(draft: Draft): void {
  const gateway = draft.pick(draft.gateways);
  const by = draft.sessionOf(gateway);
  const server = draft.pick(draft.servers);
  const others = draft.servers.filter((other) => other !== server);
  const folder = draft.pick(['x', 'y']);
  const path = `${folder}/a`;
  const isNew = draft.chance(0.5);
  draft.mend(`down ${gateway}`);
  draft.deed({ do: 'put', by, path, bytes: 40 }, 600);
  for (const other of others) cutOff(draft, gateway, other, true);
  const under = isNew ? `${folder}/f${draft.number()}` : path;
  draft.deed({ do: 'put', by, path: under, bytes: draft.pick([40, 300]) }, draft.pick([5, 6, 7, 7, 7, 8]));
  const death = { do: 'kill', at: gateway, silent: draft.chance(0.8), keepsRunning: false } as const;
  draft.breaks(`down ${gateway}`, death, { do: 'start', at: gateway }, 0);
  for (const other of others) reunite(draft, gateway, other);
  cutOff(draft, gateway, server);
  draft.mend(`down ${gateway}`);
  draft.wait(draft.pick([0, 300]));
  const again = isNew ? folder : path;
  if (draft.chance(0.5)) draft.deed({ do: 'remove', by, path: draft.pick([folder, path]) }, 20);
  else draft.deed({ do: 'setprop', by, path: again, name: '{x}p1', value: `<v>${draft.number()}</v>` }, 20);
  draft.wait(draft.pick([300, noticedMs]));
  if (draft.chance(0.7)) reunite(draft, gateway, server);
}

/** A gateway that has just seen replicas differ is told that its link is weak, or that it is strong again. */
export function weakMeanwhile(draft: Draft): void {
  const server = draft.pick(draft.servers);
  const [gateway, other] = draft.pair(draft.gateways);
  const path = draft.file();
  const [by, author] = [draft.sessionOf(gateway), draft.sessionOf(other)];
  draft.deed({ do: 'put', by: author, path, bytes: 40 }, 600);
  for (const each of [...draft.servers, ...draft.gateways]) if (each !== server) cutOff(draft, server, each);
  draft.wait(noticedMs);
  for (const each of [path, draft.file(), draft.file()])
    draft.deed({ do: 'put', by: author, path: each, bytes: 40 }, 50);
  reunite(draft, server, gateway);
  draft.wait(draft.pick([1500, noticedMs]));
  if (draft.chance(0.5)) alone(draft, gateway, 'mode');
  for (let index = 3 + draft.below(3); index > 0; index -= 1) {
    draft.deed({ do: 'get', by, path: draft.chance(0.6) ? path : draft.file() }, draft.pick([2, 3, 4, 5, 7]));
    if (draft.chance(0.3)) draft.deed({ do: 'list', by, path: '' }, draft.pick([2, 3, 5]));
    if (draft.isBroken(`alone ${gateway}`)) draft.mend(`alone ${gateway}`, draft.pick([2, 5, 20]));
    else alone(draft, gateway, 'mode');
  }
  if (draft.chance(0.3)) for (const each of draft.servers) cutOff(draft, gateway, each);
  draft.wait(draft.pick([20, noticedMs]));
  draft.mend(`alone ${gateway}`);
  for (const each of draft.servers) reunite(draft, server, each);
}
