/**
 * Entries that count as sent, and of which it is certain all the same that no server has them: they were only about to
 * be sent, or everyone who was asked refused the call in which they went out first, as an author was not logged in.
 * They wait as if they had not been sent: a person may give them up (ML-4 forbids that of what may have reached a
 * server).
 */
import { isFailure } from '../../vice/interface/index.js';
import type { LogEntry, ModifyLog } from '../log/modify-log.js';
import type { UpdateReply } from '../volume/collate.js';

const rememberedMost = 10_000;

export class Untaken {
  readonly #modifyLog: ModifyLog;
  /** Sequence numbers of what was in a call that came to nothing, in this life of the process. */
  readonly #uncertain = new Set<number>();

  constructor(modifyLog: ModifyLog) {
    this.#modifyLog = modifyLog;
  }

  /** Those of `batch` that no server was ever asked to take; to be called before it is offered, or answered for. */
  fresh(batch: readonly LogEntry[]): readonly LogEntry[] {
    // What is not acknowledged counts as offered from the beginning (modify-log.ts), and is of this life.
    return batch.filter(
      ({ sequence, offered, acknowledged }) => !offered || (!acknowledged && !this.#uncertain.has(sequence)),
    );
  }

  /** What the replies say of the batch in which `fresh` went out. */
  answered<M>(
    batch: readonly LogEntry[],
    fresh: readonly LogEntry[],
    replies: readonly UpdateReply<M>[],
  ): void {
    const isRefused = replies.every((item) => 'reply' in item && item.reply.outcome === 'refused');
    const isLoggedOut = replies.some(
      (item) =>
        'reply' in item && item.reply.outcome === 'refused' && item.reply.failure.kind === 'logged-out',
    );
    if (isRefused && isLoggedOut) return this.#modifyLog.withdraw(fresh);
    if (replies.every((item) => 'reply' in item || isFailure(item.failure, 'busy'))) return;
    if (this.#uncertain.size > rememberedMost) this.#uncertain.clear();
    for (const { sequence } of batch) this.#uncertain.add(sequence);
  }
}
