/**
 * What the stamps of a replica mean to somebody who remembers one. Pure.
 *
 * A disk may be put back as it was some time ago, and the server then gives the same stamps to other changes. So each
 * opening of a replica that comes to a change begins an epoch, under a random id that is on the disk before the change:
 * an epoch that two remember is the same to both, and so is all that came before it. (Coda has no such thing: there a
 * restored server is an empty one. Reference: reliability.md, I27.)
 *
 * HI-1  A mark names the epochs up to the one that its stamp lies in: whoever has it has read all changes of each up to
 *       where the next one began, of the last one up to the stamp.
 * HI-2  Of a history that went another way than a mark what they have in common counts as read, and nothing else. Only
 *       the last epoch that they share can end at two places.
 */
export interface Epoch {
  readonly id: string;
  /** The last stamp before it. */
  readonly after: number;
}

/** Epochs of a replica, oldest first. */
export type History = readonly Epoch[];

/** How far somebody has read a replica's changes. */
export interface Mark {
  readonly stamp: number;
  readonly epochs: History;
}

/** Of nothing. */
export const unread: Mark = { stamp: 0, epochs: [] };

/** Older ones are forgotten: a peer that was away for as many restarts, or a disk as old, is read from the start. */
export const epochsMost = 64;

/** `history` with a further epoch, before which `after` was the last stamp. */
export function withEpoch(history: History, id: string, after: number): History {
  return [...history, { id, after }].slice(-epochsMost);
}

/** The mark of somebody who has read all up to `stamp`. */
export function markAt(history: History, stamp: number): Mark {
  return { stamp, epochs: history.filter(({ after }) => after < stamp) };
}

export function isSameMark(one: Mark, other: Mark): boolean {
  const ids = ({ epochs }: Mark): string => epochs.map(({ id, after }) => `${id} ${after}`).join();
  return one.stamp === other.stamp && ids(one) === ids(other);
}

/** The stamp up to which `mark` covers `history`: where its owner has to read on. `last` is that of the last change. */
export function readUpTo(mark: Mark, history: History, last: number): number {
  const shared = history.findLast(({ id }) => endIn(mark, id) !== undefined);
  if (shared === undefined) return 0;
  const end = endIn({ stamp: last, epochs: history }, shared.id) ?? last;
  return Math.min(end, endIn(mark, shared.id) ?? 0);
}

/** Whether the owner of `mark` has read the change with `stamp` of `history`. */
export function hasRead(mark: Mark, history: History, stamp: number): boolean {
  const epoch = history.findLast(({ after }) => after < stamp);
  return epoch !== undefined && stamp <= (endIn(mark, epoch.id) ?? 0);
}

/** The last stamp of the epoch `id` that `mark` covers; undefined: it is none of the mark's. */
function endIn({ stamp, epochs }: Mark, id: string): number | undefined {
  const at = epochs.findIndex((epoch) => epoch.id === id);
  return at < 0 ? undefined : (epochs[at + 1]?.after ?? stamp);
}
