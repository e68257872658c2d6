/**
 * Container bytes for gateways and servers (`container/<digest>`), healed from a peer when they are damaged
 * here.
 */
import { Failure, isFailure, type Peer } from '../interface/index.js';
import { checkDownload } from '../protection/session-rights.js';
import type { ServerContext } from './context.js';
import { openDifference } from './differences.js';

const operation = 'vice.download';

/** Bytes from `start` on. @throws Failure invalid, not-found, access-denied at once; damaged while reading */
export async function openDownload(
  context: ServerContext,
  peer: Peer,
  path: string,
  start: number,
): Promise<AsyncIterable<Uint8Array>> {
  checkDownload(peer);
  const difference = await openDifference(context, path, start);
  if (difference !== undefined) return difference;
  const digest = /^container\/([0-9a-f]{64})$/.exec(path)?.[1];
  if (digest === undefined) throw new Failure('not-found', operation, `nothing to download at ${path}`);
  const { containers } = context.world;
  // A server that asks is healing itself: two that lack the same container must not ask each other in a
  // circle.
  if (peer.role === 'server') return containers.read(digest, start);
  try {
    return healing(context, digest, start, await containers.read(digest, start));
  } catch (error) {
    if (!isFailure(error, 'not-found', 'damaged') || !isNamed(context, digest)) throw error;
    await context.resolver.heal(digest);
    return containers.read(digest, start);
  }
}

/** `source`, and where it turns out to be damaged, the same bytes from a peer, once. */
async function* healing(
  context: ServerContext,
  digest: string,
  start: number,
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
    await context.resolver.heal(digest);
  }
  yield* await context.world.containers.read(digest, position);
}

function isNamed(context: ServerContext, digest: string): boolean {
  return context.volumes.all().some((replica) => replica.names(digest));
}
