/**
 * Seam: documents. A few thousand small ones at most, edited by people, read as a whole at the start: what somebody
 * wants hoarded, settings. What is large or hot belongs into a Store.
 *
 * DO-1  A change that has resolved is there after a crash, all of it; one that has not is there whole or not at all.
 * DO-2  Changes take effect in the order of their calls; `all` shows those that have resolved.
 * DO-3  Damaged documents are refused whole when they are opened, never partly believed.
 */
export interface Documents {
  /** By id. Do not keep over an await. */
  all(): ReadonlyMap<string, Document>;
  /** Puts each document under its id, or takes it away (null). @throws Failure no-space, damaged */
  change(changes: ReadonlyMap<string, Document | null>): Promise<void>;
  close(): Promise<void>;
}

/** JSON. Names of fields have no dot in them and do not begin with a dollar sign. */
export interface Document {
  readonly [field: string]: string | number | boolean | null;
}

/** `documents` after `changes`. */
export function changed(
  documents: ReadonlyMap<string, Document>,
  changes: ReadonlyMap<string, Document | null>,
): Map<string, Document> {
  const after = new Map(documents);
  for (const [id, document] of changes) {
    if (document === null) after.delete(id);
    else after.set(id, document);
  }
  return after;
}
