/**
 * Digests, and two numbers for each: where contents are in a file of any size, and how long they are. A table of 48
 * bytes an entry outside the heap, at most two thirds full: a million contents take 72 to 144 MB.
 */
const entryBytes = 48;
const digestBytes = 32;
const lengthAt = 40;
const firstSlots = 1024;

export interface IndexedContents {
  readonly at: number;
  readonly length: number;
}

export class DigestIndex {
  #slots = firstSlots;
  #table = Buffer.alloc(firstSlots * entryBytes);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of memory. */
  get bytes(): number {
    return this.#table.length;
  }

  /** What was added with `digest`. */
  get(digest: string): IndexedContents | undefined {
    const key = Buffer.from(digest, 'hex');
    const slot = this.#find(this.#table, this.#slots, key);
    const stored = Number(this.#table.readBigUInt64BE(slot + digestBytes));
    if (stored === 0) return undefined;
    return { at: stored - 1, length: Number(this.#table.readBigUInt64BE(slot + lengthAt)) };
  }

  /** False, and nothing is changed: it is there. Both numbers are whole, 0 or more. */
  add(digest: string, { at: value, length }: IndexedContents = { at: 0, length: 0 }): boolean {
    if ((this.#size + 1) * 3 > this.#slots * 2) this.#grow();
    const key = Buffer.from(digest, 'hex');
    const at = this.#find(this.#table, this.#slots, key);
    if (this.#table.readBigUInt64BE(at + digestBytes) !== 0n) return false;
    key.copy(this.#table, at);
    // 0 stands for an empty place.
    this.#table.writeBigUInt64BE(BigInt(value + 1), at + digestBytes);
    this.#table.writeBigUInt64BE(BigInt(length), at + lengthAt);
    this.#size += 1;
    return true;
  }

  /** Where `key` is, or belongs. */
  #find(table: Buffer, slots: number, key: Buffer): number {
    for (let slot = key.readUInt32BE(0) % slots; ; slot = (slot + 1) % slots) {
      const at = slot * entryBytes;
      if (table.readBigUInt64BE(at + digestBytes) === 0n) return at;
      if (key.equals(table.subarray(at, at + digestBytes))) return at;
    }
  }

  #grow(): void {
    const slots = this.#slots * 2;
    const table = Buffer.alloc(slots * entryBytes);
    for (let from = 0; from < this.#table.length; from += entryBytes) {
      if (this.#table.readBigUInt64BE(from + digestBytes) === 0n) continue;
      const key = this.#table.subarray(from, from + digestBytes);
      this.#table.copy(table, this.#find(table, slots, key), from, from + entryBytes);
    }
    this.#slots = slots;
    this.#table = table;
  }
}
