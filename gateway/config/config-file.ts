/** Reading a file that a person wrote, YAML or JSON: every fault is named with its line and what to do. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ConfigText, type ConfigPath } from './config-text.js';
import { knownKeys } from './known-keys.js';
import { nearestName } from './nearest-name.js';
import { messageOf, OperatorError, systemCode } from './operator-error.js';

/** A file as `schema` describes it, and what is wrong with it beyond that. */
export class ConfigFile<T> {
  readonly file: string;
  readonly value: T;
  readonly #text: ConfigText;

  /**
   * `strange`: what to do about a key that nothing is like.
   * @throws OperatorError usage: the file is missing, is no YAML or JSON, or does not fit `schema`
   */
  constructor(file: string, schema: z.ZodType<T>, strange?: string) {
    this.file = file;
    this.#text = new ConfigText(readText(file));
    if (this.#text.faults.length > 0) throw notValid(file, this.#text.faults);
    this.value = checkConfig(file, this.#text.value, schema, { text: this.#text, strange });
  }

  /** Where the value at `path` is, as editors take it. */
  place(path: ConfigPath): string {
    return `${this.file}:${this.#text.line(path)}`;
  }

  /** What `read` makes of the file that is named at `path`, relative to this one: its faults say where, too. */
  named<R>(path: ConfigPath, name: string, read: (file: string) => R): R {
    try {
      return read(resolve(dirname(this.file), name));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      const where = `(named by "${path.map(String).join('.')}" in ${this.place(path)})`;
      throw new OperatorError(error.kind, `${error.message}\n${where}`, { cause: error });
    }
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

/** Of a value that was read of a file. */
interface ReadText {
  readonly text: ConfigText;
  readonly strange: string | undefined;
}

/**
 * `value` as `schema` describes it; `read`: of what it was read, where a person has written it.
 * @throws OperatorError usage with one line per fault
 */
export function checkConfig<T>(file: string, value: unknown, schema: z.ZodType<T>, read?: ReadText): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.flatMap((issue) => describeIssue(issue, schema, read?.strange));
  if (read === undefined)
    throw notValid(
      file,
      faults.map(({ what }) => what),
    );
  // From the top down, as a person goes through the file.
  const lined = faults.map(({ path, what }) => ({ line: read.text.line(path), what }));
  lined.sort((a, b) => a.line - b.line);
  throw notValid(
    file,
    lined.map(({ line, what }) => `line ${line}: ${what}`),
  );
}

function notValid(file: string, faults: readonly string[]): OperatorError {
  const list = faults.map((fault) => `  - ${fault}`).join('\n');
  return new OperatorError('usage', `${file} is not valid:\n${list}`);
}

interface Fault {
  readonly path: ConfigPath;
  readonly what: string;
}

function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType, strange: string | undefined): Fault[] {
  const { path } = issue;
  const place = path.map(String).join('.');
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return [{ path, what: `"${place}" is missing` }];
  }
  if (issue.code !== 'unrecognized_keys') {
    return [{ path, what: `${place === '' ? 'the file' : `"${place}"`}: ${issue.message}` }];
  }
  const known = knownKeys(schema, path);
  return issue.keys.map((key) => {
    const own = [...path, key];
    return { path: own, what: `unknown key "${own.map(String).join('.')}"; ${advice(key, known, strange)}` };
  });
}

function advice(key: string, known: readonly string[], strange: string | undefined): string {
  const nearest = nearestName(key, known);
  if (nearest !== undefined) return `did you mean "${nearest}"?`;
  if (strange !== undefined) return strange;
  return known.length > 0 ? `known keys are ${known.join(', ')}` : 'remove it';
}
