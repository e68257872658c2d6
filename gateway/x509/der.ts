/** The few types of DER (ITU-T X.690) that a certificate is made of. Writing only: node reads certificates itself. */

/** Tag, length, contents. */
function element(tag: number, contents: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), lengthOf(contents.length), contents]);
}

/** X.690 8.1.3: below 128 one byte; else a byte that counts the bytes of the length. */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits = Buffer.from(
    length.toString(16).padStart(length > 0xffff ? 6 : length > 0xff ? 4 : 2, '0'),
    'hex',
  );
  return Buffer.concat([Buffer.from([0x80 | digits.length]), digits]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return element(0x30, Buffer.concat(parts));
}

/** X.690 11.6: the elements of a SET OF are sorted; ours have one. */
export function setOfOne(part: Uint8Array): Buffer {
  return element(0x31, part);
}

/** A positive number, big end first. X.690 8.3.2: no superfluous zeros, but one where the first bit would be a sign. */
export function integer(digits: Uint8Array): Buffer {
  let start = 0;
  while (start < digits.length - 1 && digits[start] === 0) start += 1;
  const shortest = digits.subarray(start);
  const isNegative = ((shortest[0] ?? 0) & 0x80) !== 0;
  return element(0x02, isNegative ? Buffer.concat([Buffer.from([0]), shortest]) : shortest);
}

/** X.690 11.1: true is all ones. */
export const yes = element(0x01, Buffer.from([0xff]));

/** `1.2.840...`: X.690 8.19, base 128, all but the last byte of a number marked. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([40 * first + second, ...rest].flatMap(base128)));
}

function base128(number: number): number[] {
  const digits = [number & 0x7f];
  for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
  return digits;
}

export function octetString(bytes: Uint8Array): Buffer {
  return element(0x04, bytes);
}

/** `unused` of the last byte's bits do not count. */
export function bitString(bytes: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.concat([Buffer.from([unused]), bytes]));
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text, 'utf8'));
}

/** RFC 5280 4.1.2.5: two digits of the year until 2049, four after; whole seconds, always Z. */
export function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, '');
  const isShort = Number(digits.slice(0, 4)) < 2050;
  return isShort ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}

/** EXPLICIT [number]: around a whole element. */
export function explicit(number: number, part: Uint8Array): Buffer {
  return element(0xa0 | number, part);
}

/** IMPLICIT [number] of a primitive type: in place of its tag. */
export function implicit(number: number, contents: Uint8Array): Buffer {
  return element(0x80 | number, contents);
}
