/** A gateway as a script uses it: whole files by path. */
import type { Caller, ObjectStatus, Place, Venus } from '../../venus/interface.js';

const caller: Caller = { user: 'ann' };

export function pathOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

async function placeOf(venus: Venus, path: string): Promise<Place> {
  return venus.lookup(caller, pathOf(path));
}

async function objectOf(venus: Venus, path: string): Promise<ObjectStatus> {
  const { object } = await placeOf(venus, path);
  if (object === null) throw new Error(`${path} does not exist`);
  return object;
}

/** Stores `contents` under `path`; its directory must exist. */
export async function put(venus: Venus, path: string, contents: string): Promise<ObjectStatus> {
  const { parent, name } = await placeOf(venus, path);
  if (parent === null) throw new Error('the root is no file');
  const writer = await venus.write(caller);
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
export async function get(venus: Venus, path: string): Promise<string | undefined> {
  const { object } = await placeOf(venus, path);
  if (object === null) return undefined;
  const file = await venus.open(caller, object.fid);
  try {
    const chunks: Uint8Array[] = [];
    for await (const chunk of file.read()) chunks.push(chunk);
    return Buffer.concat(chunks).toString('latin1');
  } finally {
    await file.close();
  }
}

export async function makeDirectory(venus: Venus, path: string): Promise<ObjectStatus> {
  const { parent, name } = await placeOf(venus, path);
  if (parent === null) throw new Error('the root exists');
  return venus.makeDirectory(caller, parent, name);
}

/** Names in a directory, in order. */
export async function list(venus: Venus, path: string): Promise<readonly string[]> {
  const { fid } = await objectOf(venus, path);
  const names: string[] = [];
  for await (const batch of venus.list(caller, fid)) names.push(...batch.map(({ name }) => name));
  return names.sort();
}

export async function remove(venus: Venus, path: string): Promise<void> {
  const { parent, name } = await placeOf(venus, path);
  if (parent === null) throw new Error('the root stays');
  await venus.remove(caller, parent, name);
}

export async function rename(venus: Venus, from: string, to: string): Promise<void> {
  const source = await placeOf(venus, from);
  const target = await placeOf(venus, to);
  if (source.parent === null || target.parent === null) throw new Error('the root stays');
  await venus.rename(
    caller,
    { parent: source.parent, name: source.name },
    { parent: target.parent, name: target.name },
    { replace: true },
  );
}

export async function setProperty(venus: Venus, path: string, name: string, value: string): Promise<void> {
  const { fid } = await objectOf(venus, path);
  await venus.setProperties(caller, fid, { set: { [name]: value }, remove: [] });
}
