/**
 * A script in the manner of the Andrew benchmark (make directories, copy, stat all, read all, compile), and
 * what a compilation does besides: pack, rename, delete temporaries. It uses the file system calls that
 * programs use, so that any error of the mount is an error of the script.
 */
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesOf } from '../clients/source-tree.js';
import { run } from '../program.js';

/** A real source tree of more than 300 files: an installed package. */
export const sourceTree = resolve(import.meta.dirname, '../../../node_modules/webdav-server');

/** Called before each part; the script goes on whatever it waits for. */
export type Progress = (part: string) => void;

export const halfWay = 'second half of the copy';

/** @throws Error when any call fails, or yields something else than was written */
export async function andrew(target: string, progress: Progress = () => undefined): Promise<void> {
  const files = await filesOf(sourceTree);
  const copy = join(target, 'src');
  progress('make directories');
  await makeDirectories(copy);
  progress('copy');
  for (const [index, file] of files.entries()) {
    if (index === Math.floor(files.length / 2)) progress(halfWay);
    await copyFile(join(sourceTree, file), join(copy, file));
  }
  progress('stat');
  await statAll(files, copy);
  progress('read');
  for (const file of files) await requireSame(join(sourceTree, file), join(copy, file));
  progress('compile');
  await compile(files, target);
  progress('pack');
  await pack(target);
  progress('rename and delete');
  await tidyUp(files, target);
}

async function makeDirectories(copy: string): Promise<void> {
  await mkdir(copy, { recursive: true });
  const entries = await readdir(sourceTree, { recursive: true, withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory());
  // A folder comes after the one that it is in.
  const paths = folders.map((entry) => join(entry.parentPath, entry.name).slice(sourceTree.length + 1));
  for (const path of paths.sort()) await mkdir(join(copy, path));
}

async function statAll(files: readonly string[], copy: string): Promise<void> {
  const there = await filesOf(copy);
  if (there.join('\n') !== files.join('\n')) {
    throw new Error(`${copy} lists ${there.length} files, ${files.length} were copied there`);
  }
  for (const file of files) {
    const [wanted, got] = [await stat(join(sourceTree, file)), await stat(join(copy, file))];
    if (wanted.size !== got.size) throw new Error(`${file} has ${got.size} bytes, not ${wanted.size}`);
  }
}

async function requireSame(wanted: string, got: string): Promise<void> {
  if (!(await readFile(wanted)).equals(await readFile(got))) throw new Error(`${got} has other bytes`);
}

/** An object file for each source, written beside and renamed, as compilers do. */
async function compile(files: readonly string[], target: string): Promise<void> {
  await mkdir(join(target, 'obj'));
  for (const [index, file] of sources(files).entries()) {
    const object = join(target, 'obj', `${index}.o`);
    const source = await readFile(join(target, 'src', file));
    await writeFile(`${object}.tmp`, gzipSync(source));
    await rename(`${object}.tmp`, object);
    if (index % 4 === 0) await writeFile(join(target, 'obj', `${index}.d`), `${index}.o: ${file}\n`);
  }
}

/** The same bytes whoever packs, and when. */
const tarSettings = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=755'];

async function pack(target: string): Promise<void> {
  const archive = join(target, 'package.tar');
  await tar([...tarSettings, '-cf', archive, '-C', target, 'obj', 'src']);
  await writeFile(join(target, 'package.list'), await tar(['-tf', archive]));
}

async function tidyUp(files: readonly string[], target: string): Promise<void> {
  await rename(join(target, 'obj'), join(target, 'build'));
  await rename(join(target, 'package.tar'), join(target, 'build', 'release 1.0.tar'));
  await rename(join(target, 'src/README.md'), join(target, 'Grüße.md'));
  const objects = sources(files).map((_, index) => index);
  for (const index of objects) {
    if (index % 4 === 0) await rm(join(target, 'build', `${index}.d`));
    if (index % 3 === 0) await rm(join(target, 'build', `${index}.o`));
  }
  await rm(join(target, 'src/lib/manager'), { recursive: true });
}

function sources(files: readonly string[]): readonly string[] {
  return files.filter((file) => file.endsWith('.js'));
}

async function tar(args: readonly string[]): Promise<string> {
  const { code, stdout, output } = await run('tar', args, { timeoutMs: 600_000 });
  // davfs2 uploads some seconds behind its user: a directory's time may change meanwhile. What is in it is compared.
  const faults = output.split('\n').filter((line) => !/^$|: file changed as we read it$/.test(line));
  if (code !== 0 && (code !== 1 || faults.length > 0))
    throw new Error(`tar ${args.join(' ')} failed: ${output}`);
  return stdout;
}
