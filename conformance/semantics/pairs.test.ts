/**
 * Every operation against every other, done apart by two people: once by two gateways, one of them disconnected, once
 * by two sets of replicas that cannot see each other. What it comes to is the same in both, on both gateways, and
 * written down in pairs.md (`UPDATE=1` writes it anew).
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { until } from '../program.js';
import type { WebdavClient } from '../webdav-client.js';
import { accessListsOf } from './access-lists.js';
import { isEverywhere } from './everywhere.js';
import { readFolder } from '../crash/folder-reader.js';
import { emptyWorld } from '../crash/world.js';
import { outcome, pairs, prepare, type AccessLists } from './pairs.js';
import { RealmStage, untilDrained, untilVolume } from './stage.js';

t.setTimeout(1_500_000);

/** Beside the sources, not beside what was compiled of them. */
const tableFile = fileURLToPath(new URL('../../../conformance/semantics/pairs.md', import.meta.url));
const atOnce = 6;

t.test('two gateways, one of them disconnected', async (t) => {
  await tellPairs(t, async (stage, first, second) => {
    await stage.coda('disconnect', '--gateway', 'g1');
    await untilVolume(stage, 'g1', 'that it is disconnected', ({ avsg }) => avsg.length === 0);
    await first();
    await second();
    await stage.coda('reconnect', '--gateway', 'g1');
  });
});

const twoSets: Apart = async (stage, first, second) => {
  await stage.coda('servers', 'stop', 's2');
  await stage.coda('servers', 'stop', 's3');
  await untilVolume(stage, 'g1', 'that s1 is left', ({ avsg }) => avsg.length === 1);
  await first();
  // What g1 has done is on s1 alone, and it must not bring it to the others.
  await stage.coda('disconnect', '--gateway', 'g1');
  await stage.coda('servers', 'stop', 's1');
  await stage.coda('servers', 'start', 's2');
  await stage.coda('servers', 'start', 's3');
  await untilVolume(stage, 'g2', 'that s2 and s3 are there', ({ avsg }) => avsg.length === 2);
  await second();
  await stage.coda('servers', 'start', 's1');
  await untilVolume(stage, 'g2', 'all servers', ({ avsg }) => avsg.length === 3);
  await stage.coda('reconnect', '--gateway', 'g1');
};

for (const [what, open] of [
  ['two sets of replicas', () => RealmStage.open()],
  ['two sets of replicas of a group that has shrunk, grown and moved', () => RealmStage.openResized()],
] as const) {
  t.test(what, async (t) => {
    await tellPairs(t, twoSets, open);
  });
}

/** One of the two people's gateway. */
interface View {
  readonly client: WebdavClient;
  readonly access: AccessLists;
}

function viewOf(stage: RealmStage, gateway: 'g1' | 'g2'): View {
  return { client: stage.client(gateway), access: accessListsOf(stage.data, gateway, stage.share.user) };
}

type Apart = (stage: RealmStage, first: () => Promise<void>, second: () => Promise<void>) => Promise<void>;

async function tellPairs(
  t: Test,
  apart: Apart,
  open = (): Promise<RealmStage> => RealmStage.open(),
): Promise<void> {
  const stage = await open();
  t.teardown(() => stage.close());
  const [g1, g2] = [viewOf(stage, 'g1'), viewOf(stage, 'g2')];
  await inTurn(pairs, ({ folder }) => prepare(g1.client, folder));
  // Both have all of it in their caches.
  for (const { client, access } of [g1, g2])
    await inTurn(pairs, async ({ folder }) => void (await outcome(client, folder, access)));
  await apart(
    stage,
    () => inTurn(pairs, ({ folder, first }) => first.run(g1.client, folder, 'g1', g1.access)),
    () => inTurn(pairs, ({ folder, second }) => second.run(g2.client, folder, 'g2', g2.access)),
  );
  await untilDrained(stage);
  const shown = await untilSame(g1, g2);
  const lines = pairs.map(({ first, second }, index) => {
    return `| ${first.name} | ${second.name} | ${(shown[index] ?? []).map((line) => `\`${line}\``).join('<br>')} |`;
  });
  if (process.env['UPDATE'] !== undefined) await writeFile(tableFile, `${head}${lines.join('\n')}\n`);
  const written = (await readFile(tableFile, 'utf8')).split('\n');
  const unexpected = lines.filter((line) => !written.includes(line));
  t.same(unexpected, [], 'as pairs.md has it');
  await isEverywhere(t, stage, (await readFolder(g1.client, '')) ?? emptyWorld);
}

/** Resolution goes on in the background: both show the same before long, and go on showing it. */
async function untilSame(g1: View, g2: View): Promise<readonly (readonly string[])[]> {
  let before = '';
  const look = async (): Promise<readonly (readonly string[])[] | undefined> => {
    const [one, other] = [await shownBy(g1), await shownBy(g2)];
    const now = JSON.stringify(one);
    const isSettled = now === JSON.stringify(other) && now === before;
    before = now;
    return isSettled ? one : undefined;
  };
  return until('both gateways to show the same', 300_000, look, 2000);
}

async function shownBy({ client, access }: View): Promise<readonly (readonly string[])[]> {
  const shown = new Map<string, readonly string[]>();
  await inTurn(pairs, async ({ folder }) => void shown.set(folder, await outcome(client, folder, access)));
  return pairs.map(({ folder }) => shown.get(folder) ?? []);
}

async function inTurn<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const next = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

const head = `# What two operations that were done apart come to

In a folder with \`f.txt\` ("f"), \`d/in.txt\` ("in") and an empty folder \`e\`, one person does the first operation
on gateway g1, then another the second on g2; neither sees the other's. The third column is what both gateways show
when they are together again: contents behind the colon, a property in braces, access lists in brackets (of two the
stricter holds). A version or a name that a person has to decide about is \`(conflict ...)\`, with the gateway where it
was made. Written by \`pairs.test.ts\`, which fails when it is not so.

| first, on g1 | second, on g2 | what it comes to |
| --- | --- | --- |
`;
