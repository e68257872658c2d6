/** Waiting at the end of a command until the servers have what it has changed; Ctrl-C ends the wait. */
import { systemClock } from '../../../vice/seam/real/system-clock.js';
import { drained, type Drained } from './drain.js';
import { onBreak } from './ending.js';
import type { ShareTree } from './share-tree.js';
import { say } from './tree-progress.js';

export type Asked = () => ReturnType<ShareTree['pending']>;

export async function sent(ask: Asked, user: string, keptBefore: number): Promise<Drained> {
  let isStopped = false;
  const stop = onBreak(() => (isStopped = true));
  let told = '';
  const tell = (text: string): void => {
    if (text !== told) say((told = text));
  };
  try {
    return await drained(ask, systemClock(), { keptBefore, user, stopped: () => isStopped, tell });
  } finally {
    if (told !== '' && process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    stop();
  }
}
