/**
 * The conflicts of the realm as `/.coda/conflicts/` shows them: a folder for each object, which holds what there is to
 * choose from. Pure.
 */
import { hash } from 'node:crypto';
import type { ConflictReport, ConflictVersion, Fid } from '../../venus/interface.js';
import { isoTime } from './conflict-properties.js';

/** One object that a person has to decide about. */
export interface ConflictMember {
  /** As a person recognises it; no two of a listing are alike, to no system. */
  readonly name: string;
  readonly fid: Fid;
  /** One for each kind, at least one. */
  readonly reports: readonly ConflictReport[];
  /** By name: what can be opened, as far as it is a file. */
  readonly versions: ReadonlyMap<string, ConflictVersion>;
  /** What there is to decide where contents do not say it, else null. */
  readonly text: string | null;
}

export const textName = 'READ ME.txt';

const maxNameBytes = 255;

export function conflictMembers(reports: readonly ConflictReport[]): readonly ConflictMember[] {
  const byFid = new Map<Fid, ConflictReport[]>();
  for (const report of reports) {
    const known = byFid.get(report.fid);
    if (known === undefined) byFid.set(report.fid, [report]);
    else known.push(report);
  }
  const plain = new Map([...byFid].map(([fid, own]) => [fid, plainName(own)]));
  const counts = new Map<string, number>();
  for (const name of plain.values()) counts.set(fold(name), (counts.get(fold(name)) ?? 0) + 1);
  return [...byFid].map(([fid, own]) => {
    const name = plain.get(fid) ?? '';
    const isOwn =
      counts.get(fold(name)) === 1 && own[0]?.path !== null && Buffer.byteLength(name) <= maxNameBytes;
    return {
      name: isOwn ? name : `${clipped(name)} (${hash('sha256', fid, 'hex').slice(0, 6)})`,
      fid,
      reports: own,
      versions: versionsOf(own),
      text: own.some(({ kind }) => kind !== 'versions') ? textOf(own) : null,
    };
  });
}

/** "docs - report.odt" for /docs/report.odt; what cannot be named any more has the name that it bears. */
function plainName([first]: readonly ConflictReport[]): string {
  const { path = null, versions = [] } = first ?? {};
  if (path === null) return versions[0]?.name ?? 'without a name';
  return path.length === 0 ? 'root of the share' : path.join(' - ');
}

function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

/** With room for what tells it from others. The end of a path says most. */
function clipped(name: string): string {
  let clip = name;
  while (Buffer.byteLength(clip) > maxNameBytes - 12) clip = clip.slice(1);
  return clip.isWellFormed() ? clip : clip.slice(1);
}

/** Each version once, whichever reports name it. */
function versionsOf(reports: readonly ConflictReport[]): ReadonlyMap<string, ConflictVersion> {
  const versions = new Map<string, ConflictVersion>();
  const seen = new Set<Fid>();
  for (const version of reports.flatMap((report) => report.versions)) {
    if (!seen.has(version.fid) && !versions.has(version.name)) versions.set(version.name, version);
    seen.add(version.fid);
  }
  return versions;
}

const meanings: Readonly<Record<ConflictReport['kind'], string>> = {
  versions: 'Its contents were changed apart. Each version is a file here and in its folder.',
  name: 'It was made under a name that another object keeps, so it bears another one.',
  removal: 'Somebody removed it without knowing of a change that somebody else made. It is still there.',
  place: 'It was moved to several places apart. It is at the first of these.',
  protection: 'Its access list was set apart to different ones. The stricter holds.',
};

/** `order` is a command as it can be pasted into a shell. */
const advice: Readonly<Record<ConflictReport['kind'], (order: string) => string>> = {
  versions: () => 'Delete the versions that are not wanted, or move one over the name.',
  name: () => 'Rename one of the two, or delete one.',
  removal: (order) => `Delete it, or keep it: ${order}`,
  place: (order) => `Leave it there: ${order}\nOr move it to where it shall be.`,
  protection: () => 'Set the list that shall be with `coda acl set`, or choose one with `coda repair`.',
};

function textOf(reports: readonly ConflictReport[]): string {
  const path = reports[0]?.path ?? null;
  const shown = path === null ? null : `/${path.join('/')}`;
  const order = `coda repair ${shown === null ? 'PATH' : quoted(shown)} --keep-all`;
  const parts = reports.map(({ kind, versions }) => {
    const choices = versions.map((version) => `- ${choiceText(kind, version)}`);
    return [meanings[kind], ...choices, '', advice[kind](order)].join('\n');
  });
  const head = shown ?? 'It cannot be named from the root of the share: a folder above it cannot be reached.';
  return `${[head, ...parts].join('\n\n')}\n`;
}

function choiceText(
  kind: ConflictReport['kind'],
  { name, path, author, host, time, size }: ConflictVersion,
): string {
  const what = kind === 'place' && path !== null ? `/${path.join('/')}` : name;
  return `${what}, by ${author} at ${host}, ${isoTime(time)}${size > 0 ? `, ${size} bytes` : ''}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
