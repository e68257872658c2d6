/** X-OC-Mtime: the time that a client keeps for its file (ownCloud; rclone and gvfs send it too). */
import type { IncomingHttpHeaders } from 'node:http';

/** Milliseconds since 1970, or undefined if the client gave no time that can be kept. */
export function modificationTimeOf(headers: IncomingHttpHeaders): number | undefined {
  const header = headers['x-oc-mtime'];
  if (typeof header !== 'string') return undefined;
  const text = header.trim();
  if (!/^\d{1,11}(\.\d{1,9})?$/.test(text)) return undefined;
  return Math.floor(Number(text) * 1000);
}
