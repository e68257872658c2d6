/** A server of the volume as a source of blocks (vice/server/downloads.ts). */
import { Failure } from '../../vice/interface/index.js';
import { blockCount, blockLength, digestBytes } from '../../vice/seam/block-digests.js';
import { blockBytes } from '../../vice/seam/containers.js';
import type { LinkQuality } from '../remote/link-quality.js';
import type { Member, Volume } from '../volume/volume.js';
import type { Arrival, BlockRequest, BlockSource } from './block-source.js';
import { backgroundBytes } from './choice.js';
import type { ByteSource } from './soonest.js';

/** Of fewer bytes most of the time is that of the server's answer: a fast link would look like a slow one. */
const tellsRate = 64 * 1024;

/** The AVSG, the preferred member first. */
export function sourcesOf(volume: Volume): readonly BlockSource[] {
  return membersOf(volume).map((member) => new ServerSource(volume, member));
}

/** The same, for contents that come as they are. */
export function bytesOf(volume: Volume, digest: string): readonly ByteSource[] {
  return membersOf(volume).map((member) => new ServerBytes(volume, member, digest));
}

export function membersOf({ preferred, avsg }: Volume): readonly Member[] {
  return preferred === undefined ? avsg : [preferred, ...avsg.filter((member) => member !== preferred)];
}

class Server {
  protected readonly member: Member;
  readonly #volume: Volume;

  constructor(volume: Volume, member: Member) {
    this.#volume = volume;
    this.member = member;
  }

  get name(): string {
    return this.member.server.name;
  }

  get quality(): LinkQuality {
    return this.member.server.quality;
  }

  prefer(): void {
    if (this.member.watched) this.#volume.prefer(this.member);
  }
}

class ServerBytes extends Server implements ByteSource {
  readonly #digest: string;

  constructor(volume: Volume, member: Member, digest: string) {
    super(volume, member);
    this.#digest = digest;
  }

  async *bytes(start: number, end: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    yield* await this.member.server.download(`container/${this.#digest}/${end}`, start, signal, tellsRate);
  }
}

class ServerSource extends Server implements BlockSource {
  async *arrivals(request: BlockRequest, signal: AbortSignal): AsyncGenerator<Arrival, void, undefined> {
    const { contents, first, end, proof } = request;
    const { length } = contents;
    let block = first;
    let isProof = proof;
    let gathering = new Gathering(isProof ? blockCount(length) * digestBytes : blockLength(block, length));
    for await (const chunk of this.#chunks(request, signal)) {
      for (let rest = chunk; rest.length > 0;) {
        if (block >= end) throw tooMuch(this.name);
        rest = gathering.take(rest);
        const { whole } = gathering;
        if (whole === undefined) break;
        yield isProof ? { kind: 'proof', blockDigests: whole } : { kind: 'block', block, bytes: whole };
        if (!isProof) block += 1;
        isProof = false;
        gathering = new Gathering(blockLength(block, length));
      }
    }
  }

  /** In one answer; or, if it gives way, in several that each occupy the link for a moment. */
  async *#chunks(request: BlockRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { contents, first, end, proof, giveWay } = request;
    const { digest, length } = contents;
    const last = Math.min(length, end * blockBytes);
    for (let at = first * blockBytes; at < last;) {
      const most = last - at;
      const bytes = giveWay === undefined ? most : backgroundBytes(this, most);
      const kind = proof && at === first * blockBytes ? 'proven' : 'container';
      yield* await this.member.server.download(`${kind}/${digest}/${at + bytes}`, at, signal);
      at += bytes;
      if (at < last) await giveWay?.(bytes);
    }
  }
}

function tooMuch(server: string): Failure {
  return new Failure('incompatible', 'venus.fetch', `server ${server} sends more than it was asked for`);
}

/** Bytes on their way to a known number. */
class Gathering {
  readonly size: number;
  readonly #bytes: Buffer;
  #filled = 0;

  constructor(size: number) {
    this.size = size;
    this.#bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Takes what is missing from `chunk`; the result is what is left of it. */
  take(chunk: Uint8Array): Uint8Array {
    const taken = chunk.subarray(0, this.size - this.#filled);
    this.#bytes.set(taken, this.#filled);
    this.#filled += taken.length;
    return chunk.subarray(taken.length);
  }

  get whole(): Buffer | undefined {
    return this.#filled === this.size ? this.#bytes : undefined;
  }
}
