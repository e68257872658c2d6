/**
 * New versions that travel as what is new in them (vice/difference), both ways.
 *
 * An upload to `difference/<transfer>/<fid>/<digest>` brings steps that are carried out on contents that are here; what
 * comes of it is staged like any upload of this transfer (staging.ts): `start` counts bytes of the new contents, and
 * whatever breaks, the rest may come as steps again or as plain bytes.
 *
 * DF-1  The contents that steps copy from are contents of the named object, here and now: who may write to one object
 *       does not come by the bytes of another one in this way.
 * DF-2  They stay while the upload runs.
 * DF-3  What has been put together is a container under the digest that it has, whatever anybody said; the mutation
 *       that names another one is refused.
 *
 * A download of `recipe/<digest>` is the recipe of a container, one of `pieces/<digest>/<from>-<to>_<from>-<to>...`
 * these ranges of it, one after the other.
 */
import {
  Failure,
  isFailure,
  parseFid,
  volumeOf,
  type Argument,
  type Fid,
  type Peer,
} from '../interface/index.js';
import { readSteps } from '../difference/operation-codec.js';
import type { Containers } from '../seam/containers.js';
import type { Replica } from '../volume/replica.js';
import type { Handlers, ServerContext } from './context.js';

/** Contents of one object that are told of. */
const basesMost = 8;
const rangesMost = 64;

interface Base {
  readonly digest: string;
  readonly length: number;
}

export interface Upload {
  readonly path: string;
  readonly start: number;
  readonly source: AsyncIterable<Uint8Array>;
}

export const basing: Handlers<'bases'> = {
  async bases(context, _session, { volume, fids }: Argument<'bases'>) {
    const replica = context.volumes.required(volume);
    const { containers } = context.world;
    const bases = fids.map(async (fid) => {
      const named = basesOf(replica, fid);
      const here = await Promise.all(named.map(({ digest }) => containers.has(digest)));
      return named.filter((_base, index) => here[index]);
    });
    return { bases: await Promise.all(bases) };
  },
};

/**
 * Takes an upload of steps; false: it is none.
 * @throws Failure invalid (steps, transfer id, start), not-found (the object has no such contents), damaged, no-space
 */
export async function receiveDifference(
  context: ServerContext,
  peer: Peer,
  { path, start, source }: Upload,
): Promise<boolean> {
  const match = /^difference\/([^/]+)\/([^/]+)\/([0-9a-f]{64})$/.exec(path);
  const [, id = '', named = '', digest = ''] = match ?? [];
  const fid = parseFid(named) === undefined ? undefined : (named as Fid);
  if (match === null || fid === undefined) return false;
  const replica = context.volumes.required(volumeOf(fid));
  const { containers } = context.world;
  // First the hold, then the look: what is found is then not swept (DF-2).
  const release = replica.hold(digest);
  try {
    if (!basesOf(replica, fid).some((base) => base.digest === digest)) {
      throw new Failure('not-found', 'vice.upload', `the object has no contents ${digest}`, { fid });
    }
    const length = await containers.length(digest);
    const made = carriedOut(containers, { digest, length }, source);
    await context.staging.receive(peer.name, id, start, made);
    return true;
  } finally {
    release();
  }
}

/** A recipe or pieces; undefined: `path` is neither. @throws Failure invalid, not-found, busy at once */
export async function openDifference(
  context: ServerContext,
  path: string,
  start: number,
): Promise<AsyncIterable<Uint8Array> | undefined> {
  const [, kind, digest = '', ranges] =
    /^(recipe|pieces)\/([0-9a-f]{64})(?:\/([0-9_-]{3,2200}))?$/.exec(path) ?? [];
  if (kind === undefined || (kind === 'pieces') !== (ranges !== undefined)) return undefined;
  if (start !== 0) throw new Failure('invalid', 'vice.download', `${kind} are not read from the middle`);
  const { containers } = context.world;
  if (ranges === undefined) return context.recipes.read(digest);
  return pieces(containers, digest, parseRanges(ranges, await containers.length(digest)));
}

/** Contents of an object at this replica: all its versions, the one that is shown first. */
function basesOf(replica: Replica, fid: Fid): readonly Base[] {
  try {
    const status = replica.status(fid);
    const versions = [status?.data ?? [], status?.siblings ?? []].flat();
    const bases = versions.filter(({ length }) => length > 0);
    return bases.slice(0, basesMost).map(({ digest, length }) => ({ digest, length }));
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return [];
  }
}

/** What the steps in `source` make of `base`. */
async function* carriedOut(
  containers: Containers,
  base: Base,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const said of readSteps(source, base.length)) {
    if (said instanceof Uint8Array) yield said;
    else yield* await containers.read(base.digest, said.offset, said.offset + said.length);
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** @throws Failure invalid */
function parseRanges(text: string, length: number): readonly Range[] {
  const ranges = text.split('_').map((range) => {
    const [, from, to] = /^([0-9]{1,15})-([0-9]{1,15})$/.exec(range) ?? [];
    return { from: Number(from), to: Number(to) };
  });
  const isSound = ranges.every(({ from, to }) => from < to && to <= length);
  if (isSound && ranges.length <= rangesMost) return ranges;
  throw new Failure('invalid', 'vice.download', 'no ranges of these contents');
}

async function* pieces(
  containers: Containers,
  digest: string,
  ranges: readonly Range[],
): AsyncGenerator<Uint8Array, void, undefined> {
  for (const { from, to } of ranges) yield* await containers.read(digest, from, to);
}
