/** `coda repair PATH --compare`: what the versions of an object in conflict are, and what differs. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { directoryEntrySchema, type ConflictOf, type VersionOf } from '../realm/conflict-report.js';
import { callControlDoor, downloadFromDoor } from '../realm/control-door.js';
import { headText, versionsText, versionText } from './conflict-text.js';
import type { ChosenGateway } from './gateway-choice.js';
import { readLines } from './json-lines.js';
import { bytesText } from './output.js';
import { rowsOf, sideBySide } from './side-by-side.js';
import { choicesOf } from './version-choice.js';
import { shown, timeText } from './words.js';

/** Larger files are told apart by size and digest. */
const textBytes = 4 * 1024 * 1024;
/** Bytes at the begin of a file in which a NUL says that it is no text. */
const probedBytes = 8_000;

const kindSchema = z.object({ kind: z.enum(['file', 'directory', 'symlink']) });

/** What there is to compare of a version. */
export interface Looked {
  readonly version: VersionOf;
  readonly kind: z.infer<typeof kindSchema>['kind'];
  /** Of a file, in hexadecimal; else null. */
  readonly sha256: string | null;
  /** Lines of a text, or what is in a directory; null: neither. */
  readonly lines: readonly string[] | null;
}

/** Opens all that there is to choose from. @throws OperatorError */
export async function lookAt(
  gateway: ChosenGateway,
  user: string,
  conflicts: readonly ConflictOf[],
): Promise<readonly Looked[]> {
  const looked = new Map<string, Looked>();
  const all: Looked[] = [];
  for (const version of choicesOf(conflicts)) {
    // Several places of one object are one thing to look at.
    const found = looked.get(version.fid) ?? (await look(gateway.folder, user, version));
    looked.set(version.fid, found);
    all.push({ ...found, version });
  }
  return all;
}

export function comparisonText(
  conflicts: readonly ConflictOf[],
  looked: readonly Looked[],
  width: number,
): string {
  const parts = conflicts.map((conflict) => `${headText(conflict)}\n${versionsText(conflict)}`);
  const [first, ...others] = looked.filter(
    ({ version: { fid } }, index) => looked.findIndex(({ version }) => version.fid === fid) === index,
  );
  if (first !== undefined && others.length === 0) parts.push(aloneText(first));
  if (first !== undefined) parts.push(...others.map((other) => pairText(first, other, width)));
  return parts.join('\n\n');
}

/** As `coda repair --compare --json` prints it. */
export function plainLooked({ version, kind, sha256, lines }: Looked): object {
  const { name, path, author, host, time, size, storeId } = version;
  return {
    name,
    path,
    author,
    host,
    time,
    size,
    storeId,
    kind,
    sha256,
    holds: kind === 'directory' ? lines : null,
  };
}

async function look(folder: string, user: string, version: VersionOf): Promise<Looked> {
  const { fid } = version;
  const clock = systemClock();
  const { kind } = kindSchema.parse(
    await callControlDoor(folder, 'POST', '/conflicts/status', { user, fid }),
  );
  if (kind === 'directory') {
    const bytes = await downloadFromDoor(folder, '/conflicts/entries', { user, fid }, clock);
    const entries = await readLines(bytes, directoryEntrySchema);
    const lines = entries.map(({ name, kind, length, modified }) => {
      if (kind === 'directory') return `${name}/`;
      return `${name}  ${bytesText(length)}  ${timeText(modified)}`;
    });
    return { version, kind, sha256: null, lines: lines.sort() };
  }
  if (kind === 'symlink') return { version, kind, sha256: null, lines: null };
  return {
    version,
    kind,
    ...(await read(await downloadFromDoor(folder, '/conflicts/contents', { user, fid }, clock))),
  };
}

async function read(contents: AsyncIterable<Uint8Array>): Promise<Pick<Looked, 'sha256' | 'lines'>> {
  const hash = createHash('sha256');
  let kept: Uint8Array[] | null = [];
  let bytes = 0;
  for await (const chunk of contents) {
    hash.update(chunk);
    bytes += chunk.length;
    if (bytes > textBytes) kept = null;
    kept?.push(chunk);
  }
  return { sha256: hash.digest('hex'), lines: kept === null ? null : linesOf(Buffer.concat(kept)) };
}

/** Null: it is no text. */
function linesOf(bytes: Buffer): readonly string[] | null {
  if (bytes.subarray(0, probedBytes).includes(0)) return null;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const lines = text.split(/\r?\n/);
    return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
  } catch {
    return null;
  }
}

function aloneText({ kind, lines, sha256 }: Looked): string {
  if (kind === 'directory')
    return ['It holds:', ...(lines ?? []).map((line) => `  ${shown(line)}`)].join('\n');
  return sha256 === null ? 'It is a symbolic link.' : `SHA-256 ${sha256}`;
}

function pairText(left: Looked, right: Looked, width: number): string {
  const head = `< ${versionText(left.version)}\n> ${versionText(right.version)}`;
  if (left.sha256 !== null && left.sha256 === right.sha256) return `${head}\nThe contents are the same.`;
  const rows =
    left.lines === null || right.lines === null || left.kind !== right.kind
      ? undefined
      : rowsOf(left.lines, right.lines);
  if (rows === undefined) return [head, factsText('<', left), factsText('>', right)].join('\n');
  return `${head}\n${sideBySide(rows, width) || 'They hold the same.'}`;
}

function factsText(mark: string, { kind, version, sha256, lines }: Looked): string {
  if (kind === 'directory') return `${mark} a folder with ${lines?.length ?? 0} names`;
  if (kind === 'symlink') return `${mark} a symbolic link`;
  return `${mark} ${bytesText(version.size)}, SHA-256 ${sha256 ?? ''}`;
}
