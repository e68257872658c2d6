/**
 * The realm key in the folder of a realm, and its copies in the folders for the machines, while it is renewed:
 *
 *   1. one key, which all have
 *   2. the new one and the old one: who has got both speaks with the new one and believes the old one
 *   3. the new one, when all have got both
 *
 * Each step is written to the realm's own file first: cut short, it is said again and copies what that one holds.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readRealmKeys, realmKeyBytes } from '../../vice/seam/real/realm-key-file.js';
import { OperatorError } from '../config/operator-error.js';
import { checkRealmKey } from '../config/role-config.js';
import { writeWhole } from '../realm/whole-file.js';

const secret = 0o600;

/** @throws OperatorError usage */
export function keysIn(file: string): readonly Uint8Array[] {
  return readRealmKeys(checkRealmKey(file));
}

/** Whether a renewal was begun now; else one was under way. */
export async function beginRenewal(file: string): Promise<boolean> {
  const [key, ...others] = keysIn(file);
  if (key === undefined || others.length > 0) return false;
  await writeWhole(file, Buffer.concat([randomBytes(realmKeyBytes), key]), secret);
  return true;
}

/** @throws OperatorError refused: none is under way */
export async function endRenewal(file: string): Promise<void> {
  const [key, ...others] = keysIn(file);
  if (key !== undefined && others.length > 0) return writeWhole(file, key, secret);
  throw new OperatorError('refused', `No renewal is under way: ${file} holds one key.`);
}

/** Gives every folder for a machine what the realm's own file holds. @returns their names */
export async function copyToMembers(file: string): Promise<readonly string[]> {
  const folder = dirname(file);
  const members = await membersOf(folder);
  const keys = Buffer.concat(keysIn(file));
  for (const name of members) await writeWhole(join(folder, name, 'realm.key'), keys, secret);
  return members;
}

async function membersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return folders.filter((name) => existsSync(join(folder, name, 'realm.key'))).sort();
}
