/**
 * Reading where the gateway's disk has no room: blocks come from a server, are checked, handed on, and kept nowhere.
 * Nobody needs space for reading.
 */
import { Failure, isFailure, type FileData } from '../../vice/interface/index.js';
import { blockDigest, containerDigest, digestBytes } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import type { Arrival, BlockSource } from './block-source.js';

/**
 * Bytes from `start` up to but not including `end`, from the first of `sources`; where it breaks, from the next one, at
 * the block where it broke. @throws Failure damaged, unreachable
 */
export async function* unstored(
  contents: Pick<FileData, 'digest' | 'length'>,
  sources: readonly BlockSource[],
  start: number,
  end: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let position = start;
  let failure = new Failure('unreachable', 'venus.read', 'no server to read from');
  for (const source of sources) {
    const stop = new AbortController();
    const first = Math.floor(position / blockBytes);
    const request = { contents, first, end: Math.ceil(end / blockBytes), proof: true };
    try {
      for await (const { block, bytes } of proven(source.arrivals(request, stop.signal), contents.digest)) {
        const offset = block * blockBytes;
        yield bytes.subarray(position - offset, end - offset);
        position = Math.min(end, offset + bytes.length);
      }
      if (position >= end) return;
    } catch (error) {
      if (!isFailure(error)) throw error;
      failure = error;
    } finally {
      stop.abort();
    }
  }
  throw failure;
}

/** Blocks that match the file's digest (FF-1). */
async function* proven(
  arrivals: AsyncIterable<Arrival>,
  digest: string,
): AsyncGenerator<Extract<Arrival, { kind: 'block' }>, void, undefined> {
  let blockDigests: Uint8Array = new Uint8Array();
  for await (const arrival of arrivals) {
    if (arrival.kind === 'proof') {
      if (containerDigest(arrival.blockDigests) !== digest) throw untrue(digest);
      blockDigests = arrival.blockDigests;
      continue;
    }
    const at = arrival.block * digestBytes;
    if (!blockDigest(arrival.bytes).equals(blockDigests.subarray(at, at + digestBytes))) throw untrue(digest);
    yield arrival;
  }
}

function untrue(digest: string): Failure {
  return new Failure('damaged', 'venus.read', `a server sent other bytes than those of ${digest}`);
}
