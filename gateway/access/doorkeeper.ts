/** Who says whether a password is a user's. */
export interface Doorkeeper {
  /**
   * Whether `password` is the user's; as slow for a name that does not exist.
   * @throws Failure unreachable (nobody can be asked who knows), busy (too many guesses)
   */
  verify(name: string, password: string): Promise<boolean>;
  /** What was verified is void when this changes; undefined: there is nobody of that name. */
  credentialOf(name: string): string | undefined;
  /** Looks whether users have changed. @throws Failure damaged; the users known before stay */
  refresh(): Promise<void>;
}

/** The realm's servers, as soon as they keep the people; else (where there is one) the gateway's own file. */
export function chosenDoorkeeper(
  people: { readonly isKept: boolean },
  realm: Doorkeeper,
  own: Doorkeeper | undefined,
): Doorkeeper {
  const current = (): Doorkeeper => (people.isKept ? realm : (own ?? nobody));
  return {
    verify: (name, password) => current().verify(name, password),
    credentialOf: (name) => current().credentialOf(name),
    refresh: () => current().refresh(),
  };
}

const nobody: Doorkeeper = {
  verify: () => Promise.resolve(false),
  credentialOf: () => undefined,
  refresh: () => Promise.resolve(),
};
