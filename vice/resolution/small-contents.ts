/**
 * Small contents of many files in one call: a directory of small files costs one round trip for a hundred of them, and
 * no flush of its own, as they are stored in the transaction that merges the files.
 */
import { isFailure, limits } from '../interface/index.js';
import type { Link } from '../seam/network.js';
import { digestOfPacked, type PackedContainers } from '../seam/packed-containers.js';
import { ask } from './ask.js';

/** What is known of contents before they are here. */
export interface WantedContents {
  readonly digest: string;
  readonly length: number;
}

export interface SmallContentsQuestion {
  readonly wanted: readonly WantedContents[];
  readonly link: Link;
  readonly signal: AbortSignal;
}

/**
 * The small ones among `wanted` that are not here, and that the peer has sound; whatever is left out is fetched one by
 * one, from whoever has it (fetch-container.ts).
 */
export async function askSmallContents(
  containers: PackedContainers,
  { wanted, link, signal }: SmallContentsQuestion,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const brought = new Map<string, Uint8Array>();
  const asked = new Map<string, number>();
  for (const { digest, length } of wanted) {
    if (containers.packs(length) && !(await containers.has(digest))) asked.set(digest, length);
  }
  for (const digests of portions(asked)) {
    try {
      const { contents } = await ask(link, 'contents', { digests }, signal);
      for (const [digest, bytes] of Object.entries(contents)) {
        const isAsked = asked.get(digest) === bytes.length;
        if (!isAsked || digestOfPacked(bytes) !== digest) continue;
        await containers.mustFit(bytes.length);
        brought.set(digest, bytes);
      }
    } catch (error) {
      if (!isFailure(error, 'unreachable', 'timeout', 'busy', 'incompatible')) throw error;
      signal.throwIfAborted();
      return brought;
    }
  }
  return brought;
}

/** No more in one call than a server answers whole. */
function* portions(lengths: ReadonlyMap<string, number>): Generator<string[]> {
  let digests: string[] = [];
  let bytes = 0;
  for (const [digest, length] of lengths) {
    if (digests.length === limits.contentsAtOnce || bytes + length > limits.contentsBytes) {
      yield digests;
      digests = [];
      bytes = 0;
    }
    digests.push(digest);
    bytes += length;
  }
  if (digests.length > 0) yield digests;
}
