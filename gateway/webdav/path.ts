/**
 * A raw request path to names. Request targets, Destination and the URLs of an If header all come through
 * here, so that nothing is checked in one spelling and used in another (CVE-2026-27654, GHSA-chxv-mvjv-f92j).
 *
 * The order matters: split on '/', then decode each segment once, then check the decoded name.
 */
import { DavError } from './exchange.js';

const maxNameBytes = 255;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface ParsedPath {
  /** Names from the top down; [] is the root. */
  readonly path: string[];
  readonly trailingSlash: boolean;
}

/**
 * The names in `rawPath`, which starts with '/' and has no query.
 * @throws DavError 400 (cannot name anything), 414 (a name of more than 255 bytes)
 */
export function parsePath(rawPath: string): ParsedPath {
  if (!rawPath.startsWith('/')) throw new DavError(400, 'the path must start with a slash');
  if (rawPath.includes('#')) throw new DavError(400, 'a request has no fragment; write %23 for # in a name');
  const segments = rawPath.slice(1).split('/');
  const trailingSlash = segments.at(-1) === '';
  if (trailingSlash) segments.pop();
  return { path: segments.map(parseName), trailingSlash };
}

/** `rawUrl` without its query: every query is ignored. */
export function withoutQuery(rawUrl: string): string {
  const question = rawUrl.indexOf('?');
  return question < 0 ? rawUrl : rawUrl.slice(0, question);
}

/**
 * `parsed` below the mount point `prefix` ('' or '/share'), or undefined if it is elsewhere. Compares whole
 * names: '/share_evil' is not below '/share' (CVE-2026-48099).
 */
export function belowPrefix(prefix: string, parsed: ParsedPath): ParsedPath | undefined {
  if (prefix === '') return parsed;
  const mount = parsePath(prefix).path;
  if (mount.some((name, index) => parsed.path[index] !== name)) return undefined;
  return { path: parsed.path.slice(mount.length), trailingSlash: parsed.trailingSlash };
}

function parseName(segment: string): string {
  const name = decodeSegment(segment);
  if (name === '') throw new DavError(400, 'the path has an empty segment');
  if (name === '.' || name === '..') throw new DavError(400, 'the path has a dot segment');
  // A backslash is a separator to some clients; the rest breaks paths, logs and XML 1.0.
  if (/[/\\\u0000-\u001f\u007f]/.test(name)) {
    throw new DavError(400, 'a name has a slash, a backslash or a control character');
  }
  // A UTF-16 unit makes at most 3 bytes, so a short name need not be counted.
  if (name.length > maxNameBytes / 3 && Buffer.byteLength(name) > maxNameBytes) {
    throw new DavError(414, `a name has more than ${maxNameBytes} bytes`);
  }
  return name;
}

/**
 * Node hands over header bytes as Latin-1: a character above 7F is one byte that the client did not escape.
 */
function decodeSegment(segment: string): string {
  if (/^[\u0020-\u007e]*$/.test(segment) && !segment.includes('%')) return segment;
  if (/%(?![0-9a-fA-F]{2})/.test(segment)) throw new DavError(400, 'the path has a malformed percent escape');
  const bytes = segment.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    throw new DavError(400, 'the path is not UTF-8');
  }
}
