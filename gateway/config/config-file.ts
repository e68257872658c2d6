/** Reading a file that a person wrote, YAML or JSON: every fault is named with its line and what to do. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { ConfigText, type ConfigPath } from './config-text.js';
import { nearestName } from './nearest-name.js';
import { messageOf, OperatorError, systemCode } from './operator-error.js';

/** A file as `schema` describes it, and what is wrong with it beyond that. */
export class ConfigFile<T> {
  readonly file: string;
  readonly value: T;
  readonly #text: ConfigText;

  /** @throws OperatorError usage: the file is missing, is no YAML or JSON, or does not fit `schema`. */
  constructor(file: string, schema: z.ZodType<T>) {
    this.file = file;
    this.#text = new ConfigText(readText(file));
    if (this.#text.faults.length > 0) throw notValid(file, this.#text.faults);
    this.value = checkConfig(file, this.#text.value, schema, this.#text);
  }

  /** Where the value at `path` is, as people are told. */
  place(path: ConfigPath): string {
    return `${this.file}, line ${this.#text.line(path)}`;
  }

  /** `message` is about the value at `path`. */
  fault(path: ConfigPath, message: string): OperatorError {
    return new OperatorError('usage', `${this.place(path)}: ${message}`);
  }
}

/** @throws OperatorError usage: the file is missing, is no YAML or JSON, or does not fit `schema`. */
export function readConfigFile<T>(file: string, schema: z.ZodType<T>): T {
  return new ConfigFile(file, schema).value;
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

/**
 * `value` as `schema` describes it; `text` is that of which it was read, where a person has written it.
 * @throws OperatorError usage with one line per fault
 */
export function checkConfig<T>(file: string, value: unknown, schema: z.ZodType<T>, text?: ConfigText): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const faults = parsed.error.issues
    .flatMap((issue) => describeIssue(issue, known))
    .map(({ path, what }) => (text === undefined ? what : `line ${text.line(path)}: ${what}`));
  throw notValid(file, faults);
}

function notValid(file: string, faults: readonly string[]): OperatorError {
  const list = faults.map((fault) => `  - ${fault}`).join('\n');
  return new OperatorError('usage', `${file} is not valid:\n${list}`);
}

interface Fault {
  readonly path: ConfigPath;
  readonly what: string;
}

function describeIssue(issue: z.core.$ZodIssue, known: readonly string[]): Fault[] {
  const { path } = issue;
  const place = path.map(String).join('.');
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, what: `"${place}" is missing` }];
  }
  if (issue.code !== 'unrecognized_keys') {
    return [{ path, what: `${place === '' ? 'the file' : `"${place}"`}: ${issue.message}` }];
  }
  return issue.keys.map((key) => {
    const nearest = path.length === 0 ? nearestName(key, known) : undefined;
    const advice = nearest !== undefined ? `did you mean "${nearest}"?` : knownKeys(path.length, known);
    return { path: [...path, key], what: `unknown key "${[...path, key].map(String).join('.')}"; ${advice}` };
  });
}

function knownKeys(depth: number, known: readonly string[]): string {
  return depth === 0 && known.length > 0 ? `known keys are ${known.join(', ')}` : 'remove it';
}
