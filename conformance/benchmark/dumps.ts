/**
 * A volume as a file and back: how long a dump takes, one of what is new where nothing is, a restore where the contents
 * are already and one that sends them; and the most memory that each command took.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codaCommand } from '../coda-command.js';
import { DirectServers } from './direct-servers.js';
import { DrivenRealm } from './driven-realm.js';
import { filesPerFolder, VolumeFiller } from './filling.js';
import { secondsSince } from './replay.js';
import { say, shown, type Row, type Table } from './report.js';

export interface DumpsScale {
  /** Files and folders of the volume, smallest first. */
  readonly objects: readonly number[];
  readonly fileBytes: number;
}

interface Cost {
  readonly seconds: number;
  /** Resident, in MB. */
  readonly most: number;
}

const lookMs = 20;

export async function dumps({ objects, fileBytes }: DumpsScale): Promise<Table[]> {
  const columns: string[] = [];
  const rows = new Map<string, Row>();
  for (const count of objects) {
    const column = `${count.toLocaleString('en')} objects`;
    columns.push(column);
    for (const [key, figure] of Object.entries(await ofVolume(count, fileBytes))) {
      const [what = '', unit = ''] = key.split(' | ');
      const row = rows.get(key) ?? { what, unit, figures: {} };
      rows.set(key, { ...row, figures: { ...row.figures, [column]: figure } });
    }
  }
  const [base = ''] = columns;
  const title =
    `Dumps of a volume with files of ${shown(fileBytes / 1000)} kB, no two alike, and restores of them; two servers ` +
    'on one disk, in brackets the ratio to the smallest';
  return [{ title, columns, base, rows: [...rows.values()] }];
}

async function ofVolume(count: number, fileBytes: number): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'coda-dumps-'));
  const realm = await DrivenRealm.start(1);
  const servers = await DirectServers.of(realm.realm.data);
  try {
    const filler = new VolumeFiller(servers, (fid) => contentsOf(fid, fileBytes));
    await filler.fillTo(count);
    await servers.settle();
    say(`${filler.objects} objects made`);
    await costOf(realm, 'server', 'add', 's2');
    const full = join(folder, 'full.dump');
    const steps: readonly (readonly [string, ...string[]])[] = [
      ['dump', 'volume', 'dump', 'root', full],
      ['dump of nothing new', 'volume', 'dump', 'root', join(folder, 'new.dump'), '--since', full],
      ['restore, contents are there', 'volume', 'restore', full, 'there', '--on', 's1'],
      ['restore, contents are sent', 'volume', 'restore', full, 'sent', '--on', 's2'],
    ];
    const bytes = (filler.objects / (filesPerFolder + 1)) * filesPerFolder * fileBytes;
    const figures: Record<string, number> = {};
    for (const [what, ...words] of steps) {
      const { seconds, most } = await costOf(realm, ...words);
      say(`${what}: ${shown(seconds)} s, ${shown(most)} MB of memory`);
      figures[`${what} | s`] = seconds;
      figures[`${what}, the most memory | MB`] = most;
      if (what === 'dump')
        figures['bytes of the file | times the contents'] = (await stat(full)).size / bytes;
    }
    return figures;
  } finally {
    servers.close();
    await realm.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** No two alike. */
function contentsOf(name: string, bytes: number): Uint8Array {
  const seed = createHash('sha256').update(name).digest();
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / seed.length) }, () => seed)).subarray(0, bytes);
}

/** Of a `coda` command, from its start to its end. @throws Error: it does not end well */
async function costOf({ realm }: DrivenRealm, ...words: readonly string[]): Promise<Cost> {
  const started = performance.now();
  const child = spawn(process.execPath, [codaCommand, ...words, '--data', realm.data], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  let most = 0;
  const looking = setInterval(() => {
    void readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').then(
      (text) => (most = Math.max(most, Number(/VmHWM:\s+(\d+) kB/.exec(text)?.[1] ?? 0) / 1000)),
      () => undefined,
    );
  }, lookMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearInterval(looking);
  if (code !== 0) throw new Error(`coda ${words.join(' ')} ended with ${code}:\n${said}`);
  return { seconds: secondsSince(started), most };
}
