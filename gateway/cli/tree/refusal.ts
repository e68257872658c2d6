/** Which errors are about one object, to be listed, and which end the whole copy. */
import { messageOf, systemCode } from '../../config/operator-error.js';
import { TreeRefusal } from './share-tree.js';

/** Where these come once they come again and again. */
const endings = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EMFILE',
  'ENFILE',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
]);

const makeRoom = 'Make room, or raise the quota (coda volume quota), and run it again';
const logIn = 'Log in once at this gateway (mount the share), or say with --user who has';
/** Refusals that all others would meet, too, and what to do. */
const endingKinds: ReadonlyMap<string, string> = new Map([
  ['no-space', makeRoom],
  ['quota', makeRoom],
  ['logged-out', logIn],
  ['not-authenticated', logIn],
]);

/** What to do about a refusal that ends the whole copy. */
export function adviceFor({ kind }: TreeRefusal): string {
  return endingKinds.get(kind) ?? 'Run it again';
}

/** Why this object was not copied, in words. @throws `error` when it is not about this object alone */
export function reasonOf(error: unknown): string {
  if (error instanceof TreeRefusal) return endingKinds.has(error.kind) ? rethrow(error) : error.message;
  const code = systemCode(error);
  if (code === undefined || endings.has(code)) throw error;
  return code === 'EACCES' || code === 'EPERM' ? 'this system does not permit it' : messageOf(error);
}

/** The share has no room: nothing else would fit either. */
export function isFull(error: unknown): boolean {
  return error instanceof TreeRefusal && (error.kind === 'no-space' || error.kind === 'quota');
}

function rethrow(error: unknown): never {
  throw error;
}
