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
