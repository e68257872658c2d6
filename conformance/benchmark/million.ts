/**
 * Very many objects in a volume and in a cache: how long a start takes and how much memory, a look-up, a listing, a new
 * file, an eviction, and what it costs to find out what has changed meanwhile.
 */
import { readFile } from 'node:fs/promises';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realmPaths } from '../../gateway/realm/realm-folder.js';
import { makeFid, makeStoreId, realmDocumentSchema, type Mutation } from '../../vice/interface/index.js';
import { findProgram, run } from '../program.js';
import { WebdavClient } from '../webdav-client.js';
import { DirectServers } from './direct-servers.js';
import { callsBetween, DrivenRealm, total } from './driven-realm.js';
import { filesPerFolder, fileName, fillingVenus, fillMillion, folderName } from './million-filling.js';
import { median, say, shown, type Row, type Table } from './report.js';
import { Turns } from './turns.js';

export interface MillionScale {
  /** Folders of a thousand files, each the double of the one before. */
  readonly folders: readonly number[];
}

const lookups = 200;
const listings = 20;
const creations = 20;
const changed = 10;
const megabyte = 1024;
const roles = { gateway: 'gateway', server: 'vice' } as const;

type Figures = Record<string, number>;

export async function million({ folders }: MillionScale): Promise<Table[]> {
  const measured: Figures[] = [];
  for (const count of folders) measured.push(await withFolders(count));
  const columns = folders.map((count) => `${(count * filesPerFolder).toLocaleString('en')} files`);
  const rows = Object.keys(measured[0] ?? {}).map((key): Row => {
    const [what = '', unit = ''] = key.split(' | ');
    const figures = measured.map((each, index) => [columns[index] ?? '', each[key]] as const);
    return { what, unit, figures: Object.fromEntries(figures) };
  });
  return [{ title: 'Many files in a volume and in a cache, one server', columns, rows }];
}

async function withFolders(count: number): Promise<Figures> {
  const data = await mkdtemp(join(tmpdir(), 'coda-million-'));
  const turns = await Turns.start();
  const options = { data, environment: turns.environment };
  try {
    const first = await DrivenRealm.start(1, 1, options);
    const [gateway] = first.realm.ready.gateways;
    await first.stop();
    if (gateway === undefined) throw new Error('a realm has a gateway');
    const paths = realmPaths(data);
    const document = realmDocumentSchema.parse(JSON.parse(await readFile(paths.realm, 'utf8')));
    const [server] = document.servers;
    const places = { server: paths.server(server?.name ?? ''), gateway: paths.gateway(gateway.name) };
    await fillMillion(document, places, count);
    say(`${count * filesPerFolder} files are there`);
    const started = performance.now();
    let realm: DrivenRealm | undefined;
    const figures: Figures = {};
    const { of } = await turns.during(async () => (realm = await DrivenRealm.start(1, 1, options)));
    if (realm === undefined) throw new Error('it was started');
    try {
      figures['start of all processes | s'] = (performance.now() - started) / 1000;
      noteTurns(figures, 'start', of);
      await noteMemory(figures, 'after the start', realm);
      await inUse(realm, turns, figures, count);
    } finally {
      await realm.stop();
    }
    return figures;
  } finally {
    await turns.stop();
    await rm(data, { recursive: true, force: true });
    await rm(`${data}.ready.json`, { force: true });
  }
}

async function inUse(realm: DrivenRealm, turns: Turns, figures: Figures, count: number): Promise<void> {
  const { url, user, password } = realm.target;
  const client = new WebdavClient(url, user, password, 1);
  const measure = async (
    what: string,
    times: number,
    each: (index: number) => Promise<unknown>,
  ): Promise<void> => {
    const spent: number[] = [];
    const { of } = await turns.during(async () => {
      for (let index = 0; index < times; index += 1) {
        const started = performance.now();
        await each(index);
        spent.push(performance.now() - started);
      }
    });
    figures[`${what} | ms`] = median(spent) ?? 0;
    noteTurns(figures, what, of);
  };
  try {
    const spread = (index: number, times: number): number => Math.floor((index * count) / times) % count;
    await measure('look-up of a file', lookups, (index) => {
      const name = fileName((index * 37) % filesPerFolder);
      return must(client, 'PROPFIND', `/${folderName(spread(index, lookups))}/${name}`, '0');
    });
    await measure('listing of 1,000 names', listings, (index) =>
      must(client, 'PROPFIND', `/${folderName(spread(index + 1, listings + 1))}/`, '1'),
    );
    await measure('a new file', creations, (index) =>
      must(client, 'PUT', `/${folderName(spread(index, creations))}/new-${index}.txt`),
    );
    await measure('coming back, 10 files changed', 1, () => comeBack(realm, figures, count));
    await measure('listing all folders', Math.min(count, 400), (index) =>
      must(client, 'PROPFIND', `/${folderName(index)}/`, '1'),
    );
    await noteMemory(figures, 'when 400,000 files were looked at', realm);
    const { cache } = await realm.gatewayStatus();
    const half = Math.floor((cache?.bytes ?? 0) / 2);
    await measure('evicting half of the files', 1, () => realm.realm.coda('cache', 'limit', `${half}`));
    await noteMemory(figures, 'at the end', realm);
  } finally {
    await client.close();
  }
}

/** Ten files, each in a folder of its own, change while the gateway is away. */
async function comeBack(realm: DrivenRealm, figures: Figures, count: number): Promise<void> {
  await realm.disconnect();
  const direct = await DirectServers.of(realm.realm.data);
  const [server] = direct.names;
  const volume = direct.document.rootVolume;
  const last = count * (filesPerFolder + 1);
  for (let index = 0; index < changed; index += 1) {
    const at = Math.floor((index * count) / changed) * (filesPerFolder + 1) + 2;
    const fid = makeFid(volume, at + 1, fillingVenus);
    const storeId = makeStoreId(fillingVenus, last + index + 1);
    const base = { [fid]: { [fillingVenus]: at } };
    const common = { storeId, time: Date.now(), author: 'bench', host: 'bench', base };
    const record: Mutation = { op: 'utimes', ...common, fid, modified: Date.now() };
    const argument = {
      volume,
      records: [record],
      inline: {},
      transfers: {},
      watermark: last + index + 1,
      cop2: [],
    };
    const reply = await direct.call(server ?? '', 'gateway', 'mutate', argument);
    if (reply.outcome !== 'applied') throw new Error(`refused: ${JSON.stringify(reply)}`);
  }
  direct.close();
  const before = await realm.quiet();
  const began = await linkBytes(realm);
  const started = performance.now();
  await realm.reconnect();
  await realm.connected();
  figures['coming back: until connected | s'] = (performance.now() - started) / 1000;
  const { url, user, password } = realm.target;
  const client = new WebdavClient(url, user, password, 1);
  for (let index = 0; index < changed; index += 1) {
    const folder = folderName(Math.floor((index * count) / changed));
    await must(client, 'PROPFIND', `/${folder}/`, '1');
  }
  await must(client, 'PROPFIND', `/${folderName(1)}/`, '1');
  await client.close();
  figures['coming back: and 11 folders listed, 10 files changed | s'] = (performance.now() - started) / 1000;
  figures['coming back: bytes on the link | kB'] = ((await linkBytes(realm)) - began) / 1000;
  const calls = callsBetween(before, await realm.quiet());
  figures['coming back: calls | calls'] = total(calls);
  say(`coming back: ${JSON.stringify([...calls].map(([name, each]) => [name, Object.fromEntries(each)]))}`);
}

/** Bytes that the server's connections have sent and received so far, as the kernel counts them; NaN without `ss`. */
async function linkBytes(realm: DrivenRealm): Promise<number> {
  const address = (await DirectServers.of(realm.realm.data)).document.servers[0]?.address ?? '';
  if (findProgram('ss') === undefined) return NaN;
  const { stdout } = await run('ss', ['-tinH', 'sport', '=', `:${new URL(address).port}`]);
  let bytes = 0;
  for (const [, count] of stdout.matchAll(/bytes_(?:sent|received):(\d+)/g)) bytes += Number(count);
  return bytes;
}

function noteTurns(
  figures: Figures,
  what: string,
  of: (role: string) => { longest: number; over10: number },
): void {
  for (const [name, role] of Object.entries(roles)) {
    const { longest, over10 } = of(role);
    figures[`${what}: longest turn of the ${name} | ms`] = longest;
    figures[`${what}: turns of the ${name} over 10 ms | turns`] = over10;
  }
  const [gateway, server] = [of(roles.gateway), of(roles.server)];
  const words = [gateway, server].map(({ longest, over10 }) => `${shown(longest)} ms (${over10} over 10)`);
  say(`${what}: ${shown(figures[`${what} | ms`])} ms; longest turns ${words.join(', ')}`);
}

async function noteMemory(figures: Figures, when: string, { realm }: DrivenRealm): Promise<void> {
  const { gateways, servers } = realm.ready;
  for (const [name, list] of [
    ['gateway', gateways],
    ['server', servers],
  ] as const) {
    const status = await readFile(`/proc/${list[0]?.pid ?? 0}/status`, 'utf8');
    const most = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0);
    // Pages of the store's file that are mapped are the kernel's cache, not the process's memory.
    figures[`memory of the ${name}, ${when} | MB`] = most('RssAnon') / megabyte;
    say(
      `${name} ${when}: ${shown(most('RssAnon') / megabyte)} MB of its own, ${shown(most('VmHWM') / megabyte)} at most`,
    );
  }
}

async function must(client: WebdavClient, method: string, path: string, depth = '0'): Promise<void> {
  const body = method === 'PUT' ? { body: 'new' } : {};
  const { status } = await client.request(method, path, { headers: { depth }, ...body, timeoutMs: 120_000 });
  if (status < 200 || status > 299) throw new Error(`${method} ${path} answered ${status}`);
}
