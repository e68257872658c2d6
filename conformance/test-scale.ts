/**
 * Sizes of the long tests: whole as a rule; `CODA_TEST_SCALE` (0 to 1) makes them smaller, for a machine that is slow
 * at the moment (`.ci/run` measures that).
 */
const scale = Number(process.env['CODA_TEST_SCALE'] ?? 1);

/** `count`, or its share; never less than `least`. */
export function scaled(count: number, least: number): number {
  return Math.max(least, Math.round(count * (scale > 0 && scale < 1 ? scale : 1)));
}
