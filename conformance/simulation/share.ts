/** A gateway as a script uses it: whole files by path. */
import {
  isFailure,
  type Caller,
  type ObjectStatus,
  type OpenFile,
  type Place,
  type Venus,
} from '../../venus/interface.js';

/** Who does it, where nobody else is named. */
export const caller: Caller = { user: 'ann' };

export function pathOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

async function placeOf(venus: Venus, path: string, by: Caller): Promise<Place> {
  return venus.lookup(by, pathOf(path));
}

async function objectOf(venus: Venus, path: string, by: Caller): Promise<ObjectStatus> {
  const { object } = await placeOf(venus, path, by);
  if (object === null) throw new Error(`${path} does not exist`);
  return object;
}

/** Stores `contents` under `path`; its directory must exist. */
export async function put(venus: Venus, path: string, contents: string, by = caller): Promise<ObjectStatus> {
  const { parent, name, object } = await placeOf(venus, path, by);
  if (parent === null) throw new Error('the root is no file');
  const writer = await venus.write(by, undefined, { into: parent, replaces: object?.fid });
  try {
    const bytes = Buffer.from(contents, 'latin1');
    for (let start = 0; start < bytes.length; start += 65_536)
      await writer.write(bytes.subarray(start, start + 65_536));
    return (await writer.close({ parent, name })).status;
  } finally {
    await writer.abort();
  }
}

/** The whole contents, or undefined when there is no such file. */
export async function get(venus: Venus, path: string, by = caller): Promise<string | undefined> {
  const { object } = await placeOf(venus, path, by);
  if (object === null) return undefined;
  return contentsOf(await venus.open(by, object.fid));
}

/** Reads it to the end, and closes it. */
export async function contentsOf(file: OpenFile): Promise<string> {
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.read()) chunks.push(chunk);
    return Buffer.concat(chunks).toString('latin1');
  } finally {
    await file.close();
  }
}

export async function makeDirectory(venus: Venus, path: string, by = caller): Promise<ObjectStatus> {
  const { parent, name } = await placeOf(venus, path, by);
  if (parent === null) throw new Error('the root exists');
  return venus.makeDirectory(by, parent, name);
}

/** Names in a directory, in order. */
export async function list(venus: Venus, path: string, by = caller): Promise<readonly string[]> {
  const { fid } = await objectOf(venus, path, by);
  const names: string[] = [];
  for await (const batch of venus.list(by, fid)) names.push(...batch.map(({ name }) => name));
  return names.sort();
}

export async function remove(venus: Venus, path: string, by = caller): Promise<void> {
  const { parent, name } = await placeOf(venus, path, by);
  if (parent === null) throw new Error('the root stays');
  await venus.remove(by, parent, name);
}

export async function rename(venus: Venus, from: string, to: string, by = caller): Promise<void> {
  const source = await placeOf(venus, from, by);
  const target = await placeOf(venus, to, by);
  if (source.parent === null || target.parent === null) throw new Error('the root stays');
  await venus.rename(
    by,
    { parent: source.parent, name: source.name },
    { parent: target.parent, name: target.name },
    { replace: true },
  );
}

export async function setProperty(
  venus: Venus,
  path: string,
  name: string,
  value: string,
  by = caller,
): Promise<void> {
  const { fid } = await objectOf(venus, path, by);
  await venus.setProperties(by, fid, { set: { [name]: value }, remove: [] });
}

/** How `work` ends: 'done', or the kind of its failure. */
export async function outcomeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    if (!isFailure(error)) throw error;
    return error.kind;
  }
}
