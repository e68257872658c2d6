/**
 * What replies to one fetch are worth: whether a break has overtaken them (PR-3), and who had no part in them (PR-4).
 */
import type { Fid } from '../../vice/interface/index.js';
import { allHeard, type CachedObject, type Validation } from '../cache/cached-object.js';

/** Of replies of some replicas. */
export interface Told {
  readonly wasBroken: (fid: Fid) => boolean;
  /** Of an object that they have told of; `before`: as it is cached until then. */
  readonly validation: (before: CachedObject | undefined) => Validation;
}

/** One fetch under way. `end` it. */
export interface Fetch {
  /** What was said by `replicas` together. */
  readonly told: (replicas: readonly string[]) => Told;
  readonly end: () => void;
}

/** More are not told apart: then everything counts as broken. */
const brokenMost = 10_000;

/** Breaks that arrive while something is under way that goes into the cache. */
export class Breaks {
  #count = 0;
  #held = 0;
  /** The last break of an object, and that of all that is not told apart. */
  readonly #last = new Map<Fid, number>();
  #ofAll = -1;

  note(fid: Fid): void {
    this.#count += 1;
    if (this.#held === 0) return;
    this.#last.set(fid, this.#count);
    if (this.#last.size <= brokenMost) return;
    this.#last.clear();
    this.#ofAll = this.#count;
  }

  /** Remembers them from now on, until the result is called. */
  hold(): () => void {
    this.#held += 1;
    return () => {
      this.#held -= 1;
      if (this.#held > 0) return;
      this.#last.clear();
      this.#ofAll = -1;
    };
  }

  /** Whether there was one of `fid` after the first `start` breaks, as far as they are remembered. */
  has(fid: Fid, start = 0): boolean {
    return (this.#last.get(fid) ?? this.#ofAll) > start;
  }

  /** In the present epoch, of a volume that is kept by `group` when the replies have come. */
  begin(epoch: number, group: () => readonly string[]): Fetch {
    const start = this.#count;
    const end = this.hold();
    const wasBroken = (fid: Fid): boolean => this.has(fid, start);
    return {
      told: (replicas) => ({ wasBroken, validation: validationBy(epoch, group(), replicas) }),
      end,
    };
  }
}

/**
 * Who had no part in what `heard` said of an object. What was valid before stays confirmed by whoever had confirmed it:
 * what is cached only grows. A break ends that, since nobody remembers whose it was.
 */
function validationBy(
  epoch: number,
  group: readonly string[],
  heard: readonly string[],
): (before: CachedObject | undefined) => Validation {
  const absent = group.filter((replica) => !heard.includes(replica));
  const alone: Validation = { epoch, unheard: absent.length === 0 ? allHeard : absent };
  return (before) => {
    if (absent.length === 0 || before === undefined) return alone;
    if (before.epoch !== epoch || before.suspect) return alone;
    const unheard = absent.filter((replica) => before.unheard.includes(replica));
    return unheard.length === absent.length ? alone : { epoch, unheard };
  };
}
