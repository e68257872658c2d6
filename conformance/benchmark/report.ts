/** What a run prints: progress while it goes, tables in Markdown or JSON at its end. */

export interface Row {
  readonly what: string;
  readonly unit: string;
  /** By column; undefined: not measured. */
  readonly figures: Readonly<Record<string, number | undefined>>;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  /** Figures of the other columns are shown with their ratio to this one's. */
  readonly base?: string;
  readonly rows: readonly Row[];
}

export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly scale: 'full' | 'quick';
  /** Seconds that the whole run took. */
  readonly seconds: number;
  readonly notes: readonly string[];
  readonly tables: readonly Table[];
}

/** One line of progress, with the time since the start. */
export function say(text: string): void {
  const seconds = Math.floor(performance.now() / 1000);
  const clock = `${Math.floor(seconds / 60)}:${`${seconds % 60}`.padStart(2, '0')}`;
  console.error(`bench ${clock} ${text}`);
}

export function median(figures: readonly number[]): number | undefined {
  const sorted = [...figures].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined || sorted.length % 2 === 1) return upper;
  return (upper + (sorted[middle - 1] ?? upper)) / 2;
}

export function shown(figure: number | undefined): string {
  if (figure === undefined) return '-';
  if (Number.isInteger(figure) || figure >= 100) return figure.toFixed(0);
  return figure.toPrecision(3);
}

export function asText({ date, machine, scale, seconds, notes, tables }: Report): string {
  const head = `${date}, ${machine}, ${scale} run of ${(seconds / 60).toFixed(1)} minutes`;
  const parts = tables.map((table) => `${table.title}:\n\n${markdown(table)}`);
  return [head, ...notes, ...parts].join('\n\n');
}

function markdown({ columns, base, rows }: Table): string {
  const head = ['', 'unit', ...columns];
  const lines = rows.map(({ what, unit, figures }) => {
    const yardstick = base === undefined ? undefined : figures[base];
    const cells = columns.map((name) => {
      const figure = figures[name];
      if (figure === undefined || yardstick === undefined || name === base) return shown(figure);
      return `${shown(figure)} (${(figure / yardstick).toFixed(2)})`;
    });
    return [what, unit, ...cells];
  });
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
