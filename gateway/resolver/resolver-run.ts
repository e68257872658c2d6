/** A resolver at work: the seam behind which processes and temporary files are (gateway/realm/resolver-process.ts). */
import type { ResolverRule } from './rules.js';

export interface ResolverJob {
  readonly rule: ResolverRule;
  /** Of the file, from the root of the share. */
  readonly path: string;
  /** Contents of each version, the shown one first. */
  readonly versions: readonly AsyncIterable<Uint8Array>[];
  /** The gateway ends: the command ends with it. */
  readonly signal: AbortSignal;
}

/** What came of it: what the file shall hold, or why nothing did, in words. */
export type ResolverOutcome = { readonly contents: Uint8Array } | { readonly failure: string };

export type ResolverRun = (job: ResolverJob) => Promise<ResolverOutcome>;
