/**
 * The digest of a directory's children: clients compare it between replicas instead of listing them all. It
 * changes with every child, so it must be cheap to keep: the exclusive or over the children's digests
 * (state-digest.ts), which a child enters and leaves alike. No secret and no defence: replicas trust each other.
 */

/** Of a directory without children. */
export const noChildren = 0n;

/** `digest` after `child` came or went. */
export function toggled(digest: bigint, child: bigint): bigint {
  return digest ^ child;
}

/** As it is stored and sent: 16 hexadecimal digits. */
export function digestText(digest: bigint): string {
  return digest.toString(16).padStart(16, '0');
}

export function digestOf(text: string): bigint {
  return BigInt(`0x${text}`);
}
