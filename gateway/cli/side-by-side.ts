/** Two texts in two columns, with what stands between: lines on one side only, or other ones. Pure. */
import { diffArrays } from 'diff';
import { shown } from './words.js';

/** A row of both sides; undefined: nothing stands there. */
export interface Row {
  readonly left: string | undefined;
  readonly right: string | undefined;
  readonly isSame: boolean;
}

/** Equal lines that are shown before and after a difference. */
const context = 2;
/** Milliseconds that a comparison may take. */
const patienceMs = 5_000;
const tab = '    ';

/** What stands where; undefined: they differ in so much that it takes too long. */
export function rowsOf(left: readonly string[], right: readonly string[]): readonly Row[] | undefined {
  const parts = diffArrays([...left], [...right], { timeout: patienceMs });
  const rows: Row[] = [];
  let gone: readonly string[] = [];
  const put = (lefts: readonly string[], rights: readonly string[]): void => {
    for (let at = 0; at < Math.max(lefts.length, rights.length); at += 1) {
      rows.push({ left: lefts[at], right: rights[at], isSame: false });
    }
  };
  for (const { added, removed, value } of parts ?? []) {
    if (removed) gone = value;
    else {
      put(gone, added ? value : []);
      gone = [];
      if (!added) rows.push(...value.map((line) => ({ left: line, right: line, isSame: true })));
    }
  }
  put(gone, []);
  return parts === undefined ? undefined : rows;
}

/** The rows that differ, with some around them, in columns that are `width` wide together. */
export function sideBySide(rows: readonly Row[], width: number): string {
  const column = Math.max(20, Math.floor((width - 3) / 2));
  const near = new Set<number>();
  rows.forEach((row, index) => {
    if (row.isSame) return;
    for (let at = index - context; at <= index + context; at += 1) near.add(at);
  });
  const lines: string[] = [];
  let last = -1;
  for (const [index, row] of rows.entries()) {
    if (!near.has(index)) continue;
    if (index !== last + 1) lines.push('...');
    last = index;
    lines.push(...rowText(row, column));
  }
  if (last < rows.length - 1 && lines.length > 0) lines.push('...');
  return lines.join('\n');
}

/** A long line goes on in the next row. */
function rowText({ left, right, isSame }: Row, column: number): readonly string[] {
  const [lefts, rights] = [wrapped(left, column), wrapped(right, column)];
  const mark = isSame ? ' ' : left === undefined ? '>' : right === undefined ? '<' : '|';
  const count = Math.max(lefts.length, rights.length, 1);
  return Array.from({ length: count }, (_, at) => {
    return `${(lefts[at] ?? '').padEnd(column)} ${mark} ${rights[at] ?? ''}`.trimEnd();
  });
}

function wrapped(line: string | undefined, column: number): readonly string[] {
  const characters = [...shown((line ?? '').replaceAll('\t', tab))];
  const parts: string[] = [];
  for (let at = 0; at < characters.length; at += column)
    parts.push(characters.slice(at, at + column).join(''));
  return parts;
}
