/**
 * A hoard profile as text: a command a line, as Coda's `hoard` reads them (`a /coda/usr/jjk/papers 100:d+`). Pure.
 */
import { OperatorError } from '../config/operator-error.js';
import type { HoardOrder } from '../realm/hoard-orders.js';

/** What nobody has given a priority (Coda: H_DFLT_PRI). */
export const usualPriority = 10;

type Attributes = Extract<HoardOrder, { command: 'add' }>['attributes'];
const attributesKnown: readonly Attributes[] = ['', 'c', 'c+', 'd', 'd+'];

export interface Importance {
  readonly priority: number;
  readonly attributes: Attributes;
}

/** `PRIORITY`, `PRIORITY:ATTRIBUTES` or `ATTRIBUTES`. @throws OperatorError usage */
export function parseImportance(text: string): Importance {
  const match = /^(?:(\d{1,4})(?::|$))?([cd]\+?)?$/.exec(text);
  const priority = match?.[1] === undefined ? usualPriority : Number(match[1]);
  const attributes = attributesKnown.find((each) => each === (match?.[2] ?? ''));
  if (match !== null && text !== '' && attributes !== undefined && priority >= 1 && priority <= 1000) {
    return { priority, attributes };
  }
  throw new OperatorError(
    'usage',
    `"${text}" is no priority. Give 1 to 1000, and after a colon c, c+, d or d+, as 100:d+.`,
  );
}

/**
 * The commands of a profile. Paths are as they were in somebody's file system, where the share was mounted at `mount`:
 * that is left off where a path begins with it.
 * @throws OperatorError usage, with the number of the line
 */
export function parseProfile(text: string, mount: string): readonly HoardOrder[] {
  const orders: HoardOrder[] = [];
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const words = wordsOf(whole);
    const [command, ...rest] = words;
    if (command === undefined) continue;
    try {
      orders.push(orderOf(command, rest, mount));
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      throw new OperatorError('usage', `Line ${index + 1}: ${error.message}`, { cause: error });
    }
  }
  return orders;
}

const commands = ['add', 'delete', 'clear'] as const;
/** Those of Coda's hoard program that are no part of a profile. */
const others = ['list', 'walk', 'verify', 'on', 'off'];

function orderOf(word: string, [path, importance, ...rest]: readonly string[], mount: string): HoardOrder {
  const command = commands.find((each) => each === word || each[0] === word);
  if (command === undefined) {
    const isOther = others.some((each) => each === word || each[0] === word);
    const advice = isOther ? `run it as a command: coda hoard ${word}` : 'use add, delete or clear';
    throw new OperatorError('usage', `"${word}" has no place in a profile; ${advice}.`);
  }
  if (command === 'clear' && path === undefined) return { command };
  const isTooMuch = command === 'add' ? rest.length > 0 : importance !== undefined;
  if (path === undefined || isTooMuch || command === 'clear') {
    throw new OperatorError('usage', `${command} takes ${takes[command]}.`);
  }
  const inShare = withoutMount(path, mount);
  if (command === 'delete') return { command, path: inShare };
  const given =
    importance === undefined
      ? { priority: usualPriority, attributes: '' as const }
      : parseImportance(importance);
  return { command, path: inShare, ...given };
}

const takes = {
  add: 'a path and perhaps a priority',
  delete: 'a path',
  clear: 'nothing',
} as const;

/** `path` in the share, where it begins with the folder at which the share was mounted. */
export function withoutMount(path: string, mount: string): string {
  const prefix = mount.replace(/\/+$/, '');
  if (path === prefix) return '/';
  return prefix !== '' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

/** Blanks part words, but for those in double quotes; `#` begins a comment. */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/"((?:[^"\\]|\\.)*)"|([^\s"]+)/g)) {
    if (plain?.startsWith('#') === true) break;
    words.push(plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'));
  }
  return words;
}

/** An entry as a line of a profile. */
export function profileLine(path: string, { priority, attributes }: Importance): string {
  const isPlain = /^[^\s"#\\]+$/.test(path);
  const name = isPlain ? path : `"${path.replace(/["\\]/g, '\\$&')}"`;
  return `a ${name} ${priority}${attributes === '' ? '' : `:${attributes}`}`;
}
