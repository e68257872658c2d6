/** Told of what a user waits for, so that work in the background can give way. */
export interface Fetching {
  /** A fetch begins; the result, idempotent, ends it. */
  fetching(): () => void;
}

/** Asked by what runs in the background. */
export interface Turns {
  /** Resolves when the next `bytes` may go over the link. */
  turn(bytes: number): Promise<void>;
}

/** Work in the background: it gives way to users, and evicts only what is worth less than it. */
export interface Background {
  /** What it may evict has a lower priority than this (cache/replacement.ts). */
  readonly request: number;
  /** Told of what has come. */
  readonly came: (bytes: number) => void;
  /** Resolves when it may go on, after its next `bytes` have come. */
  readonly turn: (bytes: number) => Promise<void>;
}
