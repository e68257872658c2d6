/** Waiting until what was copied is on the servers, or until there is room for more: as long as it goes on. */
import { sleep, type Clock } from '../../../vice/seam/clock.js';
import type { PendingState } from '../../realm/tree-object.js';
import { bytesText } from '../output.js';
import { countText } from '../words.js';

const askMs = 500;
/** A log that stands still for so long waits for something that does not come by itself. */
const stillMs = 60_000;

export interface Drained {
  /** Nothing waits any more. */
  readonly isSent: boolean;
  readonly last: PendingState;
  /** Changes that the servers refused for good since `before`. */
  readonly kept: number;
}

/**
 * Asks until nothing waits, or `isEnough`. Ends early when no server is reached, when nothing has moved for a minute,
 * or when `stopped` says so.
 */
export async function drained(
  ask: () => Promise<PendingState>,
  clock: Clock,
  options: {
    readonly keptBefore: number;
    /** In whose name the changes are: without a login they are not sent. */
    readonly user: string;
    readonly stopped: () => boolean;
    readonly tell: (text: string) => void;
    readonly isEnough?: (state: PendingState) => boolean;
  },
): Promise<Drained> {
  const { keptBefore, user, stopped, tell, isEnough = () => false } = options;
  let [moved, seen] = [clock.monotonic(), ''];
  for (;;) {
    const last = await ask();
    const outcome = { isSent: last.changes === 0, last, kept: Math.max(0, last.kept - keptBefore) };
    if (
      last.changes === 0 ||
      isEnough(last) ||
      !last.isReached ||
      last.awaitedLogins.includes(user) ||
      stopped()
    )
      return outcome;
    const state = `${last.changes} ${last.bytes}`;
    if (state !== seen) moved = clock.monotonic();
    seen = state;
    if (clock.monotonic() - moved > stillMs) return outcome;
    tell(`waiting for the servers: ${waitingText(last)}`);
    await sleep(clock, askMs);
  }
}

/** "12 changes (3.0 MiB)". */
export function waitingText({ changes, bytes }: PendingState): string {
  return `${countText(changes, 'change')}${bytes === 0 ? '' : ` (${bytesText(bytes)})`}`;
}

/** What to say, and to do, about changes that have not reached the servers. */
export function unsentText(gateway: string, command: string, { last }: Drained): string {
  const wait = last.changes === 1 ? 'waits' : 'wait';
  const safe = `${waitingText(last)} still ${wait} at ${gateway}, on its disk; it sends them by itself`;
  const see = `See: ${command} log --gateway ${gateway}`;
  if (!last.isReached) return `${safe} when a server is reached. ${see}`;
  const [user] = last.awaitedLogins;
  if (user !== undefined) return `${safe} when ${user} logs in there again. ${see}`;
  return `${safe}.${last.lastError === null ? '' : ` The last trouble: ${last.lastError}.`} ${see}`;
}
