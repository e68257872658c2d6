/** Reading a JSON file that a person wrote: every fault is named with its line, its place and what to do. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isJsonFault, jsonPlaces, type JsonPlaces, type Path } from './json-places.js';
import { knownKeys } from './known-keys.js';
import { nearestName } from './nearest-name.js';
import { messageOf, OperatorError, systemCode } from './operator-error.js';

/**
 * `strange`: what to do about a key that nothing is like.
 * @throws OperatorError usage: the file is missing, is no JSON, or does not fit `schema`
 */
export function readConfigFile<T>(file: string, schema: z.ZodType<T>, strange?: string): T {
  // Editors of Windows begin a file with a mark of its encoding.
  const text = readText(file).replace(/^\ufeff/, '');
  const places = jsonPlaces(text);
  if (isJsonFault(places)) {
    throw new OperatorError('usage', `${file} is not JSON: line ${places.line}: ${places.message}.`);
  }
  const twice = places.twice.map(
    ({ path, line }) => `line ${line}: "${path.map(String).join('.')}" is there twice`,
  );
  if (twice.length > 0) throw notValid(file, twice);
  return checkConfig(file, JSON.parse(text), schema, { places, strange });
}

/** `FILE:LINE` of what stands at `path` in a file that could be read. */
export function placeIn(file: string, path: Path): string {
  const places = jsonPlaces(readText(file));
  return isJsonFault(places) ? file : `${file}:${places.line(path)}`;
}

/** The text of a file that the configuration names. @throws OperatorError usage */
export function readText(file: string): string {
  return readNamed(file).toString('utf8');
}

/** The bytes of a file that the configuration names. @throws OperatorError usage */
export function readNamed(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') {
      const message = `${file} does not exist. Check the path, or create the file.`;
      throw new OperatorError('usage', message, { cause });
    }
    throw new OperatorError('usage', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

export interface ConfigText {
  /** On which lines what is. */
  readonly places: JsonPlaces;
  readonly strange: string | undefined;
}

/** `value` as `schema` describes it. @throws OperatorError usage with one line per fault */
export function checkConfig<T>(file: string, value: unknown, schema: z.ZodType<T>, given?: ConfigText): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue) => describeIssue(issue, schema, given?.strange));
  const lined = faults.map(({ path, text }) => ({ line: given?.places.line(path) ?? 0, text }));
  // From the top down, as a person goes through the file.
  const sorted = lined.sort((a, b) => a.line - b.line);
  throw notValid(
    file,
    sorted.map(({ line, text }) => (given === undefined ? text : `line ${line}: ${text}`)),
  );
}

function notValid(file: string, faults: readonly string[]): OperatorError {
  const list = faults.map((fault) => `  - ${fault}`).join('\n');
  return new OperatorError('usage', `${file} is not valid:\n${list}`);
}

interface Fault {
  readonly path: Path;
  readonly text: string;
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType, strange: string | undefined): Fault[] {
  const { path } = issue;
  const place = path.map(String).join('.');
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, text: `"${place}" is missing` }];
  }
  if (issue.code !== 'unrecognized_keys') {
    return [{ path, text: `${place === '' ? 'the file' : `"${place}"`}: ${issue.message}` }];
  }
  const known = knownKeys(schema, path);
  return issue.keys.map((key) => {
    const own = [...path, key];
    return { path: own, text: `unknown key "${own.map(String).join('.')}"; ${advice(key, known, strange)}` };
  });
}

function advice(key: string, known: readonly string[], strange: string | undefined): string {
  const nearest = nearestName(key, known);
  if (nearest !== undefined) return `did you mean "${nearest}"?`;
  if (strange !== undefined) return strange;
  return known.length > 0 ? `known keys are ${known.join(', ')}` : 'remove it';
}
