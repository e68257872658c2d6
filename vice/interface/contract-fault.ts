/** What is wrong with something that another program of the realm has written or said, in words. Pure. */
import type { z } from 'zod';

/**
 * Schemas of the contract are strict: what has something strange in it an older program does not take at all, and goes
 * on with what it has. The person who looks after it must hear that it is to be updated.
 */
export function contractFault(error: z.ZodError): string {
  const unknown = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key].join('.')) : [],
  );
  if (unknown.length > 0) {
    const names = unknown.slice(0, 5).map((name) => `"${name}"`);
    return `${names.join(', ')} is nothing that this program knows: a newer one wrote it, so update this one`;
  }
  const [issue] = error.issues;
  return `${issue?.path.join('.')}: ${issue?.message}`;
}

/** What to do when two parties speak different versions of the protocol. */
export function protocolFault(own: number, other: number): string {
  const older = other < own ? 'the other side' : 'this side';
  return `it speaks version ${other} of the protocol, this side ${own}: update ${older}`;
}
