/** People whom the realm's servers keep, as a gateway lets them in: a part of interface.ts. */
export interface People {
  /** Whether the servers keep the people; else every gateway keeps users of its own, and this is of no use. */
  readonly isKept: boolean;
  /** Counts changes of the people, as far as this gateway has heard of them. */
  readonly version: number;
  /**
   * Asks a server whether this is the user's password. Then his changes are taken from here until the login is over,
   * also those that wait from an earlier one; it is kept over restarts.
   * @throws Failure not-authenticated, busy (too many attempts), unreachable (no server can be asked who knows)
   */
  login(user: string, password: string): Promise<void>;
  /**
   * Has a login renewed while its user works, without his password.
   * - `holds` a server says that it does.
   * - `unasked` no server could be asked.
   * - `over` its time has passed, or there was none here: only the password helps.
   * - `refused` a server has said that it counts no more: another password, or the user may not log in.
   */
  renew(user: string): Promise<Standing>;
}

export type Standing = 'holds' | 'unasked' | 'over' | 'refused';
