/**
 * One question to every member of an AVSG.
 *
 * AA-1  Nobody waits much longer for one server than for another: one that has not answered `stragglerMs` after the
 *       first answer came is given up, like one that is gone. Its network is well, and its disk stalls, say. It is back
 *       when it gives a promise again (Volume.join); until then nobody waits for it.
 * AA-2  Nor for one that is alone, once it has let a call run out.
 */
import { isFailure } from '../../vice/interface/index.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Member } from './volume.js';

/** Milliseconds; more than a disk needs for a flush when much is written. */
const stragglerMs = 3000;

export interface AskWorld {
  readonly clock: Clock;
  readonly log: Log;
}

export interface Answer<R> {
  readonly member: Member;
  readonly reply: R;
}

/** The replies of those that answered. `isLong`: of whom something long is asked; they have their time. */
export async function askAll<R>(
  members: readonly Member[],
  ask: (member: Member) => Promise<R>,
  { clock, log }: AskWorld,
  isLong: (member: Member) => boolean = () => false,
): Promise<readonly Answer<R>[]> {
  const waiting = new Set(members.filter((member) => !isLong(member) && !member.server.weak));
  let patience: Timer | undefined;
  const giveUpStragglers = (): void => {
    for (const { server } of waiting) server.giveUp('others have answered long since');
  };
  const one = async (member: Member): Promise<Answer<R> | undefined> => {
    try {
      const reply = await ask(member);
      patience ??= clock.after(stragglerMs, giveUpStragglers);
      return { member, reply };
    } catch (error) {
      if (!isFailure(error)) throw error;
      const { kind, message } = error;
      log.warn('call failed', { server: member.server.name, kind, message });
      if (kind === 'timeout') member.server.giveUp(message);
      return undefined;
    } finally {
      waiting.delete(member);
    }
  };
  try {
    const answers = await Promise.all(members.map(one));
    return answers.filter((answer) => answer !== undefined);
  } finally {
    patience?.cancel();
  }
}
