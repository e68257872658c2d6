/** How scrypt's verifiers are written: `$scrypt$ln=15,r=8,p=3$<salt>$<hash>`. Pure; made by real/scrypt-passwords.ts. */

export interface HashCost {
  /** log2 of the work and memory: 15 (with p 3) takes 32 MiB and 0.2 s. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface ScryptVerifier {
  readonly cost: HashCost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

const pattern =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{16,64})\$([A-Za-z0-9+/]{22,128})$/;

export function scryptVerifierText({ cost, salt, hash }: ScryptVerifier): string {
  return `$scrypt$ln=${cost.ln},r=${cost.r},p=${cost.p}$${unpadded(salt)}$${unpadded(hash)}`;
}

export function parseScryptVerifier(stored: string): ScryptVerifier | undefined {
  const match = pattern.exec(stored);
  if (match === null) return undefined;
  const [, ln, r, p, salt = '', hash = ''] = match;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  // A file that somebody edited must not make one login take all memory.
  if (cost.ln < 10 || cost.ln > 20 || cost.r < 1 || cost.r > 16 || cost.p < 1 || cost.p > 4) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

/** Whether `stored` can be verified here. */
export function isScryptVerifier(stored: string): boolean {
  return parseScryptVerifier(stored) !== undefined;
}

function unpadded(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64').replace(/=+$/, '');
}
