/**
 * Who may import whom: the one place where it is said. ARCHITECTURE.md tells the reasons.
 *
 *   conformance -> main -> gateway -> venus/interface -> venus -> vice/interface + vice/seam
 *                          vice -> vice/interface + vice/seam
 *
 * A zone is a set of files; the first one whose pattern matches a file is the file's zone. Within its own
 * zone a file may import anything; of the others only what `may` lists.
 */
export interface Zone {
  readonly name: string;
  readonly files: RegExp;
  /** Names of other zones, or 'everything'. */
  readonly may: readonly string[] | 'everything';
  readonly why: string;
}

export const zones: readonly Zone[] = [
  {
    name: 'tests',
    files: /\.test\.ts$/,
    may: 'everything',
    why: 'a test may use whatever shows the truth',
  },
  {
    name: 'conformance',
    files: /^conformance\//,
    may: 'everything',
    why: 'conformance looks at the house from outside and wires it as it needs',
  },
  {
    name: 'vice/interface',
    files: /^vice\/interface\//,
    may: [],
    why: 'the contract imports nothing of ours, so that both sides can speak it',
  },
  {
    name: 'vice/difference',
    files: /^vice\/difference\//,
    may: ['vice/interface'],
    why: 'differences of contents are pure, so that both sides can make and apply them',
  },
  {
    name: 'vice/seam/real',
    files: /^vice\/seam\/real\//,
    may: ['vice/seam', 'vice/interface'],
    why: 'a real seam knows its contract, the vocabulary, and the world',
  },
  {
    name: 'vice/seam/twin',
    files: /^vice\/seam\/twin\//,
    may: ['vice/seam', 'vice/interface'],
    why: 'a memory twin knows its contract and the vocabulary',
  },
  {
    name: 'vice/seam',
    files: /^vice\/seam\/[^/]+\.ts$/,
    may: ['vice/interface'],
    why: 'a seam contract knows the vocabulary only',
  },
  {
    name: 'mains',
    files: /^(vice\/main\.ts|gateway\/main\.ts|gateway\/(administration|cli|config|realm|setup)\/.*)$/,
    may: ['vice', 'vice/interface', 'vice/seam', 'vice/seam/real', 'venus', 'venus/interface', 'gateway'],
    why: 'a main wires rooms to the real seams; it never imports a memory twin or conformance',
  },
  {
    name: 'vice',
    files: /^vice\//,
    may: ['vice/interface', 'vice/difference', 'vice/seam'],
    why: 'a server reaches the world through seams that its main hands in, and never knows its clients',
  },
  {
    name: 'venus/interface',
    files: /^venus\/(interface|pending-log|hoarding|people|leases|venus-state)\.ts$/,
    may: ['vice/interface'],
    why: 'the door for gateways speaks the vocabulary only',
  },
  {
    name: 'venus/twin',
    files: /^venus\/twin\//,
    may: ['venus/interface', 'vice/interface', 'vice/seam'],
    why: 'a Venus in memory, for tests of gateways, knows the door and the vocabulary',
  },
  {
    name: 'venus',
    files: /^venus\//,
    may: ['venus/interface', 'vice/interface', 'vice/difference', 'vice/seam'],
    why: 'the client knows servers by their contract alone',
  },
  {
    name: 'gateway',
    files: /^gateway\//,
    may: ['venus/interface', 'vice/seam'],
    why: 'a gateway knows Venus by its one door alone, and the seam contracts that it is given',
  },
];

export function zoneOf(path: string): Zone {
  const zone = zones.find((candidate) => candidate.files.test(path));
  if (zone === undefined) throw new Error(`${path} is in no zone of conformance/tidy/arrows.ts: give it one`);
  return zone;
}

/** What is wrong with `from` importing `to` (both paths from the root), or undefined. */
export function brokenArrow(from: string, to: string): string | undefined {
  const source = zoneOf(from);
  const target = zoneOf(to);
  if (target.name === 'tests') return `${from} imports the test ${to}. Nothing may import a test.`;
  if (source.may === 'everything' || source === target || source.may.includes(target.name)) return undefined;
  const allowed = [source.name, ...source.may].join(', ');
  return `${from} (${source.name}) imports ${to} (${target.name}). It may import: ${allowed}; ${source.why}.`;
}
