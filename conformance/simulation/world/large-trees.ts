/**
 * Trees that are removed while somebody works in them, also those that are too large to go in one entry of the log
 * (venus/change/removals.ts): they go in pieces.
 */
import { atomicObjects } from '../../../venus/change/removals.js';
import { watch } from './deeds.js';
import type { Draft } from './draft.js';
import { alone, crash, cutOff, kill, powerCut, together } from './troubles.js';

/** As long as hosts need to notice that they do not hear each other. */
const noticedMs = 5000;
/** Requests that build a tree at the same time. */
const builders = 8;

interface Tree {
  readonly top: string;
  /** The files that people save in, the last one made last. */
  readonly files: readonly string[];
}

/** A large tree is removed, replaced or moved at one gateway while somebody works in it at another one. */
export function largeTree(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const [by, author] = [draft.sessionOf(gateway), draft.sessionOf(other)];
  const isLate = draft.chance(0.4);
  draft.deed({ do: 'list', by, path: '' }, 20);
  // Its log is sent in batches.
  if (isLate) alone(draft, gateway, 'plan');
  const tree = built(draft, by);
  if (isLate) together(draft, gateway, draft.pick([300, 1500]));
  draft.wait(600);
  for (const session of [by, author]) draft.deed({ do: 'list', by: session, path: tree.top }, 20);
  before(draft, gateway, other);
  let top = goes(draft, by, tree.top);
  draft.wait(draft.pick([0, 1, 2, 5, 10, 20, 40]));
  for (let index = 1 + draft.below(3); index > 0; index -= 1) worksIn(draft, author, tree);
  if (draft.chance(0.5)) during(draft, gateway);
  draft.wait(draft.pick([20, 300, noticedMs]));
  if (draft.chance(0.3)) top = goes(draft, draft.pick([by, author]), top);
  together(draft, gateway, 20);
  together(draft, other, draft.pick([20, 1500]));
  watch(draft, 1, 20);
  // What is left of it would cost time in every scene that comes.
  draft.deed({ do: 'remove', by: draft.pick([by, author]), path: top }, draft.pick([1, 50, 300]));
}

/** A folder that goes at once is removed or replaced, while at another gateway somebody puts something into it. */
export function smallTree(draft: Draft): void {
  const [gateway, other] = draft.pair(draft.gateways);
  const [by, author] = [draft.sessionOf(gateway), draft.sessionOf(other)];
  const top = `t${draft.number()}`;
  const outside = `e${draft.number()}`;
  const files = ['a', 'b', 'c'].map((name) => `${top}/${name}`);
  draft.deed({ do: 'mkdir', by, path: top }, 20);
  for (const path of [...files, outside]) draft.deed({ do: 'put', by, path, bytes: 12 }, 20);
  for (const path of ['', top])
    for (const each of [by, author]) draft.deed({ do: 'list', by: each, path }, 20);
  draft.wait(300);
  // Servers have it just before the removal, which did not hear of it.
  if (draft.chance(0.6)) draft.deed({ do: 'rename', by: author, path: outside, to: `${top}/e` }, 0);
  else worksIn(draft, author, { top, files });
  draft.wait(draft.pick([0, 1, 1, 2, 3]));
  goes(draft, by, top);
  draft.wait(draft.pick([0, 1, 5, 20]));
  if (draft.chance(0.3)) worksIn(draft, author, { top, files });
  watch(draft, 1, draft.pick([20, 300]));
}

/** Flat, or folders of which each is small enough to go at once. Most of it is links: they cost least. */
function built(draft: Draft, by: string): Tree {
  const top = `t${draft.number()}`;
  draft.deed({ do: 'mkdir', by, path: top }, 20);
  const folders = draft.chance(0.5) ? [top] : [`${top}/m`, `${top}/n`];
  for (const path of folders) if (path !== top) draft.deed({ do: 'mkdir', by, path }, 20);
  const files: string[] = [];
  for (let index = 0; index < atomicObjects + 2; index += 1) {
    const path = `${folders[index % folders.length] ?? top}/f${index}`;
    const builder = `${by}#${2 + (index % builders)}`;
    if (index % 24 < 2) {
      files.push(path);
      draft.deed({ do: 'put', by: builder, path, bytes: 12 }, 0);
    } else draft.deed({ do: 'symlink', by: builder, path, target: 'a' }, 0);
  }
  draft.wait(600);
  return { top, files };
}

/** Servers lag, or one of the two works without any. */
function before(draft: Draft, gateway: string, other: string): void {
  const dice = draft.fraction();
  const server = draft.pick(draft.servers);
  if (dice < 0.4) return;
  if (dice < 0.55) kill(draft, server, draft.chance(0.5), draft.pick([20, noticedMs]));
  else if (dice < 0.7) {
    for (const each of [...draft.servers, ...draft.gateways])
      if (each !== server) cutOff(draft, server, each);
    draft.wait(noticedMs);
  } else if (dice < 0.8) {
    cutOff(draft, other, server);
    draft.wait(noticedMs);
  } else alone(draft, draft.pick([gateway, other]));
}

/** Says where the tree is then, if it is anywhere. */
function goes(draft: Draft, by: string, top: string): string {
  const dice = draft.fraction();
  const file = draft.file();
  if (dice < 0.6) draft.deed({ do: 'remove', by, path: top }, 0);
  else if (dice < 0.75) draft.deed({ do: 'rename', by, path: file, to: top }, 0);
  else if (dice < 0.85) draft.deed({ do: 'copy', by, path: file, to: top }, 0);
  else {
    const to = `${draft.pick(['x', 'y'])}/t${draft.number()}`;
    draft.deed({ do: 'rename', by, path: top, to }, 0);
    return to;
  }
  return top;
}

function worksIn(draft: Draft, by: string, { top, files }: Tree): void {
  const dice = draft.fraction();
  const ms = draft.pick([0, 2, 5, 20]);
  const path = draft.chance(0.5) ? (files.at(-1) ?? top) : draft.pick(files);
  if (dice < 0.5) draft.deed({ do: 'put', by, path, bytes: 40 }, ms);
  else if (dice < 0.65) draft.deed({ do: 'put', by, path: `${top}/n${draft.number()}`, bytes: 40 }, ms);
  else if (dice < 0.75)
    draft.deed({ do: 'rename', by, path: draft.file(), to: `${top}/e${draft.number()}` }, ms);
  else if (dice < 0.85) draft.deed({ do: 'rename', by, path, to: `e${draft.number()}` }, ms);
  else if (dice < 0.95)
    draft.deed({ do: 'setprop', by, path, name: '{x}p1', value: `<v>${draft.number()}</v>` }, ms);
  else draft.deed({ do: 'remove', by, path }, ms);
}

/** Something breaks while a part of it is gone. */
function during(draft: Draft, gateway: string): void {
  const dice = draft.fraction();
  const server = draft.pick(draft.servers);
  if (dice < 0.35) crash(draft, gateway, 0);
  else if (dice < 0.5) powerCut(draft, draft.servers);
  else if (dice < 0.65) kill(draft, server, draft.chance(0.5));
  else if (dice < 0.75)
    for (const each of draft.servers) draft.add({ do: 'reset', from: gateway, to: each }, 0);
  else if (dice < 0.85) draft.add({ do: 'lose-reply', from: server, to: gateway }, 0);
  else if (dice < 0.95) for (const each of draft.servers) cutOff(draft, gateway, each);
  else alone(draft, gateway, 'plan');
}
