/**
 * MOVE between two volumes. No server knows both, so it is a copy and a removal, made to look like one step:
 *
 * MX-1  The copy grows under a name of its own and takes the target's name when it is whole: until then the source is
 *       as it was, and what is at the target too. Whatever fails by then undoes the copy.
 * MX-2  Nothing of the source goes before the copy is in place and acknowledged, so on servers or in the log of the
 *       target's volume. That log keeps contents whatever becomes of the change: the servers have it, or it is kept
 *       with the reason why they refused it.
 * MX-3  Only what was copied goes, if it still is as it was copied. What changed or came meanwhile stays, under its own
 *       name, and the answer says so.
 *
 * A tree leaves its name in one step, too, before it is taken apart: who tries again after a crash must not move what
 * is left of the source over what has been moved. A crash leaves `.moving-...` (an unfinished copy) or `.moved-...`
 * (what has been copied), never half a tree under a name that people gave; both go by themselves
 * (unfinished-moves.ts).
 *
 * Coda answers EXDEV and leaves it to the program, whose copy and removal know nothing of properties and access lists.
 * A copy would drop versions that a volume hides, so what has them is refused (409) and stays where it is.
 */
import { isFailure, volumeOf, type Fid, type Name } from '../../venus/interface.js';
import { DavError, type Exchange, type MoveNote } from './exchange.js';
import { memberFailure, type MemberFailure } from './member-failures.js';
import { nameOf } from './target.js';
import { occupied, ownName, type Transfer } from './transfer.js';
import { TreeCopy, type Original } from './tree-copy.js';

/** Removals under way at the same time. */
const atOnce = 8;

export interface Crossing {
  /** What stands at the target now. */
  readonly fid: Fid;
  readonly replaced: boolean;
  /** What has gone from the source. */
  readonly gone: readonly Fid[];
  /** What stayed there. */
  readonly failures: readonly MemberFailure[];
}

/** @throws DavError 403, 409 (a volume is mounted in it), 412; Failure of Venus: then the source is as it was */
export async function moveAcross(exchange: Exchange, transfer: Transfer): Promise<Crossing> {
  const { source } = transfer;
  const top = { ...nameOf(source), status: source.object, path: exchange.path };
  const copy = new TreeCopy(exchange, (original) => admit(exchange, original));
  admit(exchange, top);
  if (top.status.conflict?.kind === 'versions')
    throw new DavError(409, 'It has versions that nobody has decided about: decide first, or copy it');
  const names = {
    // A file comes in one step in any case.
    beside: isTree(top)
      ? { parent: transfer.to.parent, name: ownName(exchange.share, 'moving') }
      : transfer.to,
    aside: { parent: top.parent, name: ownName(exchange.share, 'moved') },
  };
  const note = isTree(top) ? await noted(exchange, top, names) : undefined;
  let isClean = false;
  try {
    const placed = await place(exchange, copy, top, transfer, names.beside).catch(async (error: unknown) => {
      isClean = !isTree(top) || (await remove(exchange.share, exchange.caller, names.beside));
      throw isFailure(error, 'exists') ? occupied() : error;
    });
    await note?.placed(placed.fid);
    const { gone, failures, isLeft } = await clear(exchange, top, copy.originals, names.aside);
    isClean = !isLeft;
    return { ...placed, gone, failures };
  } finally {
    await note?.end(isClean);
  }
}

interface OwnNames {
  readonly beside: Name;
  readonly aside: Name;
}

async function noted(
  { share, caller: { user } }: Exchange,
  { parent, name, status }: Original,
  names: OwnNames,
): Promise<MoveNote | undefined> {
  return share.moves?.begin({ user, moved: status.fid, source: { parent, name }, ...names });
}

function isTree({ status }: Original): boolean {
  return status.kind === 'directory';
}

/** Versions that its volume hides would be lost: a copy is of the one that is seen. */
function refuseHidden({ name, status }: Original): void {
  const { hiddenVersions = 0 } = status;
  if (hiddenVersions === 0) return;
  const versions = hiddenVersions === 1 ? 'another version' : `${hiddenVersions} other versions`;
  const how = 'delete them in .coda/overwritten or by `coda repair`, then move it; or copy it';
  throw new DavError(409, `${name} has ${versions}, overwritten unseen, which would not move along: ${how}`);
}

function admit(exchange: Exchange, original: Original): void {
  refuseMount(exchange, original);
  refuseHidden(original);
}

function refuseMount({ share }: Exchange, { parent, status }: Original): void {
  const volume = volumeOf(status.fid);
  if (volume === volumeOf(parent)) return;
  const name = share.venus.state().volumes.find(({ id }) => id === volume)?.name ?? volume;
  const how = `move it with \`coda volume unmount\` and \`mount\`, or copy it`;
  throw new DavError(409, `Volume ${name} is mounted here and moves to no other volume: ${how}`);
}

/** MX-1 */
async function place(
  { share, caller }: Exchange,
  copy: TreeCopy,
  top: Original,
  { to, overwrite: replace }: Transfer,
  beside: Name,
): Promise<Pick<Crossing, 'fid' | 'replaced'>> {
  const { status, created } = await copy.run(top, beside, { replace: replace && !isTree(top) });
  const placed = isTree(top)
    ? await share.venus.rename(caller, beside, to, { replace })
    : { replaced: !created };
  return { fid: status.fid, ...placed };
}

/** Whether nothing is left of it. */
async function remove(
  { venus, log }: Exchange['share'],
  caller: Exchange['caller'],
  { parent, name }: Name,
): Promise<boolean> {
  try {
    await venus.remove(caller, parent, name);
    return true;
  } catch (error) {
    if (!isFailure(error)) throw error;
    if (error.kind !== 'not-found') log.warn('move.left', { name, message: error.message });
    return error.kind === 'not-found';
  }
}

/** MX-3 */
async function clear(
  exchange: Exchange,
  top: Original,
  originals: readonly Original[],
  own: Name,
): Promise<Pick<Crossing, 'gone' | 'failures'> & { readonly isLeft: boolean }> {
  const aside = isTree(top) ? await putAside(exchange, top, own) : top;
  const gone: Fid[] = [];
  const failures: MemberFailure[] = [];
  const take = async (original: Original): Promise<void> => {
    const failure = await takeAway(exchange, original === top ? { ...top, name: aside.name } : original);
    if (failure === undefined) gone.push(original.status.fid);
    // A directory stays for what stays in it, which is told already.
    else if (!failures.some((other) => isBelow(other.path, original.path))) failures.push(failure);
  };
  for (const batch of batches(originals.toReversed())) await Promise.all(batch.map(take));
  const isAside = aside.name !== top.name && !gone.includes(top.status.fid);
  return { gone, failures, isLeft: isAside && !(await putBack(exchange, top, aside)) };
}

/** Out of the way under a name of its own; where it cannot be put aside it is taken apart where it is. */
async function putAside({ share, caller }: Exchange, { parent, name }: Original, aside: Name): Promise<Name> {
  try {
    await share.venus.rename(caller, { parent, name }, aside, { replace: false });
    return aside;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { parent, name };
  }
}

/** Whether nothing bears the name of its own any more. */
async function putBack(
  { share, caller }: Exchange,
  { parent, name }: Original,
  aside: Name,
): Promise<boolean> {
  try {
    await share.venus.rename(caller, aside, { parent, name }, { replace: false });
    return true;
  } catch (error) {
    if (!isFailure(error)) throw error;
    share.log.warn('move.left', { name: aside.name, message: error.message });
    return false;
  }
}

/** Members before their directory; versions in conflict one after the other, as each has a part in the next's name. */
function* batches(originals: readonly Original[]): Generator<readonly Original[]> {
  let batch: Original[] = [];
  for (const original of originals) {
    const { kind, conflict } = original.status;
    const isAlone = kind === 'directory' || conflict !== null;
    if (batch.length > 0 && (isAlone || batch.length >= atOnce)) yield batch;
    if (isAlone || batch.length >= atOnce) batch = [];
    if (isAlone) yield [original];
    else batch.push(original);
  }
  if (batch.length > 0) yield batch;
}

async function takeAway(
  { share, caller }: Exchange,
  { parent, name, status, path }: Original,
): Promise<MemberFailure | undefined> {
  try {
    await share.venus.remove(caller, parent, name, { unchanged: status });
    return undefined;
  } catch (error) {
    if (isFailure(error, 'not-found')) return undefined;
    const isDirectory = status.kind === 'directory';
    const told = isFailure(error, 'changed', 'not-empty') ? changedMeanwhile() : error;
    return memberFailure(told, path, isDirectory);
  }
}

function changedMeanwhile(): DavError {
  return new DavError(409, 'It was changed while it was moved: the new version has stayed where it was');
}

function isBelow(path: readonly string[], directory: readonly string[]): boolean {
  return path.length > directory.length && directory.every((name, index) => name === path[index]);
}
