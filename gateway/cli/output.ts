/** What commands print: results on stdout, as text or as one JSON object; progress and errors on stderr. */
import type { Ending } from './exit-code.js';

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
}

export function print(options: CommonOptions, result: unknown, text: () => string): void {
  process.stdout.write(options.json === true ? `${JSON.stringify(result)}\n` : `${text()}\n`);
}

export function progress(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function printError(options: CommonOptions, ending: Ending, error: unknown): void {
  if (ending.message === '') return;
  if (options.json === true) {
    const { kind, message } = ending;
    process.stderr.write(`${JSON.stringify({ error: { kind, message } })}\n`);
  } else {
    process.stderr.write(`coda: ${ending.message}\n`);
  }
  if (options.debug === true && error instanceof Error) process.stderr.write(`${error.stack ?? ''}\n`);
}

/** Columns wide enough for their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/** `bytes` as a person reads it. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}
