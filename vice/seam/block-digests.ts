/**
 * The arithmetic of a container's file: contents, then the digest of each block (see containers.ts). Pure.
 */
import { hash } from 'node:crypto';
import { blockBytes } from './containers.js';

export const digestBytes = 32;
export const digestPattern = /^[0-9a-f]{64}$/;

/** SHA-256 of one block's bytes. */
export function blockDigest(block: Uint8Array): Buffer {
  return hash('sha256', block, 'buffer');
}

/** The digest of contents whose blocks have these digests, concatenated. */
export function containerDigest(blockDigests: Uint8Array): string {
  return hash('sha256', blockDigests, 'hex');
}

/** The digest of contents that are in memory as a whole. */
export function digestOf(contents: Uint8Array): string {
  return containerDigest(blockDigestsOf(contents));
}

/** The digests of all blocks of `contents`, concatenated. */
export function blockDigestsOf(contents: Uint8Array): Buffer {
  const digests: Buffer[] = [];
  for (let start = 0; start < contents.length; start += blockBytes) {
    digests.push(blockDigest(contents.subarray(start, start + blockBytes)));
  }
  return Buffer.concat(digests);
}

/** Blocks of contents of `length` bytes. */
export function blockCount(length: number): number {
  return Math.ceil(length / blockBytes);
}

/** Bytes of contents in a file of `fileBytes`, or undefined when no container has such a file. */
export function contentsLength(fileBytes: number): number | undefined {
  const blocks = Math.ceil(fileBytes / (blockBytes + digestBytes));
  const length = fileBytes - blocks * digestBytes;
  return length >= 0 && blockCount(length) === blocks ? length : undefined;
}

/** Bytes of the block of contents of `length` bytes. */
export function blockLength(block: number, length: number): number {
  return Math.max(0, Math.min(blockBytes, length - block * blockBytes));
}

/** Whether `bytes` are the block, by the digests of all blocks. */
export function isBlock(block: number, bytes: Uint8Array, blockDigests: Uint8Array): boolean {
  const expected = blockDigests.subarray(block * digestBytes, (block + 1) * digestBytes);
  return expected.length === digestBytes && blockDigest(bytes).equals(expected);
}
