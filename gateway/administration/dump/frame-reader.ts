/** Reads the frames of a dump, each with its checksum, at any place. */
import { crc32 } from '../../../vice/interface/index.js';
import { DumpDamaged } from './dump-damaged.js';
import { headBytes, kinds, magic, payloadMost, tailBytes, type FrameKind } from './format.js';

/** The bytes of a dump, as its file has them. */
export interface DumpBytes {
  /** As a person knows it. */
  readonly name: string;
  readonly size: number;
  /** Exactly `length` bytes from `start` on, fewer only where the file ends. */
  read(start: number, length: number): Promise<Uint8Array>;
  /** Tells the event loop that others may have a turn. */
  pause(): Promise<void>;
}

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Uint8Array;
  readonly at: number;
  /** Where the next one begins. */
  readonly next: number;
  /** As in the file. */
  readonly bytes: Uint8Array;
}

/** Read ahead, so that small frames cost no access each. */
const windowBytes = 256 * 1024;
/** Between two turns of the event loop. */
const turnFrames = 50;

export class FrameReader {
  readonly #bytes: DumpBytes;
  #window: Uint8Array = new Uint8Array();
  #windowAt = 0;
  #read = 0;
  /** What was skipped last fills windows by itself: reading ahead would read all of it for nothing. */
  #isLong = false;

  constructor(bytes: DumpBytes) {
    this.#bytes = bytes;
  }

  /** @throws DumpDamaged: this is no dump */
  async begin(): Promise<number> {
    const found = Buffer.from(await this.#at(0, magic.length));
    if (found.equals(magic)) return magic.length;
    const isOther = found.subarray(0, 10).equals(magic.subarray(0, 10));
    const what = isOther ? 'it is a dump of another version than 1' : 'it does not begin as a dump';
    throw new DumpDamaged(0, what);
  }

  /** @throws DumpDamaged */
  async frame(at: number): Promise<Frame> {
    if ((this.#read += 1) % turnFrames === 0) await this.#bytes.pause();
    const head = await this.#head(at);
    const end = at + headBytes + head.length + tailBytes;
    if (end > this.#bytes.size) throw torn(at, this.#bytes.size);
    const bytes = await this.#at(at, end - at);
    if (bytes.length < end - at) throw torn(at, this.#bytes.size);
    const body = bytes.subarray(0, headBytes + head.length);
    const stored = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(body.length);
    if (stored !== crc32(body)) throw new DumpDamaged(at, 'the frame there does not fit its checksum');
    return { kind: head.kind, payload: body.subarray(headBytes), at, next: end, bytes };
  }

  /** The kind of a frame and where the next one begins, without its payload. @throws DumpDamaged */
  async skip(at: number): Promise<{ readonly kind: FrameKind; readonly next: number }> {
    if ((this.#read += 1) % turnFrames === 0) await this.#bytes.pause();
    const { kind, length } = await this.#head(at, this.#isLong ? headBytes : windowBytes);
    this.#isLong = length >= windowBytes / 4;
    return { kind, next: at + headBytes + length + tailBytes };
  }

  async #head(
    at: number,
    ahead = windowBytes,
  ): Promise<{ readonly kind: FrameKind; readonly length: number }> {
    const head = await this.#at(at, headBytes, ahead);
    if (head.length < headBytes) throw torn(at, this.#bytes.size);
    const kind = String.fromCharCode(head[0] ?? 0);
    const length = new DataView(head.buffer, head.byteOffset, head.length).getUint32(1);
    if (!isKind(kind)) throw new DumpDamaged(at, 'no frame begins there');
    if (length > (kind === 'B' ? payloadMost.contents : payloadMost.other)) {
      throw new DumpDamaged(at, `the frame there says that it has ${length} bytes`);
    }
    return { kind, length };
  }

  async #at(start: number, length: number, ahead = windowBytes): Promise<Uint8Array> {
    const from = start - this.#windowAt;
    if (from >= 0 && from + length <= this.#window.length) return this.#window.subarray(from, from + length);
    this.#window = await this.#bytes.read(start, Math.max(length, ahead));
    this.#windowAt = start;
    return this.#window.subarray(0, length);
  }
}

function torn(at: number, size: number): DumpDamaged {
  return new DumpDamaged(at, `it is torn off: it ends at byte ${size}, before it is whole`);
}

function isKind(kind: string): kind is FrameKind {
  return Object.hasOwn(kinds, kind);
}
