/** The call `watch`: a callback promise on a volume, and what has changed since the caller last had one. */
import { Failure } from '../interface/index.js';
import type { Handlers } from './context.js';
import { flushed } from './reading.js';

/** More changed objects are not named: looking at everything is cheaper then. */
const changedMax = 100_000;

export const promising: Handlers<'watch'> = {
  async watch(context, session, { volume, replica: meant, since, incarnation, venus }) {
    const replica = context.volumes.required(volume, meant);
    if (replica.standing !== 'member') {
      throw new Failure(
        'stale',
        'vice.watch',
        `replica ${replica.id} of volume ${volume} is ${replica.standing}`,
      );
    }
    if (!context.sessions.has(session.id)) {
      throw new Failure('cancelled', 'vice.watch', 'the session has closed');
    }
    // First the promise, then where the replica stands, in one turn of the event loop (CB-2).
    context.promises.promise(session, volume);
    const changed = since === null ? null : replica.changedSince(since, incarnation);
    const { stamp } = replica;
    await flushed(context);
    return {
      replica: replica.id,
      incarnation: replica.incarnation,
      stamp,
      seen: [...replica.seenOf(venus)],
      changed: changed === null || changed.length > changedMax ? null : [...changed],
    };
  },
};
