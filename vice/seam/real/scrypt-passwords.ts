/**
 * Slow, salted password hashes: scrypt N=2^15, r=8, p=3.
 *
 * To OWASP (Password Storage Cheat Sheet) as good as N=2^17, p=1, which takes 128 MiB: a gateway that moves large files
 * within 200 MB cannot lend that to every login. Below 32 MiB glibc no longer gives the memory back after each.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { Passwords } from '../passwords.js';
import { parseScryptVerifier, scryptVerifierText, type HashCost } from '../scrypt-verifier.js';

export const usualCost: HashCost = { ln: 15, r: 8, p: 3 };

const saltBytes = 16;
const hashBytes = 32;

/** `cost` is of new verifiers: old ones say their own, and stay valid. */
export function scryptPasswords(cost: HashCost = usualCost): Passwords {
  return {
    async hash(password) {
      const salt = randomBytes(saltBytes);
      return scryptVerifierText({ cost, salt, hash: await derive(password, salt, hashBytes, cost) });
    },
    async verify(password, verifier) {
      const parsed = parseScryptVerifier(verifier);
      if (parsed === undefined) return false;
      const hash = await derive(password, parsed.salt, parsed.hash.length, parsed.cost);
      return timingSafeEqual(hash, parsed.hash);
    },
    async verifyNobody(password) {
      await derive(password, Buffer.alloc(saltBytes), hashBytes, cost);
      return false;
    },
  };
}

/** In a thread of the pool: the event loop goes on. */
function derive(password: string, salt: Uint8Array, length: number, { ln, r, p }: HashCost): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: 128 * 2 ** ln * r * 2 };
  return new Promise((resolve, reject) => {
    // NFC: the same keys give other bytes on other systems (RFC 8265).
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
