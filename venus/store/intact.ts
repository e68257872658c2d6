/** Rows that may be forgotten: of what servers or the log can tell again. Never those of the log itself. */
import { isFailure, unseal } from '../../vice/interface/index.js';

/** What the row holds; undefined: there is none, or it is damaged. */
export function intact(stored: Uint8Array | undefined): unknown {
  if (stored === undefined) return undefined;
  try {
    return unseal(stored);
  } catch (error) {
    if (!isFailure(error, 'damaged')) throw error;
    return undefined;
  }
}
