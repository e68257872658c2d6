/** Asking servers to bring each other up to date. */
import { isFailure, type Fid } from '../../vice/interface/index.js';
import type { Member, Volume } from './volume.js';

/** Objects named in one call. */
const fidsMost = 1000;

/** Resolves when `members` have tried to get what they lack of `fids`. */
export async function resolveAt(
  volume: Volume,
  members: readonly Member[],
  fids: readonly Fid[],
): Promise<void> {
  const named = fids.slice(0, fidsMost);
  await Promise.all(
    members.map(({ server }) => quietly(server.call('resolve', { volume: volume.id, fids: named }))),
  );
}

/** A failure costs nothing but time: the servers come together by themselves. */
export async function quietly(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isFailure(error)) throw error;
  }
}
