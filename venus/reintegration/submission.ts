/** A change on its way into the log. */
import type { Mutation, StoreId } from '../../vice/interface/index.js';
import type { Transfers } from './batch-sender.js';

export interface Submission {
  /**
   * Makes the records. It runs in the same turn in which they enter the log: a StoreId that was taken earlier could
   * fall below the watermark that other changes send meanwhile, and servers would take it for applied.
   */
  readonly records: (newStoreId: (author: string) => StoreId) => readonly Mutation[];
  /** Bodies under way, by digest. */
  readonly transfers?: Transfers;
}
