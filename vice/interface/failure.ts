/**
 * Expected failures. An outcome is a value; a failure is one of these kinds, says which operation met it and on
 * which object; a broken invariant is a plain Error and stops the process.
 *
 * The kinds are a wire contract: a kind may be added, none may change its meaning.
 */
import type { Fid } from './fid.js';

export const failureKinds = [
  'unreachable', // no server of the volume answers and the cache cannot serve the request
  'timeout', // a peer did not answer in time; the outcome is unknown
  'not-found', // no such name or object
  'exists', // the name is taken
  'not-directory', // a directory was needed
  'is-directory', // a directory is there where a file was needed
  'not-empty', // the directory has entries
  'access-denied', // the user has no right to this
  'not-authenticated', // no valid credential
  'logged-out', // a user's login is over: he must log in again, then it can be done
  'no-space', // a disk or the log is full
  'quota', // the volume's quota would be exceeded
  'changed', // the object is no longer the version that the caller expected
  'conflict', // an update that this one did not know of is in its way
  'stale', // this replica lacks updates that the caller has seen; ask another, or after resolution
  'loop', // a directory would become its own ancestor
  'cross-volume', // both names must be in one volume
  'invalid', // malformed request, name or record
  'too-large', // a bound of the realm was exceeded
  'busy', // a queue is full; try again
  'refused', // the state of the realm forbids it; the message says why
  'damaged', // stored bytes do not match their checksum
  'incompatible', // other protocol or format version
  'cancelled', // the caller went away
] as const;

export type FailureKind = (typeof failureKinds)[number];

/**
 * Refusals of a change that say: its author did not see the newest. He may look, and come again at once; his contents
 * wait for him (SG-3).
 */
export const outdatedKinds = [
  'conflict',
  'stale',
  'exists',
  'not-found',
  'not-empty',
  'not-directory',
  'loop',
] as const satisfies readonly FailureKind[];

export interface FailureDetails {
  readonly fid?: Fid | undefined;
  readonly cause?: unknown;
}

export class Failure extends Error {
  override readonly name = 'Failure';
  readonly kind: FailureKind;
  /** The operation that met it, as `vice.mutate` or `venus.open`. */
  readonly operation: string;
  readonly fid: Fid | undefined;

  /** `message` tells a person what is wrong and, where possible, what to do. */
  constructor(kind: FailureKind, operation: string, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.operation = operation;
    this.fid = details.fid;
  }
}

/** Whether `error` is a Failure, of one of `kinds` if any are given. */
export function isFailure(error: unknown, ...kinds: readonly FailureKind[]): error is Failure {
  return error instanceof Failure && (kinds.length === 0 || kinds.includes(error.kind));
}

/** To catch with: `value` in the place of a failure. What is none goes on. */
export function ifFailed<T>(value: T): (error: unknown) => T {
  return (error) => {
    if (!isFailure(error)) throw error;
    return value;
  };
}
