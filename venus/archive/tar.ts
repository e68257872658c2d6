/**
 * The tar format as far as our archives use it: POSIX ustar headers, with pax records (POSIX.1-2001) for names that are
 * long or not ASCII and for sizes from 8 GiB on. Pure.
 *
 * Our own writer and reader, because archives come from anywhere and the reader must refuse whatever the writer would
 * not have written; of the format this is all that is needed.
 */
import { Failure } from '../../vice/interface/index.js';

/** Of failures that say what is wrong with an archive. */
export const operation = 'venus.archive';

export const blockBytes = 512;
/** Two blocks of zeros end an archive. */
export const endBytes = 2 * blockBytes;
/** Longest body of pax records that is read. */
const paxBytes = 64 * 1024;
/** From here on a size does not fit its field. */
const largeSize = 8 ** 11;

export type TarType = 'file' | 'link' | 'symlink' | 'directory';

export interface TarEntry {
  readonly name: string;
  readonly type: TarType;
  /** Bytes of contents; 0 for all but files. */
  readonly size: number;
  /** What a link names; '' for others. */
  readonly target: string;
  /** Milliseconds since 1970; whole seconds are kept. */
  readonly modified: number;
}

/** One block, parsed. `pax`: its contents are records about the next entry. */
export interface TarBlock extends Omit<TarEntry, 'type'> {
  readonly type: TarType | 'pax';
}

const flags: Readonly<Record<TarBlock['type'], string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  directory: '5',
  pax: 'x',
};
const types = new Map(Object.entries(flags).map(([type, flag]) => [flag, type as TarBlock['type']]));

/** The blocks before the contents of `entry`. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const records: string[] = [];
  if (!fits(entry.name)) records.push(paxRecord('path', entry.name));
  if (!fits(entry.target)) records.push(paxRecord('linkpath', entry.target));
  if (entry.size >= largeSize) records.push(paxRecord('size', String(entry.size)));
  const header = headerBlock(entry);
  if (records.length === 0) return header;
  const body = Buffer.from(records.join(''));
  const pax: TarBlock = { name: 'pax', type: 'pax', size: body.length, target: '', modified: entry.modified };
  return Buffer.concat([headerBlock(pax), body, tarPadding(body.length), header]);
}

/** The zeros after contents of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((blockBytes - (size % blockBytes)) % blockBytes);
}

/** A header block; undefined: it is all zeros, which ends an archive. @throws Failure invalid */
export function parseBlock(block: Uint8Array): TarBlock | undefined {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
  if (bytes.every((byte) => byte === 0)) return undefined;
  if (bytes.toString('latin1', 257, 265) !== 'ustar\u000000') throw damaged('a block is no tar header');
  const sum = octal(bytes.toString('latin1', 148, 154));
  // The two bytes behind the sum are the only ones that it does not cover.
  const isEnded = bytes.toString('latin1', 154, 156) === '\u0000 ';
  if (sum !== checksum(bytes) || !isEnded) throw damaged('a header does not match its checksum');
  const type = types.get(bytes.toString('latin1', 156, 157));
  const size = octal(bytes.toString('latin1', 124, 135));
  const seconds = octal(bytes.toString('latin1', 136, 147));
  if (type === undefined || size === undefined || seconds === undefined)
    throw damaged('a header is malformed');
  if (type !== 'file' && type !== 'pax' && size !== 0)
    throw damaged('an entry has contents that cannot have any');
  if (type === 'pax' && size > paxBytes) throw damaged('a name is too long');
  return { name: field(bytes, 0), type, size, target: field(bytes, 157), modified: seconds * 1000 };
}

/** `entry` with what pax records say of it. @throws Failure invalid */
export function withPax(entry: TarEntry, body: Uint8Array): TarEntry {
  const known = new Map<string, string>();
  const text = Buffer.from(body);
  for (let at = 0; at < text.length;) {
    const space = text.indexOf(' ', at);
    const length = Number(/^[1-9]\d{0,6}$/.exec(text.toString('latin1', at, space))?.[0] ?? Number.NaN);
    const end = at + length;
    if (space < 0 || !(end > space && end <= text.length) || text[end - 1] !== 0x0a)
      throw damaged('a name is malformed');
    const [key = '', ...value] = text.toString('utf8', space + 1, end - 1).split('=');
    known.set(key, value.join('='));
    at = end;
  }
  const size = known.get('size');
  if (size !== undefined && (entry.type !== 'file' || !/^[1-9]\d{0,15}$/.test(size)))
    throw damaged('a size is malformed');
  return {
    ...entry,
    name: known.get('path') ?? entry.name,
    target: known.get('linkpath') ?? entry.target,
    size: size === undefined ? entry.size : Number(size),
  };
}

export function damaged(why: string): Failure {
  return new Failure('invalid', operation, `this is no whole archive of a log: ${why}`);
}

function headerBlock({ name, type, size, target, modified }: TarBlock): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const isFolder = type === 'directory';
  const put = (at: number, text: string): number => block.write(text, at, 'latin1');
  put(0, plain(name));
  put(100, isFolder ? '0000755' : '0000644');
  put(108, '0000000');
  put(116, '0000000');
  put(124, octalText(size >= largeSize ? 0 : size, 11));
  put(136, octalText(Math.floor(Math.max(0, modified) / 1000), 11));
  put(156, flags[type]);
  put(157, plain(target));
  put(257, 'ustar\u000000');
  put(148, `${octalText(checksum(block), 6)}\u0000 `);
  return block;
}

/** The sum of all bytes, those of the sum itself taken as blanks. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < blockBytes; at += 1) sum += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0);
  return sum;
}

/** Whether a name stands in its field as it is. */
function fits(name: string): boolean {
  return name.length <= 100 && /^[\u0020-\u007e]*$/.test(name);
}

/** What programs see that do not know pax. */
function plain(name: string): string {
  return name.replaceAll(/[^\u0020-\u007e]/g, '_').slice(0, 100);
}

/** Its first number is the length of the whole record, that number included. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  if (bytes + String(length).length !== length) length = bytes + String(length).length;
  return `${length}${rest}`;
}

function octalText(value: number, digits: number): string {
  const most = 8 ** digits - 1;
  return Math.min(value, most).toString(8).padStart(digits, '0');
}

function octal(text: string): number | undefined {
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

function field(bytes: Buffer, at: number): string {
  const text = bytes.toString('latin1', at, at + 100);
  const end = text.indexOf('\u0000');
  return end < 0 ? text : text.slice(0, end);
}
