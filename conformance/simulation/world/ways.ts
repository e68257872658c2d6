/** Which ways between hosts nothing has disturbed: what is said on them arrives, and soon. */
import type { Fault } from './scenario.js';

/** The longest that a message is late in any scenario. */
const lateMost = 3000;

export class Ways {
  /** By host, and by pair of hosts: when it was last disturbed. */
  readonly #touched = new Map<string, number>();
  /** What is still so: by kind and place, the host or the pair. */
  readonly #open = new Map<string, string>();

  note(fault: Fault, now: number): void {
    switch (fault.do) {
      case 'kill':
      case 'pause':
        return this.#begin('host', fault.at, now);
      case 'start':
      case 'resume':
        return this.#end('host', fault.at, now);
      case 'mode':
      case 'disconnect':
      case 'reconnect':
      case 'restore':
      case 'clone':
        return this.#touch(fault.at, now);
      case 'cut':
        return this.#begin(`cut ${fault.from}`, pairOf(fault), now);
      case 'heal':
        return this.#end(`cut ${fault.from}`, pairOf(fault), now);
      case 'delay':
        if (fault.late > 0) return this.#begin(`late ${fault.from}`, pairOf(fault), now);
        return this.#end(`late ${fault.from}`, pairOf(fault), now + lateMost);
      case 'reset':
        return this.#touch(pairOf(fault), now);
      case 'lose-reply':
      case 'lose-request':
        // Nobody knows when it strikes.
        return this.#begin('loses', pairOf(fault), now);
      // What comes twice disturbs no way: nothing is lost, and nothing waits.
      default:
    }
  }

  /** Whether nothing has disturbed it since then. */
  isQuiet(one: string, other: string, since: number): boolean {
    const places = [one, other, pairOf({ from: one, to: other })];
    if (places.some((place) => (this.#touched.get(place) ?? -Infinity) >= since)) return false;
    return [...this.#open.values()].every((place) => !places.includes(place));
  }

  #begin(what: string, place: string, now: number): void {
    this.#touch(place, now);
    this.#open.set(`${what} ${place}`, place);
  }

  #end(what: string, place: string, now: number): void {
    this.#touch(place, now);
    this.#open.delete(`${what} ${place}`);
  }

  #touch(place: string, now: number): void {
    this.#touched.set(place, Math.max(now, this.#touched.get(place) ?? -Infinity));
  }
}

function pairOf({ from, to }: { readonly from: string; readonly to: string }): string {
  return from < to ? `${from} ${to}` : `${to} ${from}`;
}
