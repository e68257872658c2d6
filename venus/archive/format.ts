/**
 * What is in an archive of a log, in this order (a tar file, see tar.ts):
 *
 *   coda-log.json       format, version, realm, gateway, time
 *   changes.jsonl       a line for each record of each change, in order; a last line with checksums
 *   contents/<digest>   the contents that they name, each once; not the empty ones
 *   tree/...            the same files under their names, as hard links: for people, ignored when it is restored
 *   coda-log.sha256     SHA-256 of every byte before this entry
 *
 * AR-1  No name in it leads out of the folder that it is unpacked in.
 * AR-2  Whoever reads it to its end knows that every byte is as it was written.
 */
import { z } from 'zod';
import { limits, nameFault, type Fid, type Mutation } from '../../vice/interface/index.js';
import { storedRecordSchema } from '../log/earlier-record.js';

export const parts = {
  heading: 'coda-log.json',
  changes: 'changes.jsonl',
  contents: 'contents/',
  tree: 'tree/',
  seal: 'coda-log.sha256',
} as const;

/** 2: records say at which gateway, may be repairs. What was written as 1 is still read. */
export const formatVersion = 2;

/** Bounds for whoever reads. */
export const bounds = {
  headingBytes: 64 * 1024,
  /** A setprops record with all that an object may have, escaped. */
  lineBytes: 2 * 1024 * 1024,
  lines: 1_000_000,
  changesBytes: 512 * 1024 * 1024,
} as const;

export const headingSchema = z.object({
  format: z.literal('coda-log'),
  version: z.number().int(),
  realm: z.string().max(64),
  gateway: z.string().max(128),
  /** Milliseconds since 1970. */
  time: z.number(),
});
export type Heading = z.infer<typeof headingSchema>;

export interface Line {
  readonly sequence: number;
  /** Name of the volume. */
  readonly volume: string;
  /** Why servers refused it; null: they did not. */
  readonly reason: string | null;
  /** Where the objects of the record were when the archive was written, as far as that was known. */
  readonly paths: Readonly<Record<string, string>>;
  readonly record: Mutation;
}

export const lineSchema: z.ZodType<Line> = z.strictObject({
  sequence: z.number().int().nonnegative(),
  volume: z.string().max(128),
  reason: z.string().nullable(),
  paths: z.record(
    z.string(),
    z.string().refine((path) => namesOf(path) !== undefined),
  ),
  record: storedRecordSchema.refine((record) =>
    namesIn(record).every((name) => nameFault(name) === undefined),
  ),
});

const hex = z.string().regex(/^[0-9a-f]{64}$/);
/** Of the lines before it, and of the heading. */
export const trailerSchema = z.strictObject({ sha256: hex, heading: hex });

/** The names of a path that begins at the realm's root; undefined: it is none that can be. */
export function namesOf(path: string): readonly string[] | undefined {
  if (path === '/') return [];
  const [first, ...names] = path.split('/');
  if (first !== '' || names.length > limits.depth) return undefined;
  return names.every((name) => nameFault(name) === undefined) ? names : undefined;
}

function namesIn(record: Mutation): readonly string[] {
  if (record.op === 'rename') return [record.fromName, record.toName];
  if (record.op === 'repair') return record.accept === null ? [] : [record.accept.name];
  return 'name' in record ? [record.name] : [];
}

/** The last directory and name that records of a log give an object. */
export interface Binding {
  readonly parent: Fid;
  readonly name: string;
}

/** What `record` binds its object to, if it does. */
export function bindingOf(record: Mutation): Binding | undefined {
  switch (record.op) {
    case 'create':
    case 'mkdir':
    case 'symlink':
      return { parent: record.parent, name: record.name };
    case 'rename':
      return { parent: record.toParent, name: record.toName };
    default:
      return undefined;
  }
}
