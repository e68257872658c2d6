/** What servers said of a directory when they were asked to list it. Pure. */
import type { Result } from '../../vice/interface/index.js';
import type { Member } from './volume.js';

export interface Listed {
  readonly member: Member;
  /** With all names. */
  readonly full: boolean;
  readonly reply: Result<'list'>;
}

/** One of each state of the directory and its children; of the same ones who has told all names. */
export function oneOfEachState(replies: readonly Listed[]): readonly Listed[] {
  const byState = new Map<string, Listed>();
  for (const item of replies) {
    const { digest, status } = item.reply;
    const state = `${digest} ${status?.names ?? ''}`;
    if (!byState.has(state) || item.full) byState.set(state, item);
  }
  return [...byState.values()];
}
