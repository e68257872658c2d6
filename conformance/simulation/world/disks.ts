/** What disks do to the realm. At most one server's copy of anything is spoilt or lost, so that a good one is left. */
import { change, chatter } from './deeds.js';
import type { Draft } from './draft.js';
import type { Rows } from './scenario.js';
import { alone, crash, cutOff, kill, together } from './troubles.js';

/** A disk is full, or fails, at one of the next writes. */
export function writeFails(draft: Draft): void {
  const at = draft.pick([...draft.servers, ...draft.gateways, ...draft.gateways]);
  const after = draft.pick([0, 0, 0, 1, 2, 4]);
  const fault = draft.pick(['no-space', 'damaged'] as const);
  const isOfContents = draft.chance(0.5);
  const isInDoubt = !isOfContents && draft.chance(0.4);
  if (isOfContents) draft.add({ do: 'commit-fails', at, fault, after: draft.pick([0, 0, 1, 2]) }, 0);
  else draft.add({ do: 'flush-fails', at, fault: isInDoubt ? 'in-doubt' : fault, after }, 0);
  for (let index = 1 + draft.below(3); index > 0; index -= 1) {
    const by = draft.pick(draft.sessions);
    if (isOfContents) draft.deed({ do: 'put', by, path: draft.file(), bytes: draft.pick([40, 300, 70_000]) });
    else change(draft, by, draft.pause());
  }
  if (!isInDoubt || draft.chance(0.3)) return;
  kill(draft, at, draft.chance(0.5));
  draft.mend(`down ${at}`, draft.pick([0, 300]));
}

/** A disk has room for a little more, and after a while for much. */
export function full(draft: Draft): void {
  const at = draft.pick([...draft.servers, ...draft.gateways]);
  const fault = { do: 'room', at, bytes: draft.pick([0, 100, 400, 3000]) } as const;
  draft.breaks(`full ${at}`, fault, { do: 'room', at, bytes: null }, 0);
  for (let index = 2 + draft.below(4); index > 0; index -= 1)
    change(draft, draft.pick(draft.sessions), draft.pause());
  if (draft.chance(0.7)) draft.mend(`full ${at}`, 100);
}

/** A disk is slow, or stands still for half a minute: people wait, or others serve them; some processes die at it. */
export function slowDisk(draft: Draft): void {
  const at = draft.pick([...draft.servers, ...draft.gateways]);
  const fault = { do: 'slow-disk', at, late: draft.pick([60, 400, 1000, 3000, 30_000]) } as const;
  draft.breaks(`slow ${at}`, fault, { do: 'slow-disk', at, late: 0 }, 0);
  for (let index = 3 + draft.below(5); index > 0; index -= 1)
    draft.deed({
      do: 'put',
      by: draft.pick(draft.sessions),
      path: draft.file(),
      bytes: draft.pick([40, 300, 70_000]),
    });
  if (draft.chance(0.3)) {
    draft.wait(draft.pick([50, 1000]));
    kill(draft, at, draft.chance(0.5));
    draft.mend(`down ${at}`, draft.pick([0, 300]));
  }
  for (let index = 1 + draft.below(4); index > 0; index -= 1) chatter(draft);
  draft.wait(draft.pick([0, 1000, 10_000, 40_000]));
  if (draft.chance(0.7)) draft.mend(`slow ${at}`, 100);
}

/** A gateway loses power while a large file comes to it, block by block: what is left of that it goes on with. */
export function halfFetched(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const path = draft.file();
  const by = draft.sessionOf(gateway);
  draft.deed({ do: 'put', by: draft.sessionOf(other), path, bytes: 1_200_000 }, 300);
  for (let index = 1 + draft.below(2); index > 0; index -= 1) {
    draft.deed({ do: 'get', by, path }, draft.pick([8, 10, 10, 12, 14]));
    kill(draft, gateway, draft.chance(0.8));
    draft.mend(`down ${gateway}`, 300);
  }
  draft.deed({ do: 'get', by, path }, 30);
}

/** Bits flip in contents of the server that may be spoilt, and in those that a gateway keeps. */
export function rot(draft: Draft): void {
  const by = draft.pick(draft.sessions);
  // Of those that nobody opens afterwards the damage is there when all is over.
  const isHot = draft.chance(0.5);
  for (let index = 0; index < 3; index += 1) {
    const path = isHot ? draft.file() : draft.name();
    draft.deed({ do: 'put', by, path, bytes: draft.pick([40, 300, 70_000]) }, 60);
  }
  const at = draft.chance(0.75) ? draft.pick(draft.servers.slice(0, 1)) : draft.pick(draft.gateways);
  for (let index = 0; index < 4; index += 1) {
    const pick = isHot ? draft.fraction() : draft.fraction() / 4;
    draft.add({ do: 'flip', at, pick, where: draft.chance(0.5) ? 0 : draft.fraction() }, 0);
  }
  if (!isHot) return;
  for (const reader of draft.sessions) draft.deed({ do: 'get', by: reader, path: draft.file() }, 5);
}

/** Bits flip in rows of the server that may be spoilt, or of a gateway's cache; some are read again from the disk. */
export function rowRot(draft: Draft): void {
  const [at = 's1'] = draft.chance(0.75) ? draft.servers : [draft.pick(draft.gateways)];
  const of = draft.pick<Rows>(['objects', 'objects', 'names', 'figures', 'all']);
  for (let index = 1 + draft.below(3); index > 0; index -= 1)
    draft.deed({ do: 'put', by: draft.pick(draft.sessions), path: draft.file(), bytes: 40 }, 30);
  draft.wait(draft.pick([0, 300, 2500]));
  for (let index = 1 + draft.below(4); index > 0; index -= 1)
    draft.add({ do: 'flip-row', at, of, pick: draft.fraction(), where: draft.fraction() }, 0);
  // What is in memory is good.
  if (draft.chance(0.7)) {
    kill(draft, at, draft.chance(0.5));
    draft.mend(`down ${at}`, draft.pick([0, 300]));
  }
  for (let index = 2 + draft.below(4); index > 0; index -= 1)
    change(draft, draft.pick(draft.sessions), draft.pause());
  for (const reader of draft.sessions) draft.deed({ do: 'get', by: reader, path: draft.file() }, 5);
}

/** A bit flips in one of the two copies of what a host could not do without: nothing is lost, at any host. */
export function copyRot(draft: Draft): void {
  const isLog = draft.chance(0.5);
  const at = draft.pick(isLog ? draft.gateways : draft.servers);
  if (isLog) alone(draft, at, 'plan');
  for (let index = 2 + draft.below(4); index > 0; index -= 1)
    change(draft, isLog ? draft.sessionOf(at) : draft.pick(draft.sessions), 30);
  for (let index = 1 + draft.below(4); index > 0; index -= 1)
    draft.add({ do: 'flip-row', at, of: 'twice', pick: draft.fraction(), where: draft.fraction() }, 0);
  if (isLog || draft.chance(0.6)) {
    kill(draft, at, draft.chance(0.5));
    draft.mend(`down ${at}`, draft.pick([0, 300]));
  }
  for (let index = draft.below(3); index > 0; index -= 1)
    change(draft, draft.sessionOf(draft.pick(draft.gateways)), 30);
  if (isLog) together(draft, at, 300);
  for (const reader of draft.sessions) draft.deed({ do: 'get', by: reader, path: draft.file() }, 5);
}

/** The server that may be spoilt loses its disk. */
export function loss(draft: Draft): void {
  const [at = 's1'] = draft.servers;
  kill(draft, at, true);
  draft.add({ do: 'wipe', at }, 0);
  for (let index = draft.below(3); index > 0; index -= 1) chatter(draft);
  draft.mend(`down ${at}`, draft.pick([0, 300, 4000]));
  for (let index = draft.below(3); index > 0; index -= 1) chatter(draft);
}

/** The server that may be spoilt gets its disk as it was some time ago. */
export function oldDisk(draft: Draft): void {
  putBack(draft, [300, 1500, 5000]);
}

/**
 * Servers have forgotten by then what was removed; some of it is made again where nobody who knows is met. Or a folder
 * goes just when the disk is put back that has in it what is forgotten.
 */
export function forgottenDisk(draft: Draft): void {
  const by = draft.pick(draft.sessions);
  const [directory, file] = [draft.directory(), draft.file()];
  draft.deed({ do: 'put', by, path: `${directory}/b.txt`, bytes: 40 }, 20);
  draft.deed({ do: 'put', by, path: file, bytes: 40 }, 2000);
  const isEmptied = draft.chance(0.4);
  const atFirst = (): void => {
    draft.deed({ do: 'remove', by, path: isEmptied ? `${directory}/b.txt` : directory }, 20);
    if (draft.chance(0.7)) draft.deed({ do: 'remove', by, path: file }, 20);
  };
  const atReturn = (): void => {
    if (isEmptied) draft.deed({ do: 'remove', by, path: directory }, draft.pick([2, 300]));
  };
  putBack(draft, [130_000, 130_000, 190_000], { atFirst, atReturn });
}

interface Meanwhile {
  /** When the copy of the disk is made, and when it is put back. */
  readonly atFirst: () => void;
  readonly atReturn: () => void;
}

const nothing: Meanwhile = { atFirst: () => undefined, atReturn: () => undefined };

function putBack(draft: Draft, ages: readonly number[], { atFirst, atReturn } = nothing): void {
  const [at = 's1', ...others] = draft.servers;
  const work = (least: number): void => {
    for (let index = least + draft.below(4); index > 0; index -= 1) chatter(draft);
  };
  draft.mend(undefined, 20);
  kill(draft, at, false);
  draft.add({ do: 'backup', at }, 0);
  draft.mend(`down ${at}`, draft.pick([300, 1500]));
  atFirst();
  work(2);
  draft.wait(draft.pick(ages));
  kill(draft, at, false);
  draft.add({ do: 'restore', at }, 0);
  atReturn();
  work(0);
  const gateway = draft.pick(draft.gateways);
  const isAlone = draft.chance(0.5);
  if (isAlone) for (const other of others) for (const one of [at, gateway]) cutOff(draft, one, other);
  draft.mend(`down ${at}`, draft.pick([0, 300, 4000]));
  if (isAlone) {
    draft.wait(3000);
    for (let index = 2 + draft.below(4); index > 0; index -= 1) change(draft, draft.sessionOf(gateway), 30);
    draft.wait(draft.pick([100, 3000]));
    draft.mend();
  }
  work(1);
}

/** A gateway gets an old copy of its disk. */
export function restored(draft: Draft): void {
  const gateway = draft.pick(draft.gateways);
  const by = draft.sessionOf(gateway);
  const stop = (): void => kill(draft, gateway, false);
  draft.deed({ do: 'put', by, path: draft.file(), bytes: 40 }, 100);
  stop();
  draft.add({ do: 'backup', at: gateway }, 0);
  draft.mend(`down ${gateway}`, 300);
  for (let index = 1 + draft.below(4); index > 0; index -= 1) change(draft, by, 30);
  if (draft.chance(0.3)) crash(draft, gateway);
  draft.wait(200);
  stop();
  draft.add({ do: 'restore', at: gateway, isElsewhere: draft.chance(0.5) }, 0);
  draft.mend(`down ${gateway}`, draft.pick([0, 5, 300]));
  for (let index = 1 + draft.below(4); index > 0; index -= 1) change(draft, by, draft.pick([0, 20]));
}

/**
 * A data folder is used twice: by the gateway that it is of, and by one that was given a copy of it, one after the
 * other or in the same moment.
 */
export function cloned(draft: Draft): void {
  const [from, at] = draft.pair(draft.gateways);
  const sessions = [draft.sessionOf(from), draft.sessionOf(at)];
  draft.deed({ do: 'put', by: draft.sessionOf(from), path: draft.file(), bytes: 40 }, 300);
  for (const gateway of [from, at]) kill(draft, gateway, false);
  draft.add({ do: 'clone', at, from, isCalledSo: draft.chance(0.7) }, 0);
  for (const gateway of [from, at]) draft.mend(`down ${gateway}`, draft.pick([0, 300, 1500]));
  for (const by of draft.chance(0.5) ? sessions : [...sessions].reverse()) {
    for (let index = 1 + draft.below(3); index > 0; index -= 1) change(draft, by, draft.pick([0, 20, 60]));
    if (draft.chance(0.5)) draft.wait(1500);
  }
}
