/**
 * Steps as bytes, for a stream: 1, offset (6 bytes), length (6) is a copy; 2, zero (6), length (6), then so many
 * bytes, is data. Numbers are big-endian. The stream ends behind a step; what it makes in all is checked by the digest
 * of the whole.
 */
import { Failure } from '../interface/index.js';
import type { Operation } from './difference.js';

const headerBytes = 13;
const codes = { copy: 1, data: 2 } as const;

/** What of a step stands before its bytes. */
export function stepHeader({ kind, offset, length }: Operation): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(codes[kind], 0);
  if (kind === 'copy') header.writeUIntBE(offset, 1, 6);
  header.writeUIntBE(length, 7, 6);
  return header;
}

/** What a stream of steps says: a copy that is to be made, or bytes that came. */
export type Said = { readonly offset: number; readonly length: number } | Uint8Array;

/**
 * Reads a stream of steps on contents of `baseLength` bytes.
 * @throws Failure invalid: no step, a copy of what the contents do not have, an end within a step
 */
export async function* readSteps(
  source: AsyncIterable<Uint8Array>,
  baseLength: number,
): AsyncGenerator<Said, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  /** Of the data that is open. */
  let left = 0;
  for await (const piece of source) {
    let bytes: Uint8Array = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    rest = Buffer.alloc(0);
    while (bytes.length > 0) {
      if (left > 0) {
        const data = bytes.subarray(0, left);
        left -= data.length;
        bytes = bytes.subarray(data.length);
        yield data;
        continue;
      }
      if (bytes.length < headerBytes) {
        rest = Buffer.from(bytes);
        break;
      }
      const step = stepOf(bytes, baseLength);
      bytes = bytes.subarray(headerBytes);
      if (step.kind === 'copy') yield { offset: step.offset, length: step.length };
      else left = step.length;
    }
  }
  if (left > 0 || rest.length > 0) throw invalid('the last step is not whole');
}

function stepOf(bytes: Uint8Array, baseLength: number): Operation {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, headerBytes);
  const code = view.readUInt8(0);
  const [offset, length] = [view.readUIntBE(1, 6), view.readUIntBE(7, 6)];
  if (length === 0) throw invalid('a step without bytes');
  if (code === codes.data && offset === 0) return { kind: 'data', offset, length };
  if (code !== codes.copy) throw invalid('no step');
  if (offset + length > baseLength) throw invalid('a copy of more than there is');
  return { kind: 'copy', offset, length };
}

function invalid(fault: string): Failure {
  return new Failure('invalid', 'difference.steps', `a difference cannot be applied: ${fault}`);
}
