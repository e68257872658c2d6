/**
 * The story that every kind of outage must survive: a script works on a mount of gateway g1; from the middle
 * of its copy on there is no server; it ends without having noticed. Then the servers return.
 */
import { appendFile, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Davfs2Mount } from '../clients/davfs2-mount.js';
import { differences, filesOf } from '../clients/source-tree.js';
import type { Stopwatch } from '../clients/stopwatch.js';
import { markNamespace, readFolder } from '../crash/folder-reader.js';
import { compare, type Item, type World } from '../crash/world.js';
import { until } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { andrew, halfWay, sourceTree } from './andrew.js';
import { escaped, read, succeed } from './exchange.js';
import { isEverywhere } from './everywhere.js';
import { untilDrained, untilVolume, type Stage } from './stage.js';
import { below, worldOfFolder } from './worlds.js';

/** What gateway g1 has of a folder that g2 made. */
const seen = { folder: 'seen', count: 12, read: 'file 3.txt', unread: 'file 4.txt' } as const;
const unseen = { folder: 'unseen', file: 'file 1.txt' } as const;

/** Mounts of gateway g1. */
export interface Mounts {
  mount(): Promise<Davfs2Mount>;
}

export async function tellOutage(
  t: Test,
  stage: Stage,
  mounts: Mounts,
  expected: string,
  watch: Stopwatch,
): Promise<void> {
  const [g1, g2] = [stage.client('g1'), stage.client('g2')];
  const mount = await mounts.mount();
  const project = join(mount.folder, 'project');
  t.ok((await filesOf(sourceTree)).length >= 300, 'the source tree has at least 300 files');
  await makeFolders(g2, expected);
  await lookAtSome(t, g1);
  await mkdir(join(expected, 'project'));
  await andrew(join(expected, 'project'));
  await mkdir(project);

  let lost: Promise<void> | undefined;
  await andrew(project, (part) => {
    // While a file is on its way, not between two.
    if (part === halfWay) lost = stage.loseServers();
    watch.lap(`(before: ${part})`);
  });
  await lost;
  watch.lap('the script, from half way without servers');
  const volume = await untilVolume(stage, 'g1', 'that no server is left', ({ avsg }) => avsg.length === 0);
  t.equal(volume.state, 'emulating');
  t.ok(volume.pendingRecords > 300, `${volume.pendingRecords} records wait`);
  t.equal(volume.keptRecords, 0);

  const marks = await setMarks(t, g1);
  await isHonest(t, g1);
  const wanted = below(await expectedWorld(expected, marks), 'project');
  t.same(compare(wanted, (await readFolder(g1, '/project')) ?? new Map()), [], 'g1 shows all of it');
  const second = await mounts.mount();
  const shown = await differences(join(expected, 'project'), join(second.folder, 'project'));
  t.same(shown, [], 'and so does a mount that was made without servers');
  await second.unmount();
  watch.lap('everything read without servers, twice');

  await stage.regainServers();
  await workUntilDrained(stage, [join(expected, 'project'), project], watch);
  t.equal(await read(g1, `/${unseen.folder}/${unseen.file}`), 'unseen 1\n', 'what was not cached is back');
  t.same(await readdir(join(mount.folder, 'lost+found')), [], 'davfs2 had to give up no file');
  await mount.unmount();
  await untilDrained(stage);
  await isEverywhere(t, stage, await expectedWorld(expected, marks));
  watch.lap('gateways and replicas compared');
}

/** By g2: two folders, of which g1 has listed one and read one file. */
async function makeFolders(g2: WebdavClient, expected: string): Promise<void> {
  for (const { folder } of [seen, unseen]) {
    await mkdir(join(expected, folder));
    await succeed(g2, 'MKCOL', `/${folder}`);
    for (let index = 0; index < seen.count; index += 1) {
      const [name, text] = [`file ${index}.txt`, `${folder} ${index}\n`];
      await writeFile(join(expected, folder, name), text);
      await succeed(g2, 'PUT', `/${folder}/${name}`, text);
    }
  }
}

async function lookAtSome(t: Test, g1: WebdavClient): Promise<void> {
  // A break is on its way to g1: the folder is asked for until it shows what g2 was told.
  const all = async (): Promise<true | undefined> => {
    const { status } = await g1.request('PROPFIND', `/${seen.folder}/`, { headers: { depth: '0' } });
    return status === 207 && (await g1.list(`/${seen.folder}/`)).length === seen.count ? true : undefined;
  };
  await until('g1 to list what g2 made', 60_000, all);
  t.equal(await read(g1, `/${seen.folder}/${seen.read}`), 'seen 3\n');
}

/** Without servers: what is there is shown whole, what is not is refused, and soon. */
async function isHonest(t: Test, g1: WebdavClient): Promise<void> {
  t.equal(await read(g1, `/${seen.folder}/${seen.read}`), 'seen 3\n', 'what was read can be read');
  t.equal((await g1.list(`/${seen.folder}/`)).length, seen.count, 'what was listed is listed whole');
  const depth = { headers: { depth: '1' } };
  const root = await g1.list('/');
  for (const name of ['project', seen.folder, unseen.folder]) {
    t.ok(root.includes(`/${name}/`), `the root shows ${name}`);
  }
  const refused: readonly (readonly [string, string])[] = [
    ['GET', `/${seen.folder}/${seen.unread}`],
    ['GET', `/${unseen.folder}/${unseen.file}`],
    ['GET', `/${unseen.folder}/no such file`],
    ['PROPFIND', `/${unseen.folder}/`],
  ];
  for (const [method, path] of refused) {
    // The client gives up after half a minute: an answer that takes longer is a hang.
    const { status, headers } = await g1.request(method, escaped(path), method === 'PROPFIND' ? depth : {});
    t.equal(status, 503, `${method} ${path}: nobody knows`);
    t.match(headers['retry-after'], /^\d+$/, 'and the client is told to come again');
  }
}

const marked = ['project', 'project/src/package.json', 'project/build/release 1.0.tar'];

/** @returns path -> mark, as it must be seen everywhere */
async function setMarks(t: Test, g1: WebdavClient): Promise<ReadonlyMap<string, string>> {
  const marks = new Map<string, string>();
  for (const path of marked) {
    const value = `made without servers: ${marks.size}`;
    const mark = `<M:mark xmlns:M="${markNamespace}">${value}</M:mark>`;
    const body = `<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>${mark}</D:prop></D:set></D:propertyupdate>`;
    const headers = { 'content-type': 'application/xml' };
    const reply = await g1.request('PROPPATCH', escaped(`/${path}`), { headers, body });
    t.match(reply.body.toString(), / 200 /, `a property of ${path}`);
    marks.set(path, value);
  }
  return marks;
}

async function expectedWorld(expected: string, marks: ReadonlyMap<string, string>): Promise<World> {
  const world = new Map<string, Item>(await worldOfFolder(expected));
  for (const [path, mark] of marks) {
    const item = world.get(path);
    if (item === undefined) throw new Error(`${path} is not there to be marked`);
    world.set(path, { ...item, mark });
  }
  return world;
}

const changesWhileReplaying = 20;

/** The log drains by itself, and the mount can be used meanwhile; what is done there is done to both folders. */
async function workUntilDrained(stage: Stage, folders: readonly string[], watch: Stopwatch): Promise<void> {
  let drained = false;
  const draining = untilDrained(stage).finally(() => (drained = true));
  draining.catch(() => undefined);
  for (let count = 0; count < changesWhileReplaying || !drained; count += 1) {
    for (const folder of folders) {
      await writeFile(join(folder, 'diary.txt'), `written ${count} times\n`);
      if (count === 0) await cp(join(folder, 'build'), join(folder, 'build again'), { recursive: true });
      await appendFile(join(folder, 'src/package.json'), `${count}\n`);
    }
    // It would never be drained while somebody writes without a pause.
    if (count >= changesWhileReplaying) await new Promise((resolve) => setTimeout(resolve, 3_000));
  }
  await draining;
  watch.lap('the log has been replayed');
}
