/**
 * A dump that was read once from its first byte to its last and found whole, before anything is made of it. In memory
 * there is only where its contents are. Whatever is read again is checked again.
 */
import { createHash, type Hash } from 'node:crypto';
import type { Fid, FileData, VnodeStatus, VolumeId } from '../../../vice/interface/index.js';
import { ContentsDigest } from './contents-digest.js';
import { DigestIndex, type IndexedContents } from './digest-index.js';
import { DumpDamaged } from './dump-damaged.js';
import {
  contentsSchema,
  headerSchema,
  objectSchema,
  removalSchema,
  trailerSchema,
  valueIn,
  type DumpHeader,
  type DumpTrailer,
} from './format.js';
import { FrameReader, type DumpBytes, type Frame } from './frame-reader.js';
import { objectFault } from './sound-object.js';
import { storedVersions } from './volume-state.js';

export interface CheckedDump {
  readonly name: string;
  readonly header: DumpHeader;
  readonly trailer: DumpTrailer;
  /** Objects, and the Fids of those that are no more, in the order of Fids. */
  entries(): AsyncGenerator<VnodeStatus | { readonly removed: Fid }>;
  /** Bytes of the contents that this dump has under `digest`; undefined: it has none. */
  lengthOf(digest: string): number | undefined;
  /** Undefined: this dump does not have them. */
  contents(version: FileData): AsyncIterable<Uint8Array> | undefined;
}

/** @throws DumpDamaged: where, and what to do; what `bytes` throws */
export async function checkedDump(
  bytes: DumpBytes,
  tell: (read: number) => void = () => undefined,
): Promise<CheckedDump> {
  try {
    return await new Check(bytes, tell).run();
  } catch (error) {
    if (error instanceof DumpDamaged) throw named(bytes, error);
    throw error;
  }
}

class Check {
  readonly #bytes: DumpBytes;
  readonly #reader: FrameReader;
  readonly #tell: (read: number) => void;
  readonly #contents = new DigestIndex();
  readonly #sha256: Hash = createHash('sha256');
  readonly #counts = { objects: 0, removed: 0, contents: 0, bytes: 0 };
  #last = '';
  #at = 0;

  constructor(bytes: DumpBytes, tell: (read: number) => void) {
    this.#bytes = bytes;
    this.#reader = new FrameReader(bytes);
    this.#tell = tell;
  }

  async run(): Promise<CheckedDump> {
    const start = await this.#reader.begin();
    this.#sha256.update(await this.#bytes.read(0, start));
    this.#at = start;
    const first = await this.#next();
    if (first.kind !== 'H') throw new DumpDamaged(first.at, 'there should be a header');
    this.#sha256.update(first.bytes);
    const header = valueIn(headerSchema, first.payload, first.at);
    const body = this.#at;
    for (;;) {
      const frame = await this.#next();
      if (frame.kind === 'T') return this.#whole(frame, header, body);
      this.#sha256.update(frame.bytes);
      await this.#take(frame, header);
    }
  }

  async #next(): Promise<Frame> {
    const frame = await this.#reader.frame(this.#at);
    this.#at = frame.next;
    this.#tell(frame.next);
    return frame;
  }

  async #take(frame: Frame, { volume, base }: DumpHeader): Promise<void> {
    switch (frame.kind) {
      case 'C':
        return this.#takeContents(frame);
      case 'O': {
        const status = valueIn(objectSchema, frame.payload, frame.at);
        this.#mustFollow(status.fid, volume.id, frame.at);
        this.#mustBeSound(status, volume.id, frame.at);
        for (const version of base === null ? storedVersions(status) : []) {
          const length = this.#contents.get(version.digest)?.length;
          if (length === undefined)
            throw new DumpDamaged(frame.at, `it has not the contents ${version.digest}`);
          if (length !== version.length)
            throw new DumpDamaged(
              frame.at,
              `${status.fid} has ${version.length} bytes, and its contents ${length}`,
            );
        }
        this.#counts.objects += 1;
        return;
      }
      case 'R':
        this.#mustFollow(valueIn(removalSchema, frame.payload, frame.at).fid, volume.id, frame.at);
        if (base === null) throw new DumpDamaged(frame.at, 'a full dump has no removals');
        this.#counts.removed += 1;
        return;
      default:
        throw new DumpDamaged(frame.at, `a frame ${frame.kind} does not belong there`);
    }
  }

  async #takeContents(frame: Frame): Promise<void> {
    const { digest, length } = valueIn(contentsSchema, frame.payload, frame.at);
    const found = new ContentsDigest();
    while (found.length < length) {
      const bytes = await this.#next();
      if (bytes.kind !== 'B' || bytes.payload.length === 0) {
        throw new DumpDamaged(bytes.at, 'there should be bytes of contents');
      }
      this.#sha256.update(bytes.bytes);
      found.add(bytes.payload);
    }
    if (found.length !== length || found.end() !== digest) {
      throw new DumpDamaged(frame.at, `the contents there do not have the digest ${digest}`);
    }
    if (!this.#contents.add(digest, { at: frame.at, length }))
      throw new DumpDamaged(frame.at, 'these contents come twice');
    this.#counts.contents += 1;
    this.#counts.bytes += length;
  }

  #mustFollow(fid: Fid, volume: VolumeId, at: number): void {
    if (!fid.startsWith(`${volume}.`)) throw new DumpDamaged(at, `${fid} is of another volume`);
    if (fid <= this.#last) throw new DumpDamaged(at, `${fid} is not behind ${this.#last}`);
    this.#last = fid;
  }

  #mustBeSound(status: VnodeStatus, volume: VolumeId, at: number): void {
    const fault =
      Object.keys(status.vv).length > 0 ? 'it counts updates of replicas' : objectFault(status, volume);
    if (fault !== undefined) throw new DumpDamaged(at, `${status.fid} cannot be: ${fault}`);
  }

  #whole(frame: Frame, header: DumpHeader, body: number): CheckedDump {
    const trailer = valueIn(trailerSchema, frame.payload, frame.at);
    const { sha256, ...counts } = trailer;
    const found = this.#sha256.digest('hex');
    if (found !== sha256)
      throw new DumpDamaged(frame.at, 'it is not what was written: another digest over all');
    if (JSON.stringify(counts) !== JSON.stringify(this.#counts)) {
      throw new DumpDamaged(frame.at, 'the trailer counts something else than there is');
    }
    if (frame.next !== this.#bytes.size)
      throw new DumpDamaged(frame.next, 'something follows behind its end');
    return new WholeDump(this.#bytes, { header, trailer, body }, this.#contents);
  }
}

interface Parts {
  readonly header: DumpHeader;
  readonly trailer: DumpTrailer;
  /** Where the first frame behind the header is. */
  readonly body: number;
}

class WholeDump implements CheckedDump {
  readonly name: string;
  readonly header: DumpHeader;
  readonly trailer: DumpTrailer;
  readonly #body: number;
  readonly #bytes: DumpBytes;
  readonly #contents: DigestIndex;

  constructor(bytes: DumpBytes, { header, trailer, body }: Parts, contents: DigestIndex) {
    this.name = bytes.name;
    this.header = header;
    this.trailer = trailer;
    this.#body = body;
    this.#bytes = bytes;
    this.#contents = contents;
  }

  async *entries(): AsyncGenerator<VnodeStatus | { readonly removed: Fid }> {
    const reader = new FrameReader(this.#bytes);
    for (let at = this.#body; ;) {
      const { kind, next } = await reader.skip(at);
      if (kind === 'T') return;
      if (kind === 'O') yield valueIn(objectSchema, (await reader.frame(at)).payload, at);
      if (kind === 'R') yield { removed: valueIn(removalSchema, (await reader.frame(at)).payload, at).fid };
      at = next;
    }
  }

  lengthOf(digest: string): number | undefined {
    return this.#contents.get(digest)?.length;
  }

  contents({ digest }: FileData): AsyncIterable<Uint8Array> | undefined {
    const found = this.#contents.get(digest);
    return found === undefined ? undefined : this.#read(found);
  }

  async *#read({ at, length }: IndexedContents): AsyncGenerator<Uint8Array> {
    const reader = new FrameReader(this.#bytes);
    let { next } = await reader.frame(at);
    for (let read = 0; read < length;) {
      const bytes = await reader.frame(next);
      if (bytes.kind !== 'B')
        throw named(this.#bytes, new DumpDamaged(bytes.at, 'it has changed since it was checked'));
      read += bytes.payload.length;
      next = bytes.next;
      yield bytes.payload;
    }
  }
}

function named({ name }: DumpBytes, error: DumpDamaged): DumpDamaged {
  const named = new DumpDamaged(0, '', { cause: error });
  named.message = `${name} is ${error.message}`;
  return named;
}
