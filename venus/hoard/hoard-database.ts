/**
 * What people want hoarded (Coda: hoard database, coda-src/venus/hdb.cc): few entries, kept over restarts.
 *
 * HD-1  There is one entry for a path of a user.
 */
import { z } from 'zod';
import { Failure, parseFid, volumeId, type Fid, type VolumeId } from '../../vice/interface/index.js';
import type { Document, Documents } from '../../vice/seam/documents.js';
import { hoardMost } from '../cache/replacement.js';

/** Entries of all users. A folder with many members is one entry with `c+` or `d+`. */
const entriesMost = 10_000;

const schema = z.strictObject({
  user: z.string(),
  volume: z.custom<VolumeId>((value) => typeof value === 'string' && volumeId(value) !== undefined),
  /** Names from the root of the volume, with slashes between them. */
  path: z.string(),
  priority: z.number().int().min(1).max(hoardMost),
  attributes: z.enum(['', 'c+', 'd+']),
  /** What it was bound to at the last walk: where that is moved to, the entry goes. */
  fid: z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined).nullable(),
});

export type StoredEntry = Readonly<z.infer<typeof schema>>;

/** By the key of the entry; null: it goes. */
export type EntryChanges = Map<string, StoredEntry | null>;

export function entryKey({ user, volume, path }: Pick<StoredEntry, 'user' | 'volume' | 'path'>): string {
  return JSON.stringify([user, volume, path]);
}

export function namesIn(path: string): readonly string[] {
  return path.split('/').filter((name) => name !== '');
}

export class HoardDatabase {
  readonly #documents: Documents;
  #entries: ReadonlyMap<string, StoredEntry>;

  constructor(documents: Documents) {
    this.#documents = documents;
    this.#entries = entriesOf(documents);
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): StoredEntry | undefined {
    return this.#entries.get(key);
  }

  /** Of one user or all, by falling priority. */
  of(user: string | null): readonly StoredEntry[] {
    const entries = [...this.#entries.values()].filter((entry) => user === null || entry.user === user);
    return entries.sort((a, b) => b.priority - a.priority || compare(entryKey(a), entryKey(b)));
  }

  /** All of the changes or none; durable when it resolves. @throws Failure busy (too many entries), no-space */
  async change(changes: EntryChanges): Promise<void> {
    if (changes.size === 0) return;
    const growth = [...changes].filter(([key, entry]) => entry !== null && !this.#entries.has(key)).length;
    if (growth > 0 && this.#entries.size + growth > entriesMost) {
      const message = `there would be more than ${entriesMost} entries; hoard folders with c+ or d+ instead`;
      throw new Failure('busy', 'venus.hoard', message);
    }
    await this.#documents.change(new Map<string, Document | null>(changes));
    this.#entries = entriesOf(this.#documents);
  }
}

function entriesOf(documents: Documents): ReadonlyMap<string, StoredEntry> {
  const entries = new Map<string, StoredEntry>();
  for (const [key, document] of documents.all()) {
    // What another version of this program has written is left alone.
    const parsed = schema.safeParse(document);
    if (parsed.success) entries.set(key, parsed.data);
  }
  return entries;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
