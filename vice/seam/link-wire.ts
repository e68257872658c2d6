/**
 * What both networks (sockets, memory) offer to the ends of a link: whole messages, in order, or nothing any
 * more. What is above it (calls, pushes, beats, the rule of silence) is written once and is the same on both.
 */
export interface Wire {
  /**
   * Sends a message behind all earlier ones. `sent` is called once it has left this process; never if the
   * wire breaks first, and never before `send` has returned.
   */
  send(message: Uint8Array, sent?: () => void): void;
  /** Idempotent. Tells the peer, if it still listens. Nothing of the wire's end is called afterwards. */
  close(reason: string): void;
}

/** Who a wire tells what comes in. */
export interface WireEnd {
  /** Some bytes have come, perhaps not yet a whole message: the peer is alive. */
  heard(): void;
  received(message: Uint8Array): void;
  /** The peer has closed the wire, or it broke. Called at most once, and nothing after it. */
  broken(reason: string): void;
}
