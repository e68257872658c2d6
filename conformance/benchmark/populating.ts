/**
 * A new replica of a volume that is full: how long until it is a member of the group, and what goes over the cable;
 * beside it copying the same files with what administrators have (`cp`, `rsync`), flushed at the end.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Fid } from '../../vice/interface/index.js';
import { findProgram, run } from '../program.js';
import { DirectServers } from './direct-servers.js';
import { DrivenRealm } from './driven-realm.js';
import { filesPerFolder, VolumeFiller } from './filling.js';
import { secondsSince } from './replay.js';
import { say, shown, type Row, type Table } from './report.js';

export interface PopulatingScale {
  /** Files and folders of the volume, smallest first. */
  readonly objects: readonly number[];
  readonly fileBytes: number;
}

const withinMs = 1_800_000;
const copiers = { cp: ['-r'], rsync: ['-a'] } as const;

export async function populating({ objects, fileBytes }: PopulatingScale): Promise<Table[]> {
  const columns: string[] = [];
  const rows = new Map<string, Row>();
  for (const count of objects) {
    const column = `${count.toLocaleString('en')} objects`;
    columns.push(column);
    for (const [key, figure] of Object.entries(await withObjects(count, fileBytes))) {
      const [what = '', unit = ''] = key.split(' | ');
      const row = rows.get(key) ?? { what, unit, figures: {} };
      rows.set(key, { ...row, figures: { ...row.figures, [column]: figure } });
    }
  }
  const [base = ''] = columns;
  const title =
    `A new replica of a volume with files of ${shown(fileBytes / 1000)} kB, two servers on one disk, in brackets the ` +
    'ratio to the smallest';
  return [{ title, columns, base, rows: [...rows.values()] }];
}

async function withObjects(count: number, fileBytes: number): Promise<Record<string, number | undefined>> {
  const figures: Record<string, number | undefined> = {};
  const realm = await DrivenRealm.start(1);
  const servers = await DirectServers.of(realm.realm.data);
  try {
    const filler = new VolumeFiller(servers, (fid) => contentsOf(fid, fileBytes));
    await filler.fillTo(count);
    say(`${filler.objects} objects made`);
    await must(realm, 'server', 'add', 's2');
    const sent = await sentBytes(servers);
    const started = performance.now();
    await must(realm, 'volume', 'replica', 'add', 'root', 's2');
    const seconds = secondsSince(started);
    const bytes = (filler.objects - filler.objects / (filesPerFolder + 1)) * fileBytes;
    figures['until the new replica is a member | s'] = seconds;
    figures['of it, contents | MB/s'] = bytes / seconds / 1e6;
    figures['bytes that the old one sent | times the contents'] = ((await sentBytes(servers)) - sent) / bytes;
    say(`new replica: ${shown(seconds)} s for ${shown(bytes / 1e6)} MB`);
    const copied = await copies(filler.objects, fileBytes);
    for (const [program, took] of Object.entries(copied)) figures[`${program}, flushed | s`] = took;
    return figures;
  } finally {
    servers.close();
    await realm.stop();
  }
}

/** No two alike. */
function contentsOf(name: string, bytes: number): Uint8Array {
  const seed = createHash('sha256').update(name).digest();
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / seed.length) }, () => seed)).subarray(0, bytes);
}

/** Seconds that each program takes for as many files of that size, and their flush. */
async function copies(objects: number, fileBytes: number): Promise<Record<string, number | undefined>> {
  const folder = await mkdtemp(join(tmpdir(), 'coda-copies-'));
  try {
    const source = join(folder, 'source');
    for (let made = 0; made < objects; made += filesPerFolder + 1) {
      const inner = join(source, `${made}`);
      await mkdir(inner, { recursive: true });
      const names = Array.from({ length: filesPerFolder }, (_, index) => `${index}`);
      await Promise.all(
        names.map((name) => writeFile(join(inner, name), contentsOf(`${made} ${name}` as Fid, fileBytes))),
      );
    }
    await run('sync', ['-f', source]);
    const seconds: Record<string, number | undefined> = {};
    for (const [program, options] of Object.entries(copiers)) {
      if (findProgram(program) === undefined) continue;
      const target = join(folder, program);
      const started = performance.now();
      await run(program, [...options, `${source}/`, target], { timeoutMs: withinMs });
      await run('sync', ['-f', target], { timeoutMs: withinMs });
      seconds[program] = secondsSince(started);
      say(`${program}: ${shown(seconds[program])} s`);
    }
    return seconds;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** By the first server's connections, as the kernel counts them; NaN without `ss`. */
async function sentBytes({ document }: DirectServers): Promise<number> {
  if (findProgram('ss') === undefined) return NaN;
  const { port } = new URL(document.servers[0]?.address ?? '');
  const { stdout } = await run('ss', ['-tinH', 'sport', '=', `:${port}`]);
  return [...stdout.matchAll(/bytes_sent:(\d+)/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

async function must(realm: DrivenRealm, ...words: readonly string[]): Promise<void> {
  const { code, output } = await realm.realm.coda(...words);
  if (code !== 0) throw new Error(`coda ${words.join(' ')} ended with ${code}:\n${output}`);
}
