/** Reading a JSON file that a person wrote: every fault is named with its place and what to do. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { nearestName } from './nearest-name.js';
import { messageOf, OperatorError, systemCode } from './operator-error.js';

/** @throws OperatorError usage: the file is missing, is no JSON, or does not fit `schema`. */
export function readConfigFile<T>(file: string, schema: z.ZodType<T>): T {
  return checkConfig(file, parseConfig(file, readText(file)), schema);
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

/** `value` as `schema` describes it. @throws OperatorError usage with one line per fault */
export function checkConfig<T>(file: string, value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const faults = parsed.error.issues.flatMap((issue) => describeIssue(issue, known));
  const list = faults.map((fault) => `  - ${fault}`).join('\n');
  throw new OperatorError('usage', `${file} is not valid:\n${list}`);
}

function parseConfig(file: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new OperatorError('usage', `${file} is not JSON: ${messageOf(cause)}`, { cause });
  }
}

function describeIssue(issue: z.core.$ZodIssue, known: readonly string[]): string[] {
  const place = issue.path.map(String).join('.');
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [`"${place}" is missing`];
  }
  if (issue.code !== 'unrecognized_keys') {
    return [`${place === '' ? 'the file' : `"${place}"`}: ${issue.message}`];
  }
  return issue.keys.map((key) => {
    const nearest = issue.path.length === 0 ? nearestName(key, known) : undefined;
    const advice = nearest !== undefined ? `did you mean "${nearest}"?` : knownKeys(issue.path.length, known);
    return `unknown key "${[...issue.path.map(String), key].join('.')}"; ${advice}`;
  });
}

function knownKeys(depth: number, known: readonly string[]): string {
  return depth === 0 && known.length > 0 ? `known keys are ${known.join(', ')}` : 'remove it';
}
