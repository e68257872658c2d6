/** Rows of a range of any length, read as they are taken: a range of the store is read at once, up to its limit. */
import type { RangeOptions, StoreReader } from '../seam/store.js';

interface Row {
  readonly key: string;
  readonly value: Uint8Array;
}

/** Most readers take few rows; who takes many pays little for each page. */
const pageRows = { first: 32, most: 512 } as const;

/** The rows in order. Between two pages others may have written: who wants one moment takes them all in one turn. */
export function* pagesOf(
  reader: StoreReader,
  { start, end }: Pick<RangeOptions, 'start' | 'end'>,
): Generator<Row> {
  let limit: number = pageRows.first;
  for (let from: string | undefined = start; from !== undefined;) {
    let rows = 0;
    let last: string | undefined;
    for (const row of reader.range({ start: from, end, limit })) {
      rows += 1;
      last = row.key;
      yield row;
    }
    from = rows < limit || last === undefined ? undefined : `${last}\0`;
    limit = pageRows.most;
  }
}
