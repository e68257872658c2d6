/**
 * The headers of an exported tar: POSIX ustar, with pax records (POSIX.1-2001) for all that does not fit. Pure.
 *
 * Beside those of the standard there is one record of our own: `CODA.properties`, the dead properties (WebDAV) of the
 * object as one JSON object, name in Clark notation -> XML element. Other programs pass over it.
 */
export type TarKind = 'file' | 'directory' | 'symlink';

export interface TarMember {
  /** Names from the root of the archive. */
  readonly path: readonly string[];
  readonly kind: TarKind;
  /** Bytes of contents; 0 for all but files. */
  readonly length: number;
  /** Of a symbolic link. */
  readonly target: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
  readonly properties: Readonly<Record<string, string>>;
}

const blockBytes = 512;
/** Two blocks of zeros end an archive. */
export const tarEnd: Uint8Array = new Uint8Array(2 * blockBytes);
/** From here on a number does not fit its field of eleven octal digits. */
const large = 8 ** 11;
const flags: Readonly<Record<TarKind | 'pax', string>> = {
  file: '0',
  symlink: '2',
  directory: '5',
  pax: 'x',
};

/** The blocks before the contents of `member`. */
export function memberHeader(member: TarMember): Uint8Array {
  const { path, kind, length, target, modified, properties } = member;
  const name = path.join('/') + (kind === 'directory' ? '/' : '');
  const seconds = Math.floor(modified / 1000);
  const records = [
    fits(name) ? '' : paxRecord('path', name),
    fits(target) ? '' : paxRecord('linkpath', target),
    length < large ? '' : paxRecord('size', String(length)),
    seconds * 1000 === modified && seconds >= 0 && seconds < large
      ? ''
      : paxRecord('mtime', decimal(modified)),
    Object.keys(properties).length === 0 ? '' : paxRecord('CODA.properties', JSON.stringify(properties)),
  ].join('');
  const header = block({
    name,
    flag: flags[kind],
    length,
    target,
    seconds,
    mode: kind === 'file' ? 0o644 : 0o755,
  });
  if (records === '') return header;
  const body = Buffer.from(records);
  const pax = block({ name: 'pax', flag: flags.pax, length: body.length, target: '', seconds, mode: 0o644 });
  return Buffer.concat([pax, body, padding(body.length), header]);
}

/** The zeros after contents of `length` bytes. */
export function padding(length: number): Uint8Array {
  return new Uint8Array((blockBytes - (length % blockBytes)) % blockBytes);
}

interface Fields {
  readonly name: string;
  readonly flag: string;
  readonly length: number;
  readonly target: string;
  readonly seconds: number;
  readonly mode: number;
}

function block({ name, flag, length, target, seconds, mode }: Fields): Buffer {
  const bytes = Buffer.alloc(blockBytes);
  const put = (at: number, text: string): number => bytes.write(text, at, 'latin1');
  put(0, plain(name));
  put(100, octal(mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(length >= large ? 0 : length, 11));
  put(136, octal(Math.min(Math.max(0, seconds), large - 1), 11));
  // The sum is taken as if it were blanks itself.
  put(148, '        ');
  put(156, flag);
  put(157, plain(target));
  put(257, 'ustar\u000000');
  put(
    148,
    `${octal(
      bytes.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\u0000 `,
  );
  return bytes;
}

/** Its first number is the length of the whole record, that number included. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  if (bytes + String(length).length !== length) length = bytes + String(length).length;
  return `${length}${rest}`;
}

/** Seconds with their fraction, exactly: the time is told down, as in POSIX, also before 1970. */
function decimal(milliseconds: number): string {
  const [whole, rest] = [Math.trunc(milliseconds / 1000), Math.abs(milliseconds % 1000)];
  const sign = milliseconds < 0 && whole === 0 ? '-' : '';
  return rest === 0 ? String(whole) : `${sign}${whole}.${String(rest).padStart(3, '0')}`;
}

/** Whether a text stands in its field as it is. */
function fits(text: string): boolean {
  return text.length <= 100 && /^[\u0020-\u007e]*$/.test(text);
}

/** What programs see that do not know pax. */
function plain(text: string): string {
  return text.replaceAll(/[^\u0020-\u007e]/g, '_').slice(0, 100);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
