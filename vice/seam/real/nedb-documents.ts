/**
 * Documents in a file of nedb. nedb writes no checksum, does not flush an append and has no transactions. So:
 *
 * ND-1  A change is written as a whole new database, FILE.next, which nedb compacts and flushes; then that is renamed
 *       to FILE. What was there before is FILE.previous.
 * ND-2  Each line is behind its checksum. The file is read and checked here before nedb sees any of it.
 *
 * The folder belongs to one process (folder-claim.ts), so nobody else changes the file.
 */
import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import Datastore from 'nedb-promises';
import { Failure } from '../../interface/index.js';
import { changed, type Document, type Documents } from '../documents.js';
import { diskFailure, errorCode } from './disk-failure.js';
import { syncFolder } from './folder-claim.js';

const checksumDigits = 16;

type Stored = Document & { readonly _id: string };

/** The documents in `file`; none when there is no such file. @throws Failure damaged, no-space */
export async function openNedbDocuments(file: string): Promise<Documents> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    return new NedbDocuments(file, parsed(file, await textOf(file)));
  } catch (error) {
    throw diskFailure('documents.open', file, error);
  }
}

class NedbDocuments implements Documents {
  readonly #file: string;
  #documents: ReadonlyMap<string, Document>;
  #last: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(file: string, documents: ReadonlyMap<string, Document>) {
    this.#file = file;
    this.#documents = documents;
  }

  all(): ReadonlyMap<string, Document> {
    return this.#documents;
  }

  change(changes: ReadonlyMap<string, Document | null>): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the documents are closed'));
    const done = this.#last.then(() => this.#change(changes));
    this.#last = done.catch(() => undefined);
    return done;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
  }

  async #change(changes: ReadonlyMap<string, Document | null>): Promise<void> {
    const file = this.#file;
    const after = changed(this.#documents, changes);
    try {
      const next = `${file}.next`;
      await rm(next, { force: true });
      const database = openDatabase(next);
      await database.insert([...after].map(([id, document]) => ({ ...document, _id: id })));
      // Loading once more compacts: that path of nedb flushes.
      await openDatabase(next).load();
      await copyIfThere(file, `${file}.previous`);
      await rename(next, file);
      await syncFolder(dirname(file));
    } catch (error) {
      throw diskFailure('documents.change', file, error);
    }
    this.#documents = after;
  }
}

function openDatabase(filename: string): Datastore<Stored> {
  const options = {
    filename,
    corruptAlertThreshold: 0,
    // nedb knows it, its types do not.
    modes: { fileMode: 0o600, dirMode: 0o700 },
    afterSerialization: withChecksum,
    beforeDeserialization: (line: string) => withoutChecksum(line) ?? '',
  };
  return Datastore.create(options);
}

function parsed(file: string, text: string): Map<string, Document> {
  const documents = new Map<string, Document>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const record = recordOf(file, line);
    if ('$$indexCreated' in record || '$$indexRemoved' in record) continue;
    const { _id: id, ...document } = record;
    if (typeof id !== 'string' || '$$deleted' in document) throw damaged(file);
    documents.set(id, document);
  }
  return documents;
}

function recordOf(file: string, line: string): Document {
  const text = withoutChecksum(line);
  if (text === undefined) throw damaged(file);
  // What bears its checksum was written here.
  return JSON.parse(text) as Document;
}

function withChecksum(text: string): string {
  const checksum = createHash('sha256').update(text).digest('hex').slice(0, checksumDigits);
  return `${checksum} ${text}`;
}

function withoutChecksum(line: string): string | undefined {
  const text = line.slice(checksumDigits + 1);
  return line === withChecksum(text) ? text : undefined;
}

async function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  });
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
}

function damaged(file: string): Failure {
  const advice = `compare it with ${file}.previous and put that in its place`;
  return new Failure('damaged', 'documents.open', `${file} is damaged; ${advice}`);
}
