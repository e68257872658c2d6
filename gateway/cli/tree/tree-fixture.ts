/** The rules that trees are copied by in the tests. */
import { systemClock } from '../../../vice/seam/real/system-clock.js';
import type { CopyRules } from './comparison.js';

export const clock = systemClock();

export const plain: CopyRules = { replace: false, verify: false };
export const replacing: CopyRules = { ...plain, replace: true };
export const verifying: CopyRules = { ...plain, verify: true };
