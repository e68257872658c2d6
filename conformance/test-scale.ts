/**
 * Sizes of the long tests: whole as a rule; `CODA_TEST_SCALE` (0 to 1) makes them smaller, for a machine that is slow
 * at the moment (`.ci/run` measures that).
 */
const scale = Number(process.env['CODA_TEST_SCALE'] ?? 1);

/** Milliseconds since 1970: by then all shall be done (`.ci/run`); 0: there is no such time. */
const until = Number(process.env['CODA_TEST_UNTIL'] ?? 0);

/** A test of any size, which stops where it is enough. */
export interface Elastic {
  readonly most: number;
  readonly isEnough: (done: number) => boolean;
}

/**
 * `count`, also on a slow machine, as far as there is time; never less than its share. Such tests come last
 * (run-tests.ts). Whoever sets `variable` gets as many as that says.
 */
export function elastic(variable: string, count: number, least: number): Elastic {
  const asked = process.env[variable];
  if (asked !== undefined) return { most: Number(asked), isEnough: (done) => done >= Number(asked) };
  const share = scaled(count, least);
  if (!(until > 0)) return { most: share, isEnough: (done) => done >= share };
  return { most: count, isEnough: (done) => done >= count || (done >= share && Date.now() > until) };
}

/** `count`, or its share; never less than `least`. */
export function scaled(count: number, least: number): number {
  return Math.max(least, Math.round(count * (scale > 0 && scale < 1 ? scale : 1)));
}
