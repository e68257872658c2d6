/** Writes the archive of a log (Coda: cfs checkpointml). What is in it: format.ts. */
import { createHash } from 'node:crypto';
import { Failure, fidsOf, type Fid, type Mutation, type StoreRecord } from '../../vice/interface/index.js';
import { ContentsDigest } from './contents-digest.js';
import { bindingOf, formatVersion, parts, type Binding, type Heading, type Line } from './format.js';
import { endBytes, tarHeader, tarPadding, type TarEntry } from './tar.js';
import { staysInside, TreeNames } from './tree-names.js';

/** One entry of the log. */
export interface ArchivedEntry {
  readonly sequence: number;
  /** Name of the volume. */
  readonly volume: string;
  readonly records: readonly Mutation[];
  /** Why servers refused it; null: they did not. */
  readonly reason: string | null;
}

export interface CheckpointSources {
  /** In order. They stay as they are while the archive is written. */
  readonly entries: readonly ArchivedEntry[];
  /** From the realm's root; null: it cannot be named. */
  pathOf(fid: Fid): string | null;
  /** @throws Failure damaged, not-found */
  contents(digest: string, length: number): AsyncIterable<Uint8Array>;
  /** Lets others go on; awaited now and then. */
  pause(): Promise<void>;
}

export type CheckpointHeading = Omit<Heading, 'format' | 'version'>;

/** Records between two pauses. */
const pauseRecords = 200;
/** Small contents between two pauses. */
const pauseContents = 20;
/** Small pieces are gathered until they are so many bytes. */
const chunkBytes = 64 * 1024;

/** @throws Failure damaged, not-found: of contents that cannot be had any more */
export async function* checkpointArchive(
  heading: CheckpointHeading,
  sources: CheckpointSources,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of gathered(body(heading, sources))) {
    hash.update(chunk);
    yield chunk;
  }
  const seal = Buffer.from(`${hash.digest('hex')}\n`);
  yield Buffer.concat([...small(parts.seal, seal, heading.time), new Uint8Array(endBytes)]);
}

async function* body(heading: CheckpointHeading, sources: CheckpointSources): AsyncGenerator<Uint8Array> {
  const { realm, gateway, time } = heading;
  const full: Heading = { format: 'coda-log', version: formatVersion, realm, gateway, time };
  const head = Buffer.from(`${JSON.stringify(full, null, 2)}\n`);
  yield* small(parts.heading, head, time);
  yield* changes(head, time, sources);
  const seen = new Set<string>();
  for (const { record } of records(sources)) {
    if (record.op !== 'store' || record.length === 0 || seen.has(record.digest)) continue;
    seen.add(record.digest);
    yield* contents(record, sources);
    if (seen.size % pauseContents === 0) await sources.pause();
  }
  yield* tree(sources);
}

/** The size stands before the lines, so they are made twice: that is cheaper than to keep them. */
async function* changes(
  head: Uint8Array,
  time: number,
  sources: CheckpointSources,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let size = 0;
  const paths: Readonly<Record<string, string>>[] = [];
  for (const { entry, record } of records(sources)) {
    const known = pathsOf(record, sources);
    paths.push(known);
    const line = lineOf(entry, record, known);
    hash.update(line);
    size += line.length;
    if (paths.length % pauseRecords === 0) await sources.pause();
  }
  const sums = { sha256: hash.digest('hex'), heading: createHash('sha256').update(head).digest('hex') };
  const trailer = Buffer.from(`${JSON.stringify(sums)}\n`);
  size += trailer.length;
  yield tarHeader({ name: parts.changes, type: 'file', size, target: '', modified: time });
  let at = 0;
  for (const { entry, record } of records(sources)) {
    yield lineOf(entry, record, paths[at] ?? {});
    at += 1;
    if (at % pauseRecords === 0) await sources.pause();
  }
  yield trailer;
  yield tarPadding(size);
}

async function* contents(record: StoreRecord, sources: CheckpointSources): AsyncGenerator<Uint8Array> {
  const { digest, length: size, modified, fid } = record;
  yield tarHeader({ name: parts.contents + digest, type: 'file', size, target: '', modified });
  const sum = new ContentsDigest();
  for await (const chunk of sources.contents(digest, size)) {
    sum.add(chunk);
    if (sum.length > size) break;
    yield chunk;
  }
  if (sum.length !== size || sum.end() !== digest) {
    const message =
      'contents that wait in the log do not match their checksum; the archive cannot be written';
    throw new Failure('damaged', 'venus.archive', message, { fid });
  }
  yield tarPadding(size);
}

/** The newest contents of each file under its name, older ones under others; links last: nothing goes through one. */
async function* tree(sources: CheckpointSources): AsyncGenerator<Uint8Array> {
  const names = new TreeNames();
  const places = await Places.of(sources);
  const links: TarEntry[] = [];
  let count = 0;
  for (const { record } of records(sources)) {
    if (record.op === 'mkdir') {
      const name = names.folder(places.pathOf(record.fid));
      if (name !== undefined) yield tarHeader(entryOf(name, 'directory', '', record.time));
    }
    if (places.isShown(record)) {
      const isNewest = places.newest.get(record.fid) === record;
      const path = isNewest ? places.pathOf(record.fid) : null;
      const name = names.file(path, places.nameOf(record.fid));
      const isEmpty = record.op !== 'store' || record.length === 0;
      const target = isEmpty ? '' : parts.contents + record.digest;
      yield tarHeader(entryOf(name, isEmpty ? 'file' : 'link', target, record.time));
    }
    if (record.op === 'symlink') {
      const name = names.file(places.pathOf(record.fid), record.name);
      if (staysInside(name, record.target)) links.push(entryOf(name, 'symlink', record.target, record.time));
    }
    count += 1;
    if (count % pauseRecords === 0) await sources.pause();
  }
  for (const link of links) yield tarHeader(link);
}

/** Where objects are: as the gateway shows them, or, if it does not (any more), as the log's own records bound them. */
class Places {
  /** The record that made the newest contents of a file: its last store, or the creation of an empty one. */
  readonly newest = new Map<Fid, Mutation>();
  readonly #bindings = new Map<Fid, Binding>();
  readonly #stored = new Set<Fid>();
  readonly #removed = new Set<Fid>();
  readonly #sources: CheckpointSources;

  private constructor(sources: CheckpointSources) {
    this.#sources = sources;
  }

  static async of(sources: CheckpointSources): Promise<Places> {
    const places = new Places(sources);
    let count = 0;
    for (const { record } of records(sources)) {
      places.#look(record);
      count += 1;
      if (count % pauseRecords === 0) await sources.pause();
    }
    return places;
  }

  #look(record: Mutation): void {
    const binding = bindingOf(record);
    if (binding !== undefined) this.#bindings.set(record.fid, binding);
    if (record.op === 'remove' || record.op === 'rmdir') this.#removed.add(record.fid);
    if (record.op === 'store') this.#stored.add(record.fid);
    if (record.op === 'store' || record.op === 'create') this.newest.set(record.fid, record);
  }

  /** Whether the record brings contents that a person may look for. */
  isShown(record: Mutation): boolean {
    return record.op === 'store' || (record.op === 'create' && !this.#stored.has(record.fid));
  }

  pathOf(fid: Fid): string | null {
    return this.#path(fid, this.#bindings.size);
  }

  nameOf(fid: Fid): string {
    return this.#bindings.get(fid)?.name ?? this.#sources.pathOf(fid)?.split('/').at(-1) ?? `file-${fid}`;
  }

  #path(fid: Fid, depth: number): string | null {
    const shown = this.#sources.pathOf(fid);
    const binding = this.#bindings.get(fid);
    if (shown !== null || binding === undefined || this.#removed.has(fid) || depth < 0) return shown;
    const parent = this.#path(binding.parent, depth - 1);
    return parent === null ? null : `${parent === '/' ? '' : parent}/${binding.name}`;
  }
}

function* records({ entries }: CheckpointSources): Generator<{ entry: ArchivedEntry; record: Mutation }> {
  for (const entry of entries) for (const record of entry.records) yield { entry, record };
}

function pathsOf(record: Mutation, sources: CheckpointSources): Readonly<Record<string, string>> {
  const paths: Record<string, string> = {};
  for (const fid of fidsOf(record)) {
    const path = sources.pathOf(fid);
    if (path !== null) paths[fid] = path;
  }
  return paths;
}

function lineOf(entry: ArchivedEntry, record: Mutation, paths: Line['paths']): Buffer {
  const { sequence, volume, reason } = entry;
  const line: Line = { sequence, volume, reason, paths, record };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

function entryOf(name: string, type: TarEntry['type'], target: string, modified: number): TarEntry {
  return { name, type, size: 0, target, modified };
}

function small(name: string, bytes: Uint8Array, modified: number): readonly Uint8Array[] {
  const header = tarHeader({ name, type: 'file', size: bytes.length, target: '', modified });
  return [header, bytes, tarPadding(bytes.length)];
}

/** The same bytes in fewer pieces. */
async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    waiting.push(chunk);
    length += chunk.length;
    if (length < chunkBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    length = 0;
  }
  if (length > 0) yield Buffer.concat(waiting);
}
