/** Input as nobody means it: pieces that parsers look for in any order, cut, repeated to the limit, and plain noise. */
import fc from 'fast-check';

/** How many inputs each property tries; `CODA_FUZZ_RUNS` for more. */
export const runs = Number(process.env['CODA_FUZZ_RUNS'] ?? 500);

/** What HTTP lets through: Node's limit for all headers together. */
const headerCharacters = 16 * 1024;

/** Text of `pieces` and noise; now and then a piece as often as a header can hold it, where slow patterns show. */
export function textOf(...pieces: readonly string[]): fc.Arbitrary<string> {
  const piece = fc.constantFrom(...pieces);
  const noise = fc.string({ unit: 'binary', maxLength: 6 });
  const mixed = fc
    .array(fc.oneof({ weight: 5, arbitrary: piece }, noise), { maxLength: 24 })
    .map((parts) => parts.join(''));
  const flood = fc.tuple(piece, piece, noise).map(([head, part, tail]) => {
    const times = Math.floor(headerCharacters / Math.max(1, part.length));
    return `${head}${part.repeat(times)}${tail}`.slice(0, headerCharacters);
  });
  return fc.oneof({ weight: 9, arbitrary: mixed }, { weight: 1, arbitrary: flood });
}

/** `seed` with bytes altered, cut out and put in, at most `most` times. */
export function harmed(seed: Uint8Array, most = 4): fc.Arbitrary<Uint8Array> {
  const edit = fc.tuple(fc.nat(seed.length), fc.nat(20), fc.uint8Array({ maxLength: 20 }), fc.boolean());
  return fc.array(edit, { minLength: 1, maxLength: most }).map((edits) => {
    let bytes = Buffer.from(seed);
    for (const [at, length, insert, inPlace] of edits) {
      const end = at + (inPlace ? insert.length : length);
      bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(end)]);
    }
    return bytes;
  });
}

/** `value`, a JSON document, with a part of it replaced by anything, or taken out. */
export function alteredJson(value: unknown): fc.Arbitrary<unknown> {
  return altered(value, pathsOf(value), anything);
}

/** Names that a careless reader finds in every object. */
const prototypeKeys = ['__proto__', 'constructor', 'prototype', 'toString', 'then', 'length'];

/**
 * The same for a value of MessagePack: also with what JSON cannot hold, with parts in the places of others, and with
 * keys that nobody expects.
 */
export function alteredValue(value: unknown): fc.Arbitrary<unknown> {
  const paths = pathsOf(value);
  const beside = paths.map((path) => [...path.slice(0, -1), 'more']);
  const inherited = paths.flatMap((path) => prototypeKeys.map((key) => [...path.slice(0, -1), key]));
  const binary = fc.constantFrom<unknown>(
    NaN,
    Infinity,
    -0,
    2 ** 53,
    2 ** 52 + 1,
    2n ** 64n - 1n,
    1.5,
    new Uint8Array(5),
    new Date(0),
    'x'.repeat(200_000),
    nested(200),
    Array.from({ length: 5_000 }, () => null),
    Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`k${index}`, index])),
  );
  const parts = fc.constantFrom(...paths.map((path) => partOf(value, path)));
  return altered(value, [...paths, ...beside, ...inherited], fc.oneof(anything, binary, parts));
}

function nested(levels: number): unknown {
  let value: unknown = 0;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

function partOf(value: unknown, path: readonly string[]): unknown {
  return path.reduce((part, key) => (part as Record<string, unknown>)[key], value);
}

const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(
    -1,
    1e308,
    2 ** 53,
    '',
    '..',
    '/',
    '\u0000',
    '__proto__',
    'ws://',
    '0.0.0.0:0',
    'x'.repeat(5_000),
  ),
  fc.constant(undefined),
);

function altered(
  value: unknown,
  paths: readonly (readonly string[])[],
  part: fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  return fc.array(fc.tuple(fc.constantFrom(...paths), part), { minLength: 1, maxLength: 3 }).map((edits) => {
    return edits.reduce((document: unknown, [path, part]) => replaced(document, path, part), value);
  });
}

function pathsOf(value: unknown): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [[], ...Object.entries(value).flatMap(([key, part]) => pathsOf(part).map((path) => [key, ...path]))];
}

function replaced(value: unknown, [key, ...rest]: readonly string[], part: unknown): unknown {
  if (key === undefined) return part;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    return value.map((item: unknown, index) => (String(index) === key ? replaced(item, rest, part) : item));
  }
  return { ...value, [key]: replaced((value as Record<string, unknown>)[key], rest, part) };
}
