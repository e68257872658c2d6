/** Claims behind an HMAC: `<base64url of JSON>.<base64url of HMAC-SHA256>`. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';

const charactersMost = 2000;

export function signed(key: Uint8Array, claims: object): string {
  const body = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${body}.${signature(key, body)}`;
}

/** What `token` claims, if it was signed with `key`; else undefined. The claims are not checked here. */
export function claimsOf(key: Uint8Array, token: string): unknown {
  const [body, mac, ...rest] = token.split('.');
  if (body === undefined || mac === undefined || rest.length > 0 || token.length > charactersMost) {
    return undefined;
  }
  const expected = Buffer.from(signature(key, body));
  const given = Buffer.from(mac);
  if (expected.length !== given.length || !timingSafeEqual(expected, given)) return undefined;
  return parseJson(Buffer.from(body, 'base64url').toString());
}

function signature(key: Uint8Array, body: string): string {
  return createHmac('sha256', key).update(body).digest('base64url');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
