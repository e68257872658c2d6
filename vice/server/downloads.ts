/**
 * Container bytes for gateways and servers, healed from a peer when they are damaged here:
 *
 *   container/<digest>[/<end>]   the contents, up to byte <end> where it is given
 *   proven/<digest>[/<end>]      the digests of all blocks, then as above
 *
 *   dump/...                     the same contents for operators, as far as a snapshot has them (dumping.ts)
 *
 * The digests prove themselves by <digest>, and each block of the contents by them: whoever asks for a part of a file
 * can trust it without the rest, after one round trip.
 */
import { Failure, isFailure, type Peer } from '../interface/index.js';
import { checkDownload } from '../protection/session-rights.js';
import { ContainerReferences } from '../store/container-references.js';
import type { ServerContext } from './context.js';
import { openDifference } from './differences.js';
import { dumpedDigest } from './dumping.js';

const operation = 'vice.download';
const proofChunk = 256 * 1024;

/** Bytes from `start` on. @throws Failure invalid, not-found, access-denied at once; damaged while reading */
export async function openDownload(
  context: ServerContext,
  peer: Peer,
  path: string,
  start: number,
): Promise<AsyncIterable<Uint8Array>> {
  if (peer.role === 'operator') {
    const range = { digest: dumpedDigest(context, peer, path), start, end: Infinity };
    return counting(context, undefined, () => opened(context, range));
  }
  checkDownload(peer);
  const difference = await openDifference(context, path, start);
  if (difference !== undefined) return difference;
  const [, kind, digest, end] = /^(container|proven)\/([0-9a-f]{64})(?:\/(\d{1,15}))?$/.exec(path) ?? [];
  if (digest === undefined) throw new Failure('not-found', operation, `nothing to download at ${path}`);
  const { containers } = context.world;
  const range = { digest, start, end: end === undefined ? Infinity : Number(end) };
  // A server that asks is healing itself: two that lack the same container must not ask each other in a
  // circle.
  if (peer.role === 'server') return containers.read(digest, start, range.end);
  const open = (): Promise<AsyncIterable<Uint8Array>> =>
    healed(context, digest, () => containers.read(digest, start, range.end));
  if (kind === 'proven') {
    const proof = await healed(context, digest, () => containers.blockDigests(digest));
    return counting(context, proof, async () => healing(context, range, await open()));
  }
  const contents = healing(context, range, await open());
  return counting(context, undefined, async () => contents);
}

/** Healed while they are read, too. */
async function opened(context: ServerContext, range: Range): Promise<AsyncIterable<Uint8Array>> {
  const { digest, start, end } = range;
  const { containers } = context.world;
  return healing(context, range, await healed(context, digest, () => containers.read(digest, start, end)));
}

interface Range {
  readonly digest: string;
  readonly start: number;
  readonly end: number;
}

/** What `work` comes to, after healing where the container is not, or not whole, here. */
async function healed<T>(context: ServerContext, digest: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFailure(error, 'not-found', 'damaged') || !isNamed(context, digest)) throw error;
    // What nobody names any more when it has come goes again.
    const release = ContainerReferences.of(context.world).hold(digest);
    try {
      await context.resolver.heal(digest);
      return await work();
    } finally {
      release();
    }
  }
}

/**
 * The proof of the contents, where one is asked for, then the contents; both are counted as they go. Contents that are
 * open must be read to be closed, so behind a proof they are opened when it has been sent.
 */
async function* counting(
  context: ServerContext,
  proof: Uint8Array | undefined,
  contents: () => Promise<AsyncIterable<Uint8Array>>,
): AsyncIterable<Uint8Array> {
  for (let start = 0; start < (proof?.length ?? 0); start += proofChunk) {
    const chunk = proof?.subarray(start, start + proofChunk) ?? new Uint8Array();
    context.metrics.served(chunk.length);
    yield chunk;
  }
  for await (const chunk of await contents()) {
    context.metrics.served(chunk.length);
    yield chunk;
  }
}

/** `source`, and where it turns out to be damaged, the same bytes from a peer, once. */
async function* healing(
  context: ServerContext,
  { digest, start, end }: Range,
  source: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let position = start;
  try {
    for await (const chunk of source) {
      position += chunk.length;
      yield chunk;
    }
    return;
  } catch (error) {
    if (!isFailure(error, 'damaged') || !isNamed(context, digest)) throw error;
  }
  const release = ContainerReferences.of(context.world).hold(digest);
  try {
    await context.resolver.heal(digest);
    yield* await context.world.containers.read(digest, position, end);
  } finally {
    release();
  }
}

function isNamed(context: ServerContext, digest: string): boolean {
  return context.volumes.all().some((replica) => replica.names(digest));
}
