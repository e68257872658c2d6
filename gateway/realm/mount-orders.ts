/** What the control door of a gateway answers about places where volumes are to be mounted. */
import { z } from 'zod';
import {
  isFailure,
  parseFid,
  rootFid,
  volumeOf,
  type Fid,
  type VolumeId,
} from '../../vice/interface/index.js';
import { sleep, type Clock } from '../../vice/seam/clock.js';
import type { Caller, ObjectStatus, Venus } from '../../venus/interface.js';
import { OperatorError } from '../config/operator-error.js';

const fid = z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined);
const prepareSchema = z.strictObject({
  user: z.string().min(1).max(256),
  path: z.string().max(100_000),
  volume: z.string().regex(/^[0-9a-f]{8}$/),
});

/** As it comes out of the door. */
export const preparedSchema = z.object({
  directory: fid,
  /** It is the volume's own root: the volume is mounted there. */
  isMounted: z.boolean(),
  /** The directory was not there. */
  isNew: z.boolean(),
  /** The list that holds at that place is now the volume's own. */
  isListed: z.boolean(),
});
export type Prepared = z.infer<typeof preparedSchema>;

/** How long a gateway may take to hear of a new volume and to reach it. */
const patienceMs = 20_000;
const againMs = 250;

type Read = <T>(schema: z.ZodType<T>) => Promise<T>;

export const mountOrders: Readonly<
  Record<string, (venus: Venus, read: Read, clock: Clock) => Promise<unknown>>
> = {
  '/mount/prepare': async (venus, read, clock): Promise<Prepared> => {
    const { user, path, volume: id } = await read(prepareSchema);
    const [caller, volume] = [{ user }, id as VolumeId];
    const { directory, isNew } = await emptyDirectory(venus, caller, path, volume);
    if (directory === rootFid(volume)) return { directory, isMounted: true, isNew: false, isListed: false };
    // First the list, then the mount: nobody sees the volume who may not.
    const isListed = await takeList(venus, caller, { directory, volume, path }, clock);
    return { directory, isMounted: false, isNew, isListed };
  },
};

/** Makes the directory if it is missing. @throws OperatorError refused (something is in it, or in its place) */
async function emptyDirectory(
  venus: Venus,
  caller: Caller,
  path: string,
  volume: VolumeId,
): Promise<{ readonly directory: Fid; readonly isNew: boolean }> {
  const names = path.split('/').filter((name) => name !== '');
  const { parent, name, object } = await venus.lookup(caller, names);
  if (object === null) {
    if (parent === null) throw new Error('venus: the root of the share is missing');
    return { directory: (await venus.makeDirectory(caller, parent, name)).fid, isNew: true };
  }
  const directory = object.fid;
  if (directory === rootFid(volume)) return { directory, isNew: false };
  if (directory === rootFid(volumeOf(directory))) {
    throw new OperatorError('refused', `${path} is the root of a volume; give another place.`);
  }
  await mustBeEmpty(venus, caller, path, object);
  return { directory, isNew: false };
}

async function mustBeEmpty(
  venus: Venus,
  caller: Caller,
  path: string,
  { fid: directory, kind }: ObjectStatus,
): Promise<void> {
  if (kind !== 'directory') throw new OperatorError('refused', `${path} is a ${kind}, not a folder.`);
  for await (const entries of venus.list(caller, directory)) {
    if (entries.length === 0) continue;
    const advice = 'Nobody would see that any more: move it away first, or give another place.';
    throw new OperatorError('refused', `There is something in ${path}. ${advice}`);
  }
}

interface Place {
  readonly directory: Fid;
  readonly volume: VolumeId;
  readonly path: string;
}

/** The volume's root has the list that holds at the place, unless it has one; whether that is new. */
async function takeList(
  venus: Venus,
  caller: Caller,
  { directory, volume, path }: Place,
  clock: Clock,
): Promise<boolean> {
  const root = rootFid(volume);
  const its = await known(venus, caller, root, clock);
  if (its.lists.some((each) => each.directory === root)) return false;
  const [deciding, ...others] = (await venus.access(caller, directory)).lists;
  if (deciding === undefined) return false;
  if (deciding.list === null || others.some((other) => other.directory === deciding.directory)) {
    const advice = 'Decide first which holds: `coda acl set` or `coda repair`.';
    throw new OperatorError('refused', `Several access lists of ${path} were set apart. ${advice}`);
  }
  await venus.setAccess(caller, root, deciding.list);
  return true;
}

/** @throws OperatorError unreachable */
async function known(
  venus: Venus,
  caller: Caller,
  root: Fid,
  clock: Clock,
): Promise<Awaited<ReturnType<Venus['access']>>> {
  for (const end = clock.monotonic() + patienceMs; ;) {
    try {
      return await venus.access(caller, root);
    } catch (error) {
      if (!isFailure(error, 'not-found', 'unreachable')) throw error;
      if (clock.monotonic() >= end) {
        const message = `This gateway does not reach the volume yet: ${error.message}. Try again in a moment.`;
        throw new OperatorError('unreachable', message);
      }
      await sleep(clock, againMs);
    }
  }
}
