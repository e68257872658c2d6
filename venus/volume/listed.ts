/** What servers said of a directory when they were asked to list it. Pure. */
import type { Result } from '../../vice/interface/index.js';
import type { Recent } from './recent-list.js';
import type { Member } from './volume.js';

export interface Listed {
  readonly member: Member;
  /** With all names. */
  readonly full: boolean;
  readonly reply: Result<'list'>;
}

/** One state of the directory and its children, and who is in it. */
export interface ListedState extends Listed {
  readonly heard: readonly string[];
}

/** One of each state; of the same ones who has told all names. */
export function oneOfEachState(replies: readonly Listed[]): readonly ListedState[] {
  const byState = new Map<string, ListedState>();
  for (const item of replies) {
    const { digest, status } = item.reply;
    const state = `${digest} ${status?.names ?? ''}`;
    const same = byState.get(state);
    const heard = [...(same?.heard ?? []), item.member.replica];
    byState.set(state, { ...(same === undefined || item.full ? item : same), heard });
  }
  return [...byState.values()];
}

/** What one of `replies` says of the names that changed since they had that digest, if that is all that they say. */
export function recentOf(replies: readonly Listed[], since: string): Recent | undefined {
  const [state, ...others] = oneOfEachState(replies);
  const recent = replies.find(({ reply }) => reply.gone !== undefined)?.reply;
  if (state === undefined || others.length > 0 || recent?.gone === undefined) return undefined;
  return { entries: recent.entries, gone: recent.gone, heard: state.heard, since };
}

export function replicasOf(replies: readonly { readonly member: Member }[]): readonly string[] {
  return replies.map(({ member }) => member.replica);
}
