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

/** Why this object was not copied, in words. @throws `error` when it is not about this object alone */
export function reasonOf(error: unknown): string {
  if (error instanceof TreeRefusal) return isFull(error) ? rethrow(error) : error.message;
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
