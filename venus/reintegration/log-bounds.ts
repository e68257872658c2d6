/** How much may wait in a log. At a bound new contents are refused early; what frees something goes on. */
import { Failure, type Mutation, type VolumeId } from '../../vice/interface/index.js';
import type { ModifyLog } from '../log/modify-log.js';

export interface Bounds {
  readonly records: number;
  readonly bytes: number;
}

/** Beyond the bound in records this much is left for removals, of versions too. */
const reserve = 1.1;

export class LogBounds {
  limits: Bounds;
  readonly #log: ModifyLog;

  constructor(limits: Bounds, log: ModifyLog) {
    this.limits = limits;
    this.#log = log;
  }

  /** @throws Failure no-space: so many bytes more may not be logged now */
  checkContents(volume: VolumeId, bytes: number): void {
    const pending = this.#log.pending(volume);
    if (pending.records >= this.limits.records || pending.bytes + bytes > this.limits.bytes)
      throw full(pending);
  }

  /**
   * `byLog`: the log answers for them. What servers answer for may be larger than all that may wait, a file larger than
   * the cache for example, as long as nothing waits before it.
   * @throws Failure no-space
   */
  check(volume: VolumeId, records: readonly Mutation[], byLog = true): void {
    const pending = this.#log.pending(volume);
    const frees = records.every(({ op }) => op === 'remove' || op === 'rmdir' || op === 'repair');
    const bytes = records.reduce((sum, record) => sum + (record.op === 'store' ? record.length : 0), 0);
    const bound = this.limits.records * (frees ? reserve : 1);
    const waits = byLog || pending.local > 0;
    if (pending.records >= bound || (waits && bytes > 0 && pending.bytes + bytes > this.limits.bytes))
      throw full(pending);
  }
}

function full({ records, bytes }: Bounds): Failure {
  const message =
    `${records} changes with ${bytes} bytes wait at this gateway for the servers, as many as may:` +
    ' reconnect it, or remove what is not needed';
  return new Failure('no-space', 'venus.log', message);
}
