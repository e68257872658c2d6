/**
 * A bug that the laws must find: edits of compiled files, made while a process of its own loads them (plant.ts).
 * Nothing of it is in the product, and production has no way to it. An edit that no longer fits its file stops the
 * proof, so a bug cannot fall silent when the code moves on.
 */
export interface PlantedBug {
  readonly name: string;
  /** What is wrong, as a reviewer would put it. */
  readonly story: string;
  /** Of different places; of several where one alone is caught by a second check of the same thing. */
  readonly edits: readonly Edit[];
  /** Only seeds with this kind of trouble may come to it (world/profiles.ts): no others are counted. */
  readonly profile?: string;
}

export interface Edit {
  /** The compiled file, from dist/. */
  readonly file: string;
  /** Occurs exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** A bug of one edit. */
export function bug(
  name: string,
  story: string,
  file: string,
  find: string,
  replace: string,
  profile?: string,
): PlantedBug {
  return bugOf(name, story, [{ file, find, replace }], profile);
}

export function bugOf(name: string, story: string, edits: readonly Edit[], profile?: string): PlantedBug {
  return { name, story, edits, ...(profile !== undefined && { profile }) };
}
