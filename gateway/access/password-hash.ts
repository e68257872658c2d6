/**
 * Slow, salted password hashes: scrypt N=2^15, r=8, p=3, written as `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`.
 *
 * To OWASP (Password Storage Cheat Sheet) as good as N=2^17, p=1, which takes 128 MiB: a gateway that moves large files
 * within 200 MB cannot lend that to every login. Below 32 MiB glibc no longer gives the memory back after each.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

export interface HashCost {
  /** log2 of the work and memory: 15 (with p 3) takes 32 MiB and 0.2 s. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export const usualCost: HashCost = { ln: 15, r: 8, p: 3 };

const saltBytes = 16;
const hashBytes = 32;
const pattern =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,64})\$([A-Za-z0-9+/]{22,128})$/;

interface ParsedHash {
  readonly cost: HashCost;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** A hash of `password` with a new salt. */
export async function hashPassword(password: string, cost: HashCost = usualCost): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(password, salt, hashBytes, cost);
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/** Whether `stored` is a hash that can be verified here. */
export function isPasswordHash(stored: string): boolean {
  return parse(stored) !== undefined;
}

/** Whether `password` is the one behind `stored`; false for a malformed hash, never true for an empty one. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const parsed = parse(stored);
  if (parsed === undefined) return false;
  const hash = await derive(password, parsed.salt, parsed.hash.length, parsed.cost);
  return timingSafeEqual(hash, parsed.hash);
}

/** As costly as verifying a real user's password, so that time does not tell who exists. */
export async function verifyNobody(password: string, cost: HashCost = usualCost): Promise<false> {
  await derive(password, Buffer.alloc(saltBytes), hashBytes, cost);
  return false;
}

function parse(stored: string): ParsedHash | undefined {
  const match = pattern.exec(stored);
  if (match === null) return undefined;
  const [, ln, r, p, salt = '', hash = ''] = match;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  // A file that somebody edited must not make one login take all memory.
  if (cost.ln < 10 || cost.ln > 20 || cost.r < 1 || cost.r > 16 || cost.p < 1 || cost.p > 4) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

/** In a thread of the pool: the event loop goes on. */
function derive(password: string, salt: Buffer, length: number, { ln, r, p }: HashCost): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: 128 * 2 ** ln * r * 2 };
  return new Promise((resolve, reject) => {
    // NFC: the same keys give other bytes on other systems (RFC 8265).
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
