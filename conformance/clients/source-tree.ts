/**
 * A real source tree of more than 1,000 files: the installed packages zod and undici, and a few files that
 * are hard for other reasons. A day's work on it, the same every time, and a comparison that looks at every
 * byte.
 */
import { appendFile, cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

const packages = resolve(import.meta.dirname, '../../../node_modules');

/** Makes the tree in `folder`, which is new. @returns how many files it has */
export async function makeSourceTree(folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  for (const name of ['zod', 'undici'])
    await cp(join(packages, name), join(folder, name), { recursive: true });
  for (const [name, contents] of hardFiles()) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), contents);
  }
  const files = await filesOf(folder);
  if (files.length < 1_000) throw new Error(`the tree has only ${files.length} files; choose more packages`);
  return files.length;
}

function hardFiles(): (readonly [string, Uint8Array])[] {
  const pattern = Uint8Array.from(
    { length: 3 * 1024 * 1024 + 17 },
    (_, index) => (index * 31 + (index >> 8)) & 255,
  );
  return [
    ['hard/empty', new Uint8Array()],
    ['hard/large.bin', pattern],
    ['hard/two words & more.txt', Buffer.from('ampersand and spaces\n')],
    ['hard/Grüße (größer) 100%.txt', Buffer.from('umlauts, brackets, a percent sign\n')],
    ['hard/日本/読む.txt', Buffer.from('three bytes a character\n')],
    ["hard/it's #1; really?.txt", Buffer.from('characters that mean something in URLs and shells\n')],
  ];
}

/** Paths of all files below `folder`, sorted. */
export async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/**
 * The day's work, on any folder that holds the tree: files grow, change in place, are replaced in the way of
 * editors (written beside, renamed over), renamed, moved, deleted; folders are renamed. `halfway` is called
 * in the middle.
 * @returns the files whose length has stayed the same
 */
export async function workOn(folder: string, halfway = async (): Promise<void> => {}): Promise<string[]> {
  const files = (await filesOf(folder)).filter((file) => !file.startsWith('hard/'));
  const every = (step: number, offset: number): string[] =>
    files.filter((_, index) => index % step === offset);
  for (const file of every(20, 1)) await appendFile(join(folder, file), `\n// one line more in ${file}\n`);
  for (const file of every(20, 2)) await changeInPlace(join(folder, file));
  for (const file of every(40, 3)) await replace(join(folder, file));
  await halfway();
  for (const file of every(40, 4)) await rename(join(folder, file), join(folder, `${file}.renamed`));
  await mkdir(join(folder, 'moved/deep'), { recursive: true });
  for (const [index, file] of every(40, 5).entries())
    await rename(join(folder, file), join(folder, `moved/deep/${index}`));
  for (const file of every(40, 6)) await rm(join(folder, file));
  await rename(join(folder, 'zod/src'), join(folder, 'zod/source of zod'));
  await rename(join(folder, 'undici/docs'), join(folder, 'moved/docs'));
  await rm(join(folder, 'undici/types'), { recursive: true });
  const there = new Set(await filesOf(folder));
  return every(20, 2).filter((file) => there.has(file));
}

/** Other bytes, the same length. */
async function changeInPlace(path: string): Promise<void> {
  const contents = await readFile(path);
  await writeFile(
    path,
    contents.map((byte) => (byte === 0x65 ? 0x45 : byte)),
  );
}

async function replace(path: string): Promise<void> {
  const contents = await readFile(path);
  await writeFile(`${path}.new`, Buffer.concat([Buffer.from('// replaced\n'), contents]));
  await rename(`${path}.new`, path);
}

/** One sentence for each difference between two trees, at most ten; folders count only by their files. */
export async function differences(expected: string, got: string): Promise<string[]> {
  const [left, right] = await Promise.all([filesOf(expected), filesOf(got)]);
  const there = new Set(right);
  const wanted = new Set(left);
  const found = [
    ...left.filter((file) => !there.has(file)).map((file) => `${file} is missing`),
    ...right.filter((file) => !wanted.has(file)).map((file) => `${file} should not be there`),
  ];
  for (const file of left) {
    if (found.length >= 10) break;
    if (!there.has(file)) continue;
    const [first, second] = await Promise.all([readFile(join(expected, file)), readFile(join(got, file))]);
    if (!first.equals(second))
      found.push(`${file} differs: ${first.length} bytes expected, ${second.length} there`);
  }
  return found.slice(0, 10);
}
