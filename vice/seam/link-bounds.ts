/** How long and how much: the same in every network. */
export const transferTiming = {
  /** Without any progress of the peer. */
  idleMs: 30_000,
  /** From the last byte of an upload to its outcome: the server flushes and names the contents. */
  outcomeMs: 300_000,
} as const;

export const clientBounds = {
  /** Bytes of calls that wait for the connection to take them; further ones fail with `busy`. */
  unsentBytes: 64 * 1024 * 1024,
  /** Bytes of one reply, over all its parts. */
  replyBytes: 512 * 1024 * 1024,
} as const;

export const sessionBounds = {
  /** Calls whose reply has not yet left; further ones are answered with `busy`. */
  callsUnderWay: 1000,
  /** Unsent pushes; a client that does not take them loses its session, and so its promises. */
  pushBytes: 8 * 1024 * 1024,
  /** Unsent replies; a client that asks and does not read loses its session. */
  replyBytes: 128 * 1024 * 1024,
} as const;
