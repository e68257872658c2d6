/**
 * Nothing grows without bound: each table of each host has as many rows as what is there needs, or a bound of its own
 * (vice/store/README.md and venus/store/README.md say what bounds each). A row of a table that is not here breaks the
 * law: who makes a new table says what bounds it. At rest logs are empty and no body is half written. Where a gateway
 * died, a server may wait for it with what it had announced: it is looked at when that time is over (world/sizes.ts).
 */
import { auditLimits } from '../../../vice/interface/index.js';
import { dumpsByVolume, type Law, type Look, type Rows, type Size } from '../world/outcome.js';
import { isDeed, type Scenario, type Step } from '../world/scenario.js';
import { volumesOf } from '../world/volumes.js';

/** The least and the most that a table may have. */
type Bound = readonly [least: number, most: number];
type Bounds = Readonly<Record<string, Bound>>;

const none: Bound = [0, 0];
const any: Bound = [0, Infinity];
/** By vice/volume/cop2.ts. */
const pendingMost = 10_000;
/** By vice/store/state-digest.ts: three hexadecimal digits. */
const bucketsMost = 16 ** 3;
const users = 3;

export const growth: Law = ({ scenario, sizes, settledMs, looks }) => {
  const look = looks.at(-1);
  if (settledMs === undefined || look === undefined) return [];
  return sizes.flatMap((size) => [
    ...broken(size, { spools: size.spools, unnamed: size.unnamed, overdue: size.overdue }, nothingElse),
    ...broken(size, size.rows, replicaBounds(size, look, scenario)),
    ...broken(size, size.others ?? {}, otherBounds(size, look, scenario)),
  ]);
};

/** Bodies half written, containers that nothing needs, updates remembered that will not come again. */
const nothingElse: Bounds = { spools: none, unnamed: none, overdue: none };

function broken({ host }: Size, rows: Rows, bounds: Bounds): readonly string[] {
  const unknown = Object.keys(rows).filter((table) => bounds[table] === undefined);
  const outside = Object.entries(bounds).filter(([table, [least, most]]) => {
    const is = rows[table] ?? 0;
    return is < least || is > most;
  });
  return [
    ...unknown.map((table) => `${host} has rows of a table that has no bound: ${table}`),
    ...outside.map(([table, [least, most]]) => {
      const should = least === most ? `${least}` : `${least} to ${most}`;
      return `${host} has ${rows[table] ?? 0} of ${table}, where it needs ${should}`;
    }),
  ];
}

/** Of a replica that is no more nothing is left. */
function replicaBounds(size: Size, look: Look, scenario: Scenario): Bounds {
  const dump = look.dumps.get(size.host);
  if (dump === undefined) return {};
  // What cannot be read as a tree another law tells of.
  if (dump instanceof Error) return Object.fromEntries(Object.keys(size.rows).map((table) => [table, any]));
  // Where the row of an object was damaged nobody knows where its last change stands: those rows stay.
  const damaged = count(scenario, (step) => step.do === 'flip-row' && step.at === size.host);
  const about = (rows: number): Bound => [rows, rows + damaged];
  const { object: objects = 0 } = size.rows;
  // A root in which nothing was ever made has none.
  const unlessNew = (rows: number): Bound => (dump.length > 1 ? about(rows) : [0, rows + damaged]);
  const inConflict = dump.filter(({ conflicts }) => conflicts.length > 0);
  const renamed = dump.filter(({ conflicts }) => conflicts.includes('name')).length;
  const authors = users * foldersOf(scenario);
  const isCalm = scenario.steps.every((step) => isDeed(step) || step.do === 'wait');
  return {
    ...{ meta: [1, 1], 'copy/meta': [1, 1] },
    object: [dump.length, Infinity],
    grave: about(objects - dump.length),
    stamp: unlessNew(objects),
    member: unlessNew(dump.length),
    bucket: [0, bucketsMost],
    children: [0, dump.filter(({ kind }) => kind === 'directory').length + damaged],
    entry: [dump.length - 1, dump.length - 1],
    beside: [renamed, renamed],
    conflict: [inConflict.length, inConflict.length],
    doubt: none,
    watermark: [0, authors],
    // At or above the watermark: what a gateway may still send again. What is below it is counted as `overdue`.
    applied: any,
    // A second phase comes with one of the next calls, unless something hinders it; then time ends the wait.
    cop2: [0, isCalm ? 0 : pendingMost],
    peer: [0, replicasOf(scenario) - 1],
    container: [size.needed, size.needed + damaged],
    // Nobody makes a snapshot here.
    ...{ snapshot: none, snapshots: none, saved: none, dropped: none },
  };
}

function otherBounds({ host, isServer, others, hasForgotten }: Size, look: Look, scenario: Scenario): Bounds {
  if (others === undefined) return {};
  return isServer
    ? serverBounds(host, others, scenario)
    : gatewayBounds(host, others, hasForgotten, { look, scenario });
}

function serverBounds(host: string, others: Rows, scenario: Scenario): Bounds {
  const same = (table: string): Bound => [others[table] ?? 0, others[table] ?? 0];
  return {
    // These stand twice.
    ...{ 'location/realm': [1, 1], 'copy/location/realm': [1, 1] },
    ...{ 'protection/people': [0, 1], 'copy/protection/people': same('protection/people') },
    'protection/gateway': [0, foldersOf(scenario)],
    'copy/protection/gateway': same('protection/gateway'),
    audit: [0, auditLimits.kept],
    'scrub/pass': [0, 1],
    // One for each damage, at most. Where a count of contents was damaged it is never counted again, so that one stays.
    'scrub/finding': [0, flipsAt(scenario, host)],
    ...contentsBounds(others),
  };
}

function gatewayBounds(
  host: string,
  others: Rows,
  hasForgotten: boolean,
  { look, scenario }: { readonly look: Look; readonly scenario: Scenario },
): Bounds {
  const volumes = volumesOf(scenario).length;
  const objects = dumpsByVolume(look).flat();
  const most = (rows: number): Bound => [0, hasForgotten ? rows : Infinity];
  const leases = look.views.find(({ gateway }) => gateway === host)?.leases.length ?? 0;
  const own: Bound = [0, volumes];
  return {
    ...{ identity: [1, 1], realm: [0, 1], 'hoard/periodic': [0, 1], 'cache/limit': [0, 1] },
    // What is removed while its gateway is cut off, or down, is forgotten later.
    ...{ v: most(objects.length), e: most(objects.length), c: most(objects.length) },
    ...{ l: none, k: [0, others['copy/k'] ?? 0], 'copy/l': none, 'copy/k': [0, others['k'] ?? 0] },
    ...{ r: [0, replicasOf(scenario) * volumes], p: own, m: own, f: own, mounted: own, deleted: none },
    ...{ d: none, x: [leases, leases], login: [0, users] },
    ...contentsBounds(others),
  };
}

/** Small contents are rows, and each has another one with its length. */
function contentsBounds({ contents = 0 }: Rows): Bounds {
  return { contents: any, 'contents-length': [contents, contents], 'contents-damaged': any };
}

/**
 * Data folders of gateways: one that comes back elsewhere, is used twice, or does not know any more whose it is, is
 * another one (ID-3).
 */
function foldersOf(scenario: Scenario): number {
  const isAnother = (step: Step): boolean =>
    step.do === 'restore' || step.do === 'clone' || (step.do === 'flip-row' && step.at.startsWith('g'));
  return scenario.gateways + count(scenario, isAnother);
}

function flipsAt(scenario: Scenario, host: string): number {
  return count(scenario, (step) => (step.do === 'flip-row' || step.do === 'flip') && step.at === host);
}

/** Replicas of a volume that there were at any time. */
function replicasOf(scenario: Scenario): number {
  return scenario.servers + count(scenario, ({ do: verb }) => verb === 'grow' || verb === 'move');
}

function count({ steps }: Scenario, isOne: (step: Step) => boolean): number {
  return steps.filter(isOne).length;
}
