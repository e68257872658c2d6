/**
 * What was asked of two gateways that change the same names, what they answered, and what must therefore be there in
 * the end. Pure. Every put has contents of its own, so contents stand for their version; every change names the version
 * that it is made from (If-Match, or that there is none: If-None-Match), so who replaces what is known.
 */

/**
 * - `done`: acknowledged.
 * - `refused`: an answer that it was not done, and will not be.
 * - `unknown`: no answer, or one that leaves it open.
 */
export type Outcome = 'done' | 'refused' | 'unknown';

export interface Attempt {
  /** Where: for the report. */
  readonly gateway: string;
  readonly name: string;
  /** Digest of the contents that are put; undefined: the name is removed. */
  readonly digest: string | undefined;
  /** Digest of the version that was seen under the name, and is replaced; undefined: there was none. */
  readonly base: string | undefined;
  readonly outcome: Outcome;
}

export class History {
  readonly attempts: Attempt[] = [];
  /** What broke a law while it was seen. */
  readonly faults: string[] = [];
  readonly #digests = new Map<string, string>();

  /** A version is the same bytes for ever, whoever shows it. */
  saw(gateway: string, name: string, etag: string, digest: string): void {
    const before = this.#digests.get(etag) ?? digest;
    this.#digests.set(etag, before);
    if (before !== digest) this.faults.push(`${gateway} shows ${name} with the ETag ${etag} and other bytes`);
  }

  /** How many ended so. */
  count(outcome: Outcome): number {
    return this.attempts.filter((attempt) => attempt.outcome === outcome).length;
  }

  /** What is wrong with `held`: names and digests of their contents, versions in conflict under names of their own. */
  judge(held: ReadonlyMap<string, string>): string[] {
    const there = new Set(held.values());
    const lost = this.attempts.flatMap(({ gateway, name, digest, outcome }) => {
      if (outcome !== 'done' || digest === undefined || there.has(digest)) return [];
      if (this.#replaced(digest, 'done') || this.#replaced(digest, 'unknown')) return [];
      return [`what ${gateway} acknowledged for ${name} (${short(digest)}) is nowhere`];
    });
    const wrong = [...held].flatMap(([name, digest]) => {
      const made = this.attempts.find((attempt) => attempt.digest === digest);
      if (made === undefined) return [`${name} holds bytes that nobody wrote (${short(digest)})`];
      if (made.outcome === 'refused')
        return [`${name} holds what ${made.gateway} refused (${short(digest)})`];
      if (this.#replaced(digest, 'done'))
        return [`${name} holds what was replaced knowingly (${short(digest)})`];
      return [];
    });
    return [...this.faults, ...lost, ...wrong];
  }

  #replaced(digest: string, outcome: Outcome): boolean {
    return this.attempts.some((attempt) => attempt.base === digest && attempt.outcome === outcome);
  }
}

function short(digest: string): string {
  return digest.slice(0, 12);
}
