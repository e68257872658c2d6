/**
 * `npm run bench [-- --quick] [--only WORD] [--json]`: our gateway beside Apache's mod_dav, nginx, rclone and
 * a bare Node server, all on this machine and in one run; then our PUT with 1, 2 and 3 replicas.
 *
 * All servers are up, one is loaded at a time; the rounds of all servers are interleaved, so that what else
 * the machine does falls on all alike. A figure is the median of its rounds. A peer that is not installed is
 * left out.
 */
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Realm } from '../realm.js';
import { apache, bareNode, lacks, nginx, rclone, type Peer, type Running } from './peers.js';
import { full, quick, replicated, titleAt, workloads, type Scale, type Workload } from './workloads.js';

interface Column {
  readonly name: string;
  readonly lists: boolean;
  readonly running: Running;
}

interface Row {
  readonly workload: string;
  readonly unit: string;
  /** By column; undefined: not measured. */
  readonly figures: Readonly<Record<string, number | undefined>>;
}

interface Report {
  readonly date: string;
  readonly machine: string;
  readonly scale: Scale;
  readonly notes: readonly string[];
  readonly peers: readonly Row[];
  readonly replicas: readonly Row[];
}

function say(text: string): void {
  console.error(`bench: ${text}`);
}

function median(figures: readonly number[]): number | undefined {
  const sorted = [...figures].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined || sorted.length % 2 === 1) return upper;
  return (upper + (sorted[middle - 1] ?? upper)) / 2;
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
  for (const workload of list) {
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
    rows.push({ workload: titleAt(workload, scale), unit: workload.unit, figures });
    const shownFigures = columns.map(({ name }) => `${name} ${shown(figures[name])}`).join(', ');
    say(`${titleAt(workload, scale)}: ${shownFigures}`);
  }
  return rows;
}

function shown(figure: number | undefined): string {
  if (figure === undefined) return '-';
  return figure >= 100 ? figure.toFixed(0) : figure.toPrecision(3);
}

/** A table in Markdown; each figure with its ratio to the first column that `base` names. */
function table(rows: readonly Row[], columns: readonly string[], base: string): string {
  const head = ['workload', 'unit', ...columns];
  const lines = rows.map(({ workload, unit, figures }) => {
    const yardstick = figures[base];
    const cells = columns.map((name) => {
      const figure = figures[name];
      if (figure === undefined || yardstick === undefined || name === base) return shown(figure);
      return `${shown(figure)} (${(figure / yardstick).toFixed(2)})`;
    });
    return [workload, unit, ...cells];
  });
  return [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
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

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
    },
  });
  const scale = values.quick ? quick : full;
  const chosen = (list: readonly Workload[]): Workload[] =>
    list.filter(({ name }) => name.includes(values.only));
  if (chosen(workloads).length === 0) {
    throw new Error(`--only takes a part of: ${workloads.map(({ name }) => name).join(', ')}`);
  }
  const notes: string[] = [];
  const peers = await besidePeers(chosen(workloads), scale, notes);
  const replicas = await byReplicas(chosen(replicated), scale);
  const [processor] = cpus();
  const machine = `${cpus().length} x ${processor?.model ?? 'unknown'}, Node ${process.versions.node}`;
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    machine,
    scale,
    notes,
    peers,
    replicas,
  };
  console.log(values.json ? JSON.stringify(report, null, 2) : asText(report));
}

function asText({ date, machine, scale, notes, peers, replicas }: Report): string {
  const columns = Object.keys(peers[0]?.figures ?? {});
  const parts = [
    `${date}, ${machine}, ${scale.name} run: medians of ${scale.rounds} interleaved rounds; ` +
      'more is better; in brackets the ratio to Apache.',
    ...notes,
    table(peers, columns, 'apache'),
  ];
  if (replicas.length > 0) {
    parts.push(
      'PUT with 1, 2 and 3 replicas, in brackets the ratio to one:',
      table(replicas, ['1', '2', '3'], '1'),
    );
  }
  return parts.join('\n\n');
}

await main();
