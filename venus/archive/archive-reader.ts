/** Reads the archive of a log in the order of format.ts; refuses whatever checkpoint.ts would not have written. */
import { createHash } from 'node:crypto';
import { Failure } from '../../vice/interface/index.js';
import { ContentsDigest } from './contents-digest.js';
import {
  bounds,
  formatVersion,
  headingSchema,
  lineSchema,
  parts,
  trailerSchema,
  type Heading,
  type Line,
} from './format.js';
import { TarReader } from './tar-reader.js';
import { damaged, type TarEntry } from './tar.js';

/** Contents of the archive, on their way. */
export interface ArchivedContents {
  readonly digest: string;
  readonly length: number;
  /** Must be read to its end. @throws Failure invalid: also when they do not match their digest */
  read(): AsyncIterable<Uint8Array>;
}

export class ArchiveReader {
  readonly #tar: TarReader;
  readonly #pause: () => Promise<void>;
  /** What the lines name and what has come of it. */
  readonly #lengths = new Map<string, number>();
  readonly #come = new Set<string>();
  #next: TarEntry | undefined;

  constructor(archive: AsyncIterable<Uint8Array>, pause: () => Promise<void>) {
    this.#tar = new TarReader(archive);
    this.#pause = pause;
  }

  /** Heading and lines, once, first. @throws Failure invalid, incompatible */
  async start(): Promise<{ readonly heading: Heading; readonly lines: readonly Line[] }> {
    await this.#expect(parts.heading);
    const head = await this.#tar.small(bounds.headingBytes);
    const heading = headingOf(head);
    await this.#expect(parts.changes);
    const lines = await this.#lines(createHash('sha256').update(head).digest('hex'));
    return { heading, lines };
  }

  /** All contents, each once, in any order. @throws Failure invalid */
  async *contents(): AsyncGenerator<ArchivedContents> {
    for (;;) {
      this.#next = await this.#tar.next();
      const { name = '', type, size = 0 } = this.#next ?? {};
      if (!name.startsWith(parts.contents)) break;
      const digest = name.slice(parts.contents.length);
      if (type !== 'file' || this.#lengths.get(digest) !== size)
        throw damaged('contents that no change names');
      if (this.#come.has(digest)) throw damaged('contents that came before');
      this.#come.add(digest);
      if (this.#come.size % 20 === 0) await this.#pause();
      yield { digest, length: size, read: () => this.#verified(digest) };
    }
    for (const digest of this.#lengths.keys()) {
      if (!this.#come.has(digest)) throw damaged(`the contents ${digest} are missing`);
    }
  }

  /** The rest, which is for people. When this resolves every byte is as it was written. @throws Failure invalid */
  async end(): Promise<void> {
    let entry = this.#next;
    for (let count = 1; entry !== undefined && entry.name.startsWith(parts.tree); count += 1) {
      if (entry.size > 0) throw damaged('contents in its tree');
      if (count % 100 === 0) await this.#pause();
      entry = await this.#tar.next();
    }
    if (entry?.name !== parts.seal || entry.type !== 'file') throw damaged('it has no seal');
    const digest = this.#tar.digestBefore();
    const seal = (await this.#tar.small(128)).toString('latin1');
    if (seal !== `${digest}\n`) throw damaged('it has been altered');
    if ((await this.#tar.next()) !== undefined) throw damaged('there is something behind its seal');
  }

  close(): Promise<void> {
    return this.#tar.close();
  }

  async #expect(name: string): Promise<void> {
    const entry = await this.#tar.next();
    if (entry?.name !== name || entry.type !== 'file') throw damaged(`it has no ${name} in its place`);
  }

  async #lines(heading: string): Promise<readonly Line[]> {
    const lines: Line[] = [];
    const hash = createHash('sha256');
    let last: Buffer | undefined;
    for await (const line of this.#split()) {
      if (last !== undefined) {
        hash.update(last);
        const changed = parsed(lineSchema, last, `line ${lines.length + 1} of its changes is malformed`);
        this.#promise(changed);
        lines.push(changed);
        if (lines.length > bounds.lines) throw damaged('it has too many changes');
        if (lines.length % 100 === 0) await this.#pause();
      }
      last = line;
    }
    const trailer = parsed(trailerSchema, last ?? Buffer.alloc(0), 'its changes have no checksum');
    if (trailer.sha256 !== hash.digest('hex')) throw damaged('its changes do not match their checksum');
    if (trailer.heading !== heading) throw damaged('its heading does not match its checksum');
    return lines;
  }

  /** Lines with their ends. */
  async *#split(): AsyncGenerator<Buffer> {
    let waiting: Buffer[] = [];
    let length = 0;
    let total = 0;
    for await (const chunk of this.#tar.contents()) {
      total += chunk.length;
      if (total > bounds.changesBytes) throw damaged('it has too many changes');
      let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
        yield Buffer.concat([...waiting, rest.subarray(0, end + 1)]);
        waiting = [];
        length = 0;
        rest = rest.subarray(end + 1);
      }
      // A copy: whoever gave the chunk may use it again.
      waiting.push(Buffer.from(rest));
      length += rest.length;
      if (length > bounds.lineBytes) throw damaged('a line is too long');
    }
    if (length > 0) throw damaged('its last line is torn');
  }

  #promise({ record }: Line): void {
    if (record.op !== 'store' || record.length === 0) return;
    const known = this.#lengths.get(record.digest);
    if (known !== undefined && known !== record.length) throw damaged('two lengths of the same contents');
    this.#lengths.set(record.digest, record.length);
  }

  async *#verified(digest: string): AsyncGenerator<Uint8Array> {
    const sum = new ContentsDigest();
    for await (const chunk of this.#tar.contents()) {
      sum.add(chunk);
      yield chunk;
    }
    if (sum.end() !== digest) throw damaged(`the contents ${digest} do not match their checksum`);
  }
}

function headingOf(bytes: Buffer): Heading {
  const heading = parsed(headingSchema, bytes, 'its heading is malformed');
  if (heading.version >= 1 && heading.version <= formatVersion) return heading;
  throw new Failure(
    'incompatible',
    'venus.archive',
    `this archive has format ${heading.version}, this gateway knows ${formatVersion}: use the version that wrote it`,
  );
}

interface Schema<T> {
  safeParse(value: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

function parsed<T>(schema: Schema<T>, bytes: Buffer, fault: string): T {
  try {
    const result = schema.safeParse(JSON.parse(bytes.toString('utf8')));
    if (result.success) return result.data;
  } catch {
    // It is no JSON: the same fault.
  }
  throw damaged(fault);
}
