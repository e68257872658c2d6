/**
 * The call `offer`: which contents need not be sent, and where broken uploads go on.
 *
 * A peer learns from it whether a volume has contents of some digest, and a mutation may then name them without
 * having shown them. Gateways may: they are trusted peers of the realm that read every container anyway
 * (protection/session-rights.ts) and check their users' rights themselves. The call is therefore closed to all other
 * roles, and whatever is to be believed less must show the bytes.
 */
import { isFailure, type Argument } from '../interface/index.js';
import { mustBeUnlocked } from '../volume/bounds.js';
import type { Replica } from '../volume/replica.js';
import type { Handlers, ServerContext } from './context.js';

type Offered = Argument<'offer'>['contents'][number];

export const offering: Handlers<'offer'> = {
  async offer(context, session, { volume, contents }) {
    const replica = context.volumes.required(volume);
    const { name } = session.peer;
    const answers = contents.map(async (offered) => {
      if (await isHeld(context, name, replica, offered)) {
        context.staging.claimed(name, offered.transfer);
        return { held: true, received: 0 };
      }
      // Many bytes need not travel to be refused.
      mustBeUnlocked(replica.bounds);
      return { held: false, received: await context.staging.offered(name, offered.transfer, offered) };
    });
    return { contents: await Promise.all(answers) };
  },
};

/**
 * Whether a file of this very volume has these contents. Other volumes of this server do not count: who may write to
 * one volume has no business with what is in another.
 */
async function isHeld(
  context: ServerContext,
  peer: string,
  replica: Replica,
  { digest, length }: Offered,
): Promise<boolean> {
  // First the hold, then the look: what is found is then not swept (CR-2).
  const release = replica.hold(digest);
  const found = replica.names(digest) && (await lengthOf(context, digest)) === length;
  if (found && context.held.take(peer, digest, release)) return true;
  release();
  return false;
}

async function lengthOf(context: ServerContext, digest: string): Promise<number | undefined> {
  try {
    return await context.world.containers.length(digest);
  } catch (error) {
    if (!isFailure(error, 'not-found', 'damaged')) throw error;
    return undefined;
  }
}
