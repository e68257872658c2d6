/** Reads a tar archive entry by entry, as it comes; nothing is believed of it that it does not prove. */
import { createHash } from 'node:crypto';
import { isFailure } from '../../vice/interface/index.js';
import { blockBytes, damaged, parseBlock, tarPadding, withPax, type TarEntry } from './tar.js';

export class TarReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array();
  /** Of everything that was read; and of everything up to the header of the current entry. */
  readonly #hash = createHash('sha256');
  #before = '';
  /** Bytes of the current entry that have not been read yet, and those of its padding. */
  #left = 0;
  #padding = 0;

  constructor(archive: AsyncIterable<Uint8Array>) {
    this.#iterator = archive[Symbol.asyncIterator]();
  }

  /**
   * The next entry; undefined at the end of the archive, behind which nothing may be. The contents of the former one
   * must have been read.
   * @throws Failure invalid
   */
  async next(): Promise<TarEntry | undefined> {
    if (this.#left > 0) throw new Error('the contents of an entry were not read');
    await this.#takePadding();
    const block = await this.#block();
    if (block === undefined) {
      await this.#end();
      return undefined;
    }
    if (block.type !== 'pax') return this.#enter({ ...block, type: block.type });
    const body = await this.#take(block.size);
    this.#hash.update(body);
    this.#padding = tarPadding(block.size).length;
    await this.#takePadding();
    const next = await this.#block();
    if (next === undefined || next.type === 'pax') throw damaged('a name without its entry');
    return this.#enter(withPax({ ...next, type: next.type }, body));
  }

  /** The contents of the current entry. @throws Failure invalid */
  async *contents(): AsyncGenerator<Uint8Array> {
    while (this.#left > 0) {
      const chunk = await this.#some(this.#left);
      this.#hash.update(chunk);
      this.#left -= chunk.length;
      yield chunk;
    }
    await this.#takePadding();
  }

  /** The contents of the current entry, if they are at most `most` bytes. @throws Failure invalid */
  async small(most: number): Promise<Buffer> {
    if (this.#left > most) throw damaged('a part is longer than it may be');
    const bytes = await this.#take(this.#left);
    this.#hash.update(bytes);
    this.#left = 0;
    await this.#takePadding();
    return Buffer.from(bytes);
  }

  /** SHA-256 of all that is before the header of the current entry. */
  digestBefore(): string {
    return this.#before;
  }

  /** Lets whoever gives the archive know that no more of it will be read. */
  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  #enter(entry: TarEntry): TarEntry {
    this.#left = entry.size;
    this.#padding = tarPadding(entry.size).length;
    return entry;
  }

  async #block(): Promise<ReturnType<typeof parseBlock>> {
    const header = await this.#take(blockBytes);
    const block = parseBlock(header);
    this.#before = this.#hash.copy().digest('hex');
    this.#hash.update(header);
    return block;
  }

  async #takePadding(): Promise<void> {
    const padding = await this.#take(this.#padding);
    if (padding.some((byte) => byte !== 0)) throw damaged('there is something between two parts');
    this.#hash.update(padding);
    this.#padding = 0;
  }

  /** One block of zeros has been read: another must follow, and nothing else. */
  async #end(): Promise<void> {
    if (parseBlock(await this.#take(blockBytes)) !== undefined)
      throw damaged('there is something in its end');
    for (;;) {
      if (this.#chunk.some((byte) => byte !== 0)) throw damaged('there is something behind its end');
      const next = await this.#pull();
      if (next === undefined) return;
      this.#chunk = next;
    }
  }

  /** Exactly `length` bytes, which are few. */
  async #take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0;) {
      const part = await this.#some(missing);
      parts.push(part);
      missing -= part.length;
    }
    const [only] = parts;
    return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  }

  /** At least one byte and at most `most`. */
  async #some(most: number): Promise<Uint8Array> {
    while (this.#chunk.length === 0) {
      const next = await this.#pull();
      if (next === undefined) throw damaged('it ends too early');
      this.#chunk = next;
    }
    const some = this.#chunk.subarray(0, most);
    this.#chunk = this.#chunk.subarray(some.length);
    return some;
  }

  async #pull(): Promise<Uint8Array | undefined> {
    try {
      const { value, done } = await this.#iterator.next();
      return done === true ? undefined : value;
    } catch (error) {
      if (isFailure(error)) throw error;
      throw damaged(`it broke off (${error instanceof Error ? error.message : String(error)})`);
    }
  }
}
