/** A dump that is not whole, not as it was written, or none at all. */
import { Failure } from '../../../vice/interface/index.js';

export class DumpDamaged extends Failure {
  /** `at`: the byte where it shows. */
  constructor(at: number, what: string, options: { readonly cause?: unknown } = {}) {
    super('damaged', 'dump.read', `damaged at byte ${at}: ${what}. Use another copy of it`, options);
  }
}
