/**
 * One folder, one process, decided without a lock that a dead process could leave behind.
 *
 * Who wants a folder listens on its control port, puts a claim file of its own name into the folder, and only
 * then looks at the claims of others, asking at the port of each. (As in Lamport's bakery: of two claimants
 * at least one sees the other.)
 *
 * CF-1  A claim of the dead is removed by whoever sees it: its name is never used again.
 * CF-2  A holder is never disturbed: who sees one withdraws its claim.
 * CF-3  Of two that are still claiming the higher token withdraws and the lower one waits: one gets on.
 * CF-4  A folder is held only after a look that saw no other claim of the living.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import { OperatorError } from '../config/operator-error.js';
import { readControl, standingOf, type Control } from './control-call.js';
import { writeWhole } from './whole-file.js';

const pauseMs = 50;
const claimName = /^claim\.[\w-]+$/;

/**
 * Claims `folder` for the process behind `own`, which must answer already. A holder has `patienceMs` to go.
 * @returns what gives the folder free
 * @throws OperatorError refused when another process holds it
 */
export async function claimFolder(
  folder: string,
  own: Control,
  clock: Clock,
  patienceMs: number,
): Promise<() => Promise<void>> {
  const deadline = clock.monotonic() + patienceMs;
  const file = join(folder, `claim.${own.token}`);
  const withdraw = (): Promise<void> => rm(file, { force: true });
  for (;;) {
    await writeWhole(file, JSON.stringify(own), 0o600);
    const view = await contest(folder, own, clock).catch(async (error: unknown) => {
      await withdraw();
      throw error;
    });
    if (view === 'free') return withdraw;
    await withdraw();
    if (view !== 'yield' && clock.monotonic() >= deadline) {
      throw new OperatorError(
        'refused',
        `${folder} is in use: process ${view.holder} runs on it. ` +
          'Stop that one first, or give another folder.',
      );
    }
    await sleep(clock, pauseMs);
  }
}

/** What a claimant sees: nobody else, a holder, or another claimant that goes before. */
type View = 'free' | 'yield' | { readonly holder: number };

async function contest(folder: string, own: Control, clock: Clock): Promise<View> {
  for (;;) {
    let waiting = false;
    for (const name of await readdir(folder)) {
      if (!claimName.test(name) || name === `claim.${own.token}`) continue;
      const file = join(folder, name);
      const rival = await readControl(file);
      const standing = rival === undefined ? 'dead' : await standingOf(rival);
      if (rival === undefined || standing === 'dead') await rm(file, { force: true });
      else if (standing === 'holding') return { holder: rival.pid };
      else if (rival.token < own.token) return 'yield';
      else waiting = true;
    }
    if (!waiting) return 'free';
    await sleep(clock, pauseMs);
  }
}
