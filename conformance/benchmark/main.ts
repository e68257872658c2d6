/**
 * `npm run bench [-- --quick] [--only WORD] [--json]`: our gateway beside Apache's mod_dav, nginx, rclone and
 * a bare Node server, all on this machine and in one run; then our PUT with 1, 2 and 3 replicas; then work
 * without servers, and coming back; then resolution; then cold files; then new versions of large files; then a new
 * replica of a volume; then slow links; then very many files; then dumps; then
 * TLS on the links.
 *
 * All servers are up, one is loaded at a time; the rounds of all servers are interleaved, so that what else
 * the machine does falls on all alike. A figure is the median of its rounds. A peer that is not installed is
 * left out.
 */
import { cpus } from 'node:os';
import { Command } from 'commander';
import { Realm } from '../realm.js';
import { coldReads } from './cold-reads.js';
import { differences } from './differences.js';
import { disconnection } from './disconnection.js';
import { dumps } from './dumps.js';
import { healing } from './healing.js';
import { million } from './million.js';
import { largeFolders } from './large-folders.js';
import { populating } from './populating.js';
import { slowLinks } from './slow-links.js';
import { tls } from './tls.js';
import { apache, bareNode, lacks, nginx, rclone, type Peer, type Running } from './peers.js';
import { asText, median, say, shown, type Report, type Row, type Table } from './report.js';
import { full, quick, replicated, titleAt, workloads, type Scale, type Workload } from './workloads.js';

/** What `--only` calls the last parts. */
const disconnectionName = 'disconnected';
const healingName = 'resolution';
const coldName = 'cold files';
const differencesName = 'differences';
const largeFoldersName = 'scale: large folders';
const millionName = 'scale: many files';
const populatingName = 'new replica';
const dumpsName = 'dump and restore';
const slowLinksName = 'slow links';
const tlsName = 'tls';

interface Column {
  readonly name: string;
  readonly lists: boolean;
  readonly running: Running;
}

async function ours(replicas: number): Promise<Column> {
  const realm = await Realm.start({ servers: replicas });
  const { url, user, password } = realm.ready;
  const running = { url, user, password, stop: () => realm.stop() };
  return { name: replicas === 3 ? 'coda' : `${replicas} replicas`, lists: true, running };
}

/**
 * Prepares and measures every workload for every column. A column that fails in a workload has no figure
 * there.
 */
async function measure(list: readonly Workload[], columns: readonly Column[], scale: Scale): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [index, workload] of list.entries()) {
    say(`${index + 1} of ${list.length}: ${titleAt(workload, scale)}`);
    const rounds = new Map<string, number[]>();
    const able = columns.filter((column) => workload.lists !== true || column.lists);
    for (const { name, running } of able) {
      try {
        await workload.prepare(running, scale);
        rounds.set(name, []);
      } catch (error) {
        say(`${workload.name}: ${name} left out: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    for (let round = 0; round < scale.rounds; round += 1) {
      for (const { name, running } of able) {
        const figures = rounds.get(name);
        if (figures === undefined) continue;
        try {
          figures.push(await workload.measure(running, scale, round));
        } catch (error) {
          say(`${workload.name}: ${name} failed: ${error instanceof Error ? error.message : String(error)}`);
          rounds.delete(name);
        }
      }
    }
    const figures = Object.fromEntries(columns.map(({ name }) => [name, median(rounds.get(name) ?? [])]));
    rows.push({ what: titleAt(workload, scale), unit: workload.unit, figures });
    const shownFigures = columns.map(({ name }) => `${name} ${shown(figures[name])}`).join(', ');
    say(`${titleAt(workload, scale)}: ${shownFigures}`);
  }
  return rows;
}

async function besidePeers(list: readonly Workload[], scale: Scale, notes: string[]): Promise<Row[]> {
  const columns: Column[] = [await ours(3)];
  try {
    for (const peer of [apache, nginx, rclone, bareNode]) columns.push(...(await startPeer(peer, notes)));
    return await measure(list, columns, scale);
  } finally {
    for (const { running } of columns) await running.stop();
  }
}

async function startPeer(peer: Peer, notes: string[]): Promise<Column[]> {
  const missing = lacks(peer);
  if (missing.length > 0) {
    notes.push(`${peer.name} left out: ${missing.join(', ')} not installed`);
    return [];
  }
  return [{ name: peer.name, lists: peer.lists, running: await peer.start() }];
}

async function byReplicas(list: readonly Workload[], scale: Scale): Promise<Row[]> {
  const columns: Column[] = [];
  try {
    for (const replicas of [1, 2, 3]) columns.push({ ...(await ours(replicas)), name: `${replicas}` });
    return await measure(list, columns, scale);
  } finally {
    for (const { running } of columns) await running.stop();
  }
}

async function withoutServers(scale: Scale, notes: string[]): Promise<Table[]> {
  const [peer] = await startPeer(apache, notes);
  try {
    return await disconnection(scale.disconnection, peer?.running);
  } finally {
    await peer?.running.stop();
  }
}

interface Part {
  readonly names: readonly string[];
  measure(): Promise<Table[]>;
}

function parts(only: string, scale: Scale, notes: string[]): readonly Part[] {
  const chosen = (list: readonly Workload[]): Workload[] => list.filter(({ name }) => name.includes(only));
  const namesOf = (list: readonly Workload[]): string[] => list.map(({ name }) => name);
  return [
    {
      names: namesOf(workloads),
      async measure() {
        const rows = await besidePeers(chosen(workloads), scale, notes);
        const title =
          `Beside others: medians of ${scale.rounds} interleaved rounds; more is better, ` +
          'in brackets the ratio to Apache';
        return [{ title, columns: Object.keys(rows[0]?.figures ?? {}), base: 'apache', rows }];
      },
    },
    {
      names: namesOf(replicated),
      async measure() {
        const title = 'PUT with 1, 2 and 3 replicas, in brackets the ratio to one';
        const rows = await byReplicas(chosen(replicated), scale);
        return [{ title, columns: ['1', '2', '3'], base: '1', rows }];
      },
    },
    { names: [disconnectionName], measure: () => withoutServers(scale, notes) },
    { names: [healingName], measure: () => healing(scale.healing) },
    { names: [coldName], measure: () => coldReads(scale.cold) },
    { names: [differencesName], measure: () => differences(scale.differences) },
    { names: [slowLinksName], measure: () => slowLinks(scale.slowLinks) },
    { names: [populatingName], measure: () => populating(scale.populating) },
    { names: [millionName], measure: () => million(scale.million) },
    { names: [largeFoldersName], measure: () => largeFolders(scale.largeFolders) },
    { names: [dumpsName], measure: () => dumps(scale.dumps) },
    { names: [tlsName], measure: () => tls(scale.tls) },
  ];
}

/** A part that fails does not take the figures of the others with it. */
async function measureParts(only: string, scale: Scale, notes: string[]): Promise<Table[]> {
  const all = parts(only, scale, notes);
  const chosen = all.filter(({ names }) => names.some((name) => name.includes(only)));
  if (chosen.length === 0) {
    const names = new Set(all.flatMap((part) => part.names));
    console.error(`bench: --only takes a part of: ${[...names].join(', ')}`);
    process.exit(2);
  }
  const tables: Table[] = [];
  for (const [index, { names, measure: measurePart }] of chosen.entries()) {
    say(`part ${index + 1} of ${chosen.length}: ${names.join(', ')}`);
    try {
      tables.push(...(await measurePart()));
    } catch (error) {
      process.exitCode = 1;
      console.error(error);
      notes.push(
        `not measured: ${names.join(', ')}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  return tables;
}

async function main(): Promise<void> {
  const values = new Command('npm run bench --')
    .description('Measures this share beside others, on this machine and in one run: ratios are what counts.')
    .option('--quick', 'small, and too few rounds to believe: does it run?')
    .option(
      '--only <word>',
      'only the parts whose names contain it; of a word that none contains all are told',
      '',
    )
    .option('--json', 'for programs')
    .showHelpAfterError('(--help lists the options)')
    .parse()
    .opts<{ readonly quick?: true; readonly only: string; readonly json?: true }>();
  const scale = values.quick ? quick : full;
  const notes: string[] = [];
  const measured = await measureParts(values.only, scale, notes);
  const [processor] = cpus();
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} x ${processor?.model ?? 'unknown'}, Node ${process.versions.node}`,
    scale: scale.name,
    seconds: performance.now() / 1000,
    notes: [...new Set(notes)],
    tables: measured,
  };
  console.log(values.json ? JSON.stringify(report, null, 2) : asText(report));
}

await main();
