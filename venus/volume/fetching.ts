/** Told of what a user waits for, so that work in the background can give way. */
export interface Fetching {
  /** A fetch begins; the result, idempotent, ends it. */
  fetching(): () => void;
}
