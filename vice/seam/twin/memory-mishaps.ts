/**
 * What shall go wrong with single messages on the links of a memory network: the next so many of a kind on a way, from
 * host to host. What a real link may do, and so this one, says README.md.
 */
import { parseFrame } from '../link-frame.js';

/**
 * - `reply lost`: with its link.
 * - `request lost`: and all that its sender says after it on that link: the server hears nothing any more.
 * - `request repeated`: it comes once more on a link of its own, as from a caller who has given up the first link.
 * - `push repeated`: it comes once more on its link, behind what was said meanwhile.
 */
export type Mishap = 'reply lost' | 'request lost' | 'request repeated' | 'push repeated';

export interface Struck {
  readonly mishap: Mishap;
  /** How much later what is repeated comes again. */
  readonly laterMs: number;
}

interface Asked {
  readonly laterMs: number;
  left: number;
}

export class Mishaps {
  /** `mishap from to` -> what was asked for and has not struck yet. */
  readonly #asked = new Map<string, Asked>();

  /** From now on; in the place of what was asked for before. */
  ask(mishap: Mishap, from: string, to: string, count: number, laterMs = 0): void {
    const key = `${mishap} ${from} ${to}`;
    if (count === 0) this.#asked.delete(key);
    else this.#asked.set(key, { laterMs, left: count });
  }

  /** What happens to `message`, which `from` sends to `to` on a link. */
  strike(from: string, to: string, message: Uint8Array): Struck | undefined {
    if (this.#asked.size === 0) return undefined;
    for (const mishap of mishapsOf(message)) {
      const key = `${mishap} ${from} ${to}`;
      const asked = this.#asked.get(key);
      if (asked === undefined) continue;
      asked.left -= 1;
      if (asked.left === 0) this.#asked.delete(key);
      return { mishap, laterMs: asked.laterMs };
    }
    return undefined;
  }
}

function mishapsOf(message: Uint8Array): readonly Mishap[] {
  switch (parseFrame(message).frame) {
    case 'reply':
    case 'failed':
      return ['reply lost'];
    case 'call':
      return ['request lost', 'request repeated'];
    case 'push':
      return ['push repeated'];
    default:
      return [];
  }
}
