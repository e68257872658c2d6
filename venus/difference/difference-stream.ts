/**
 * The body of a PUT on its way to servers that have the old version: it is cut and compared as it comes, and what goes
 * out are steps (vice/difference).
 *
 * DS-1  The old contents are known a good way ahead of the new ones; where something is new, further: one byte that is
 *       sent in vain has sixteen more looked at, so whatever was moved within the file, or taken out of it, is found
 *       again for a sixteenth of its distance.
 * DS-2  No step is held back for long (`longest`): what the servers put together keeps up with what comes.
 */
import { Differ, longest, type Operation } from '../../vice/difference/difference.js';
import { stepHeader } from '../../vice/difference/operation-codec.js';
import { RecipeMaker, type Recipe } from '../../vice/difference/recipe.js';
import type { OldContents } from './known-recipes.js';

const aheadBytes = 64 * 1024 * 1024;
const searchedPerByte = 16;
/** Data is kept in memory until its step is known to end. */
const dataMost = 256 * 1024;

/** One who is sent steps. */
export interface Sink {
  /** Whether nothing reaches it any more. */
  readonly broken: boolean;
  write(bytes: Uint8Array): Promise<void>;
}

interface Chunk {
  readonly parts: readonly Uint8Array[];
  readonly key: string;
  readonly length: number;
}

export class DifferenceStream {
  readonly #old: OldContents;
  readonly #sinks: readonly Sink[];
  readonly #maker = new RecipeMaker();
  readonly #differ: Differ;
  /** Of the chunk that is open. */
  #parts: Uint8Array[] = [];
  /** Of the data that is open. */
  #data: Uint8Array[] = [];
  #position = 0;
  #ahead = aheadBytes;

  constructor(old: OldContents, sinks: readonly Sink[]) {
    this.#old = old;
    this.#sinks = sinks;
    this.#differ = new Differ(old.index, { copy: longest.copy, data: dataMost });
  }

  /** Takes the next bytes of the body; resolves when the servers keep up. Calls do not overlap. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#sinks.every(({ broken }) => broken)) return;
    const chunks: Chunk[] = [];
    this.#maker.push(piece, (bytes, isEnd) => {
      this.#parts.push(bytes);
      if (isEnd) chunks.push(this.#chunk());
    });
    for (const chunk of chunks) await this.#take(chunk);
  }

  /** All has come: sends the last steps. */
  async end(): Promise<void> {
    if (this.#maker.end()) await this.#take(this.#chunk());
    await this.#send(this.#differ.end());
  }

  /** Of the body, if all of it was written while somebody listened. */
  recipe(length: number): Recipe | undefined {
    return this.#maker.recipe.bytes === length ? this.#maker.recipe : undefined;
  }

  close(): Promise<void> {
    return this.#old.close();
  }

  #chunk(): Chunk {
    const { recipe } = this.#maker;
    const last = recipe.count - 1;
    const parts = this.#parts;
    this.#parts = [];
    return { parts, key: recipe.keyOf(last), length: recipe.lengthOf(last) };
  }

  async #take({ parts, key, length }: Chunk): Promise<void> {
    await this.#old.upTo(this.#position + this.#ahead);
    const finished = this.#differ.take(key, length);
    this.#position += length;
    await this.#send(finished);
    if (!this.#differ.isData) return;
    this.#data.push(...parts);
    this.#ahead += length * searchedPerByte;
  }

  async #send(step: Operation | undefined): Promise<void> {
    if (step === undefined) return;
    const data = step.kind === 'data' ? this.#data : [];
    if (step.kind === 'data') this.#data = [];
    for (const bytes of [stepHeader(step), ...data]) {
      await Promise.all(this.#sinks.map((sink) => sink.write(bytes)));
    }
  }
}
