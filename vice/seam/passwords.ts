/**
 * Seam: slow, salted hashes of passwords (`verifiers`), the only form in which a password is kept.
 *
 * PW-1  Two verifiers of one password differ.
 * PW-2  The same keys verify also where another keyboard makes other code points of them (NFC, RFC 8265).
 */
export interface Passwords {
  /** A verifier of `password` with a new salt. */
  hash(password: string): Promise<string>;
  /** Whether `password` is the one behind `verifier`; false for a malformed one. */
  verify(password: string, verifier: string): Promise<boolean>;
  /** As costly as verifying a real user's password, so that time does not tell who exists. */
  verifyNobody(password: string): Promise<false>;
}
