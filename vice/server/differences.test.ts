/** Steps on contents that are here, and what a server tells of its contents: to whom, and how often it reads. */
import t from 'tap';
import { realmOf } from '../../conformance/bare-realm/gateway.js';
import { digestOf, kindOf, root, volume, type Client } from '../../conformance/bare-realm/realm.js';
import { stepHeader } from '../difference/operation-codec.js';
import { readRecipe, recipeRows } from '../difference/recipe-codec.js';
import { RecipeMaker } from '../difference/recipe.js';
import { makeFid, type FailureKind } from '../interface/index.js';
import { digestOf as digestOfBytes } from '../seam/block-digests.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { seededRandom } from '../seam/twin/seeded-random.js';
import { Recipes } from './recipes.js';

const copy = (offset: number, length: number): Buffer => stepHeader({ kind: 'copy', offset, length });
const data = (text: string): Buffer =>
  Buffer.concat([stepHeader({ kind: 'data', offset: 0, length: text.length }), Buffer.from(text)]);

async function send(
  { realm, link }: Client,
  path: string,
  start: number,
  ...steps: readonly Buffer[]
): Promise<FailureKind | 'answered'> {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield* steps;
  };
  return kindOf(realm.run(link.upload(path, start, source())));
}

t.test('steps on an older version become the new one, also in two uploads of two kinds', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const fid = await ann.file(root, 'file', 'the old contents');
  const base = digestOf('the old contents');
  const length = 'the old contents'.length;
  t.same((await client.call('bases', { volume, fids: [fid, root] })).bases, [[{ digest: base, length }], []]);

  const path = `difference/one/${fid}/${base}`;
  t.equal(await send(client, path, 0, copy(0, 4), data('new'), copy(7, 9)), 'answered');
  const text = 'the new contents';
  const offered = { digest: digestOf(text), length: text.length, transfer: 'one' };
  t.same((await client.call('offer', { volume, contents: [offered] })).contents, [
    { held: false, received: text.length },
  ]);
  t.equal(await realm.disk('s1').containers.has(digestOf(text)), true);

  const two = { ...offered, transfer: 'two' };
  await client.call('offer', { volume, contents: [two] });
  const again = `difference/two/${fid}/${base}`;
  t.equal(await send(client, again, 0, copy(0, 4), data('new').subarray(0, -1)), 'invalid', 'it ends early');
  t.same((await client.call('offer', { volume, contents: [two] })).contents, [{ held: false, received: 6 }]);
  t.equal(await send(client, again, 5, copy(0, 4)), 'invalid', 'not from any other byte');
  t.equal(await client.upload('staging/two', 6, 'w contents'), 'answered');
  t.same((await client.call('offer', { volume, contents: [two] })).contents, [
    { held: false, received: text.length },
  ]);
});

t.test('steps copy from contents of the very object, by gateways only', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const fid = await ann.file(root, 'file', 'mine');
  const other = await ann.file(root, 'other', 'a secret');
  const [mine, secret] = [digestOf('mine'), digestOf('a secret')];
  const cases: readonly (readonly [what: string, path: string, kind: string])[] = [
    ['another file', `difference/x/${fid}/${secret}`, 'not-found'],
    ['no file', `difference/x/${makeFid(volume, 99, ann.venus)}/${mine}`, 'not-found'],
    ['a folder', `difference/x/${root}/${mine}`, 'not-found'],
    ['another volume', `difference/x/${fid.replace(volume, '7f0000ff')}/${mine}`, 'stale'],
    ['no digest', `difference/x/${fid}/${mine.slice(1)}`, 'invalid'],
    ['no Fid', `difference/x/${volume}/${mine}`, 'invalid'],
    ['no transfer', `difference/../${fid}/${mine}`, 'invalid'],
    ['the file itself', `difference/x/${fid}/${mine}`, 'answered'],
  ];
  for (const [what, path, kind] of cases) t.equal(await send(client, path, 0, copy(0, 4)), kind, what);
  t.equal(await send(client, `difference/y/${fid}/${mine}`, 0, copy(0, 5)), 'invalid', 'beyond its end');

  const server = await realm.dial('s1', 'host2', 'server');
  const operator = await realm.dial('s1', 'op', 'operator');
  t.equal(await send(server, `difference/x/${fid}/${mine}`, 0, copy(0, 4)), 'access-denied');
  t.equal(await server.refusal('bases', { volume, fids: [fid] }), 'access-denied');
  t.equal(await kindOf(operator.download(`recipe/${mine}`)), 'access-denied');
  t.equal(await kindOf(operator.download(`pieces/${mine}/0-1`)), 'access-denied');

  await realm.disk('s1').containers.remove(secret);
  const { bases } = await client.call('bases', { volume, fids: [other, fid] });
  t.same(bases, [[], [{ digest: mine, length: 4 }]], 'what is not there is not told of');
});

t.test('an older version that is damaged ends an upload; what was made of it stays', async (t) => {
  const { realm, ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const text = 'x'.repeat(60_000);
  const fid = await ann.file(root, 'file', text);
  realm.disk('s1').containers.damage(digestOf(text));
  const path = `difference/one/${fid}/${digestOf(text)}`;
  const offered = { digest: digestOf('new and more'), length: 12, transfer: 'one' };
  await client.call('offer', { volume, contents: [offered] });
  t.equal(await send(client, path, 0, data('new'), copy(0, 10)), 'damaged');
  t.same((await client.call('offer', { volume, contents: [offered] })).contents, [
    { held: false, received: 3 },
  ]);
});

t.test('recipes and pieces of contents', async (t) => {
  const { ann } = await realmOf('s1');
  const client = await ann.client('s1');
  const text = Buffer.from(seededRandom(1).bytes(60_000)).toString('latin1');
  await ann.file(root, 'file', 'small');
  const digest = digestOf('small');
  t.equal(await client.download(`pieces/${digest}/1-3_0-5_4-5`), 'masmalll');
  const bad = [
    '5-6',
    '2-1',
    '1-1',
    '0-1_',
    '_0-1',
    '1',
    '-1-2',
    'a-b',
    '0-1_9-10',
    `${'0-1_'.repeat(64)}0-1`,
  ];
  for (const ranges of bad) {
    const kind = await kindOf(client.download(`pieces/${digest}/${ranges}`));
    t.ok(kind === 'invalid' || kind === 'not-found', `${ranges}: ${kind}`);
  }
  t.equal(await kindOf(client.download(`pieces/${digest}/0-1`, 1)), 'invalid', 'from the beginning only');
  t.equal(await kindOf(client.download(`pieces/${digest}`)), 'not-found');
  t.equal(await kindOf(client.download(`recipe/${digest}/0-1`)), 'not-found');
  t.equal(await kindOf(client.download(`recipe/${digestOf(text)}`)), 'not-found');
  const coded = Buffer.from(await client.download(`recipe/${digest}`), 'latin1');
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield coded;
  };
  t.equal((await readRecipe(source(), 5)).count, 1);
});

/** Containers that count how often they are read, and wait before each block until they are told. */
class WatchedContainers extends MemoryContainers {
  reads = 0;
  blocks = 0;
  gate: Promise<void> = Promise.resolve();

  override async read(digest: string, start?: number, end?: number): Promise<AsyncIterable<Uint8Array>> {
    this.reads += 1;
    return this.#gated(await super.read(digest, start, end));
  }

  async *#gated(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const block of source) {
      await this.gate;
      this.blocks += 1;
      yield block;
    }
  }
}

async function stored(containers: MemoryContainers, bytes: Uint8Array): Promise<string> {
  const spool = await containers.spool();
  await spool.write(bytes);
  return (await spool.commit()).digest;
}

t.test('a recipe is made once for all who ask, told as it is made, and kept', async (t) => {
  const containers = new WatchedContainers();
  const bytes = seededRandom(2).bytes(3_000_000);
  const digest = await stored(containers, bytes);
  t.equal(digest, digestOfBytes(bytes));
  const recipes = new Recipes(containers);
  let open: () => void = () => undefined;
  containers.gate = new Promise((resolve) => (open = resolve));
  const asked = await Promise.all(Array.from({ length: 5 }, () => recipes.read(digest)));
  const [first] = asked.map((source) => source[Symbol.asyncIterator]());
  t.equal((await first?.next())?.value.length, 8, 'the header comes before anything was read');
  open();
  const expected = new RecipeMaker();
  expected.push(bytes);
  expected.end();
  for (const source of asked.slice(1)) {
    const read = await readRecipe(source, bytes.length);
    t.ok(recipeRows(read).equals(recipeRows(expected.recipe)));
  }
  t.equal(containers.reads, 1);
  t.ok(recipeRows(await readRecipe(await recipes.read(digest), bytes.length)).length > 0);
  t.equal(containers.reads, 1, 'and kept');
});

t.test('no more than two are made at once; what nobody waits for is not made', async (t) => {
  const containers = new WatchedContainers();
  const digests = [];
  for (const seed of [1, 2, 3]) digests.push(await stored(containers, seededRandom(seed).bytes(3_000_000)));
  const [one = '', two = '', three = ''] = digests;
  const recipes = new Recipes(containers);
  let open: () => void = () => undefined;
  containers.gate = new Promise((resolve) => (open = resolve));
  const first = (await recipes.read(one))[Symbol.asyncIterator]();
  await first.next();
  const second = await recipes.read(two);
  t.equal(await kindOf(recipes.read(three)), 'busy');
  await first.return?.();
  open();
  t.ok((await readRecipe(second, 3_000_000)).count > 0);
  t.ok(containers.blocks < 2 * 12, `${containers.blocks} blocks were read`);
  t.ok((await readRecipe(await recipes.read(three), 3_000_000)).count > 0, 'there is room again');
  t.equal(await kindOf(recipes.read('0'.repeat(64))), 'not-found');
});

t.test(
  'a container that turns out damaged has no recipe, and the next one who asks is told so too',
  async (t) => {
    const containers = new WatchedContainers();
    const digest = await stored(containers, seededRandom(1).bytes(3_000_000));
    containers.damage(digest, 2_000_000);
    const recipes = new Recipes(containers);
    t.equal(await kindOf(readRecipe(await recipes.read(digest), 3_000_000)), 'damaged');
    t.equal(await kindOf(recipes.read(digest)), 'not-found');
  },
);
