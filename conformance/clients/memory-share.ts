/**
 * The WebDAV door alone, on a Venus in memory: `node dist/conformance/clients/memory-share.js [PREFIX]`
 * prints its URL, user and password as one JSON line and serves until it is told to end. For litmus and other
 * clients, to tell the door's faults from Venus'.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openUsers } from '../../gateway/access/users.js';
import { scryptPasswords } from '../../vice/seam/real/scrypt-passwords.js';
import { startWebdav } from '../../gateway/webdav/host.js';
import { createLocks } from '../../gateway/webdav/lock-table.js';
import { silentLog } from '../../vice/seam/log.js';
import { systemClock } from '../../vice/seam/real/system-clock.js';
import { systemRandom } from '../../vice/seam/real/system-random.js';
import { MemoryVenus } from '../../venus/twin/memory-venus.js';

const folder = await mkdtemp(join(tmpdir(), 'coda-memory-share-'));
const clock = systemClock();
const random = systemRandom();
const log = { ...silentLog, error: console.error };
const venus = new MemoryVenus({ wall: () => clock.wall() });
const user = 'alice';
const password = randomBytes(9).toString('base64url');
const users = await openUsers(join(folder, 'users'), scryptPasswords({ ln: 12, r: 8, p: 1 }));
await users.add(user, password);
const share = {
  venus,
  locks: createLocks({ venus, clock, random, log }),
  clock,
  random,
  log,
  prefix: process.argv[2] ?? '',
  isOwnHost: (host: string) => host === '127.0.0.1' || host === 'localhost',
};
const webdav = await startWebdav({ listen: { host: '127.0.0.1', port: 0 }, share, users, log, clock });
console.log(JSON.stringify({ url: webdav.url, user, password }));

async function end(): Promise<void> {
  await webdav.close();
  await rm(folder, { recursive: true, force: true });
}

process.once('SIGTERM', () => void end()).once('SIGINT', () => void end());
