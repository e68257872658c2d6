import { Failure } from '../../interface/index.js';

/**
 * What an error of the operating system means to the house: a Failure where it is an expected one, else the
 * error itself, which nobody may survive.
 */
export function diskFailure(operation: string, folder: string, error: unknown): unknown {
  if (error instanceof Failure) return error;
  const code = errorCode(error);
  const details = { cause: error };
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new Failure('no-space', operation, `the disk of ${folder} is full: free some space`, details);
    case 'EMFILE':
    case 'ENFILE':
      return new Failure('busy', operation, 'too many open files: raise the limit (ulimit -n)', details);
    case 'EIO':
    case 'EROFS':
      return new Failure('damaged', operation, `the disk of ${folder} fails (${code}): replace it`, details);
    default:
      return error;
  }
}

/** The code of a system error, as `ENOENT`. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
