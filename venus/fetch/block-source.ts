/**
 * Where the blocks of a cold file come from. Whatever can say a file's blocks is a source: a server
 * (server-source.ts), and whoever makes blocks out of what is here already. What a source says is believed only if it
 * matches the file's digest.
 */
import type { FileData } from '../../vice/interface/index.js';
import type { LinkQuality } from '../remote/link-quality.js';

/** Blocks from `first` up to but not including `end`. */
export interface Run {
  readonly first: number;
  readonly end: number;
}

export interface BlockRequest extends Run {
  readonly contents: Pick<FileData, 'digest' | 'length'>;
  /** The digests of all blocks are to come first. */
  readonly proof: boolean;
  /**
   * It gives way to users: what a source has sent cannot be held back, so on a slow link it is asked for in pieces.
   * Resolves when the next piece may come, after so many bytes have.
   */
  readonly giveWay?: (bytes: number) => Promise<void>;
}

export type Arrival =
  /** A whole block. The receiver owns `bytes`. */
  | { readonly kind: 'block'; readonly block: number; readonly bytes: Uint8Array }
  /** The digests of all blocks, concatenated. */
  | { readonly kind: 'proof'; readonly blockDigests: Uint8Array };

export interface BlockSource {
  readonly name: string;
  /** How fast it has been, as far as it was measured. */
  readonly quality: LinkQuality;
  /** What was asked for, in order. Aborted, it fails soon. @throws Failure */
  arrivals(request: BlockRequest, signal: AbortSignal): AsyncIterable<Arrival>;
  /** It is faster than those before it: from now on it is to be asked first. */
  prefer(): void;
}
