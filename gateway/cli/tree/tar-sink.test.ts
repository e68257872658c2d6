/** A tar that is broken off, and gone on with: what is whole stays, and nothing else. */
import { existsSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ContentsDigest } from '../../../venus/archive/contents-digest.js';
import type { TreeObject } from '../../realm/tree-object.js';
import { TarSink } from './tar-sink.js';

/** Name -> contents; null: a folder. */
type Tree = Readonly<Record<string, string | null>>;

const some: Tree = {
  a: 'a'.repeat(700_000),
  b: '',
  c: 'c'.repeat(512),
  d: null,
  'd/e': 'e',
  'd/f': 'f'.repeat(1000),
};

function objectOf(contents: string | null, modified = 1_700_000_000_000): TreeObject {
  const sum = new ContentsDigest();
  sum.add(Buffer.from(contents ?? ''));
  return {
    fid: '7f000001.2.1',
    kind: contents === null ? 'directory' : 'file',
    length: contents?.length ?? 0,
    version: null,
    digest: contents === null ? null : sum.end(),
    modified,
    target: null,
    properties: {},
  };
}

interface Outcome {
  /** What became of each. */
  readonly placed: Readonly<Record<string, string>>;
  /** Whose contents were asked for. */
  readonly read: readonly string[];
}

/** Writes `tree`, but breaks off in the contents of `breaksAt`. */
async function exported(file: string, tree: Tree, breaksAt?: string): Promise<Outcome> {
  const sink = await TarSink.open(file, false, () => undefined);
  const placed: Record<string, string> = {};
  const read: string[] = [];
  const bytes = async function* (path: string, contents: string): AsyncGenerator<Uint8Array> {
    read.push(path);
    yield Buffer.from(contents.slice(0, 100));
    if (path === breaksAt) throw new Error('broken off');
    yield Buffer.from(contents.slice(100));
  };
  try {
    for (const [path, contents] of Object.entries(tree)) {
      const names = path.split('/');
      placed[path] =
        contents === null
          ? await sink.folder(names, objectOf(null))
          : await sink.file(names, objectOf(contents), bytes(path, contents));
    }
    await sink.end();
  } catch {
    await sink.abort();
  }
  return { placed, read };
}

/** The tar of `tree`, written at once. */
async function atOnce(t: Test, tree: Tree): Promise<Buffer> {
  const file = join(t.testdir({}), 'whole.tar');
  await exported(file, tree);
  return readFileSync(file);
}

function parts(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.part'));
}

t.test('broken off in any member, it goes on from there', async (t) => {
  const whole = await atOnce(t, some);
  for (const breaksAt of ['a', 'c', 'd/e', 'd/f']) {
    const folder = t.testdir({});
    const file = join(folder, 'all.tar');
    await exported(file, some, breaksAt);
    t.notOk(existsSync(file), 'it has no name yet');
    t.equal(parts(folder).length, breaksAt === 'a' ? 0 : 1, 'what is whole stays, if anything is');
    const { placed, read } = await exported(file, some);
    const files = Object.keys(some).filter((path) => some[path] !== null);
    t.same(read, files.slice(files.indexOf(breaksAt)), `${breaksAt}: only what was not there is read`);
    t.equal(placed['b'], breaksAt === 'a' ? 'copied' : 'same');
    t.ok(readFileSync(file).equals(whole), 'it is as if it had been written at once');
    t.same(parts(folder), [], 'nothing is left beside it');
  }
});

t.test('what has changed meanwhile, and all behind it, is written anew', async (t) => {
  const changes: readonly [string, Tree][] = [
    ['other contents of the same length', { ...some, a: 'x'.repeat(700_000) }],
    ['one more in the middle', { a: some['a'] ?? '', aa: 'new', b: '', c: 'c'.repeat(512), d: null }],
    ['one less', { b: '', c: 'c'.repeat(512) }],
    ['only the first', { a: some['a'] ?? '' }],
    ['nothing', {}],
  ];
  for (const [what, tree] of changes) {
    const whole = await atOnce(t, tree);
    const folder = t.testdir({});
    const file = join(folder, 'all.tar');
    await exported(file, some, 'd/f');
    await exported(file, tree);
    t.ok(readFileSync(file).equals(whole), what);
    t.same(parts(folder), []);
  }
});

t.test('what is damaged, or was not flushed, is not taken for whole', async (t) => {
  const whole = await atOnce(t, some);
  for (const [what, harm] of [
    ['a byte of a header', (bytes: Buffer) => bytes.fill(7, 3, 4)],
    ['a byte of contents', (bytes: Buffer) => bytes.fill(7, 1000, 1001)],
    ['a byte behind contents', (bytes: Buffer) => bytes.fill(7, 512 + 700_001, 512 + 700_002)],
    ['its end is zeros', (bytes: Buffer) => bytes.fill(0, 300_000)],
    ['it is cut', (bytes: Buffer) => bytes.subarray(0, 300_001)],
  ] as const) {
    const folder = t.testdir({});
    const file = join(folder, 'all.tar');
    await exported(file, some, 'd/f');
    const part = join(folder, parts(folder)[0] ?? '');
    writeFileSync(part, harm(readFileSync(part)));
    const { read } = await exported(file, some);
    t.equal(read[0], 'a', `${what}: it is read again`);
    t.ok(readFileSync(file).equals(whole), what);
  }
});

t.test('what another export is at is left alone; what several have left is cleared away', async (t) => {
  const folder = t.testdir({});
  const file = join(folder, 'all.tar');
  await exported(file, some, 'd/f');
  const [own = ''] = parts(folder);
  const foreign = 'all.tar.0123456789ab.part';
  const old = 'all.tar.ba9876543210.part';
  for (const name of [foreign, old]) writeFileSync(join(folder, name), 'something');
  utimesSync(join(folder, old), 1, 1);
  t.not(own, foreign);
  const { placed } = await exported(file, some);
  t.equal(placed['a'], 'same');
  t.same(parts(folder), [foreign], 'another machine may be at it');
});
