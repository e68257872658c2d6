/**
 * Bounds the memory of a gateway with very many cached objects. V8 lets a heap grow to three or four times of what
 * lives in it before it clears up: with a million cached files that were two gigabytes of 0.7. To a third more costs
 * some processor time and less than half the memory. A small heap is left alone: clearing up more often saves little.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import type { Clock, Timer } from '../../vice/seam/clock.js';

const everyMs = 1000;
/** Bytes in use from which the heap is large. */
const largeFrom = 300 * 1024 * 1024;
/** How far it may grow beyond what lived when it was cleared up last, in percent; 0: as V8 likes. */
const growing = { small: 0, large: 30 } as const;

/** Until the result is called. */
export function boundHeap(clock: Clock): () => void {
  let now: number = growing.small;
  let timer: Timer | undefined;
  const look = (): void => {
    const { used_heap_size: used } = getHeapStatistics();
    const wanted = used > largeFrom ? growing.large : growing.small;
    if (wanted !== now) setFlagsFromString(`--heap-growing-percent=${wanted}`);
    now = wanted;
    timer = clock.after(everyMs, look);
  };
  look();
  return () => timer?.cancel();
}
