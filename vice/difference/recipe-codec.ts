/**
 * A recipe as bytes, made and read as it comes:
 *
 *   version (2 bytes), length of the contents (6), then for each chunk its length (3) and its digest (20)
 *
 * Numbers are big-endian. A reader believes nothing: a recipe is refused that is longer than contents of its length
 * can have one, that has a chunk which the cutter would not make, or whose chunks do not add up. That its digests are
 * true nobody checks here: what is put together by it is held against the digest of the whole.
 */
import { Failure } from '../interface/index.js';
import { chunkBytes } from './cutter.js';
import { chunkDigestBytes, Recipe } from './recipe.js';

/** Of the cuts and of this format. */
export const recipeVersion = 1;

const headerBytes = 8;
const rowBytes = 3 + chunkDigestBytes;

export function recipeHeader(length: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(recipeVersion, 0);
  header.writeUIntBE(length, 2, 6);
  return header;
}

/** The chunks of `recipe` from `start` up to but not including `end`. */
export function recipeRows(recipe: Recipe, start = 0, end = recipe.count): Buffer {
  const rows = Buffer.alloc((end - start) * rowBytes);
  for (let chunk = start, at = 0; chunk < end; chunk += 1, at += rowBytes) {
    rows.writeUIntBE(recipe.lengthOf(chunk), at, 3);
    rows.set(recipe.digestOf(chunk), at + 3);
  }
  return rows;
}

/** Reads the recipe of contents of `length` bytes. @throws Failure incompatible, invalid; what `source` throws */
export async function readRecipe(source: AsyncIterable<Uint8Array>, length: number): Promise<Recipe> {
  const recipe = new Recipe();
  let rest: Buffer = Buffer.alloc(0);
  let isBegun = false;
  for await (const piece of source) {
    const bytes: Buffer = rest.length === 0 ? Buffer.from(piece) : Buffer.concat([rest, piece]);
    let at = 0;
    if (!isBegun) {
      if (bytes.length < headerBytes) {
        rest = bytes;
        continue;
      }
      checkHeader(bytes, length);
      isBegun = true;
      at = headerBytes;
    }
    for (; at + rowBytes <= bytes.length; at += rowBytes) takeRow(recipe, bytes, at, length);
    rest = bytes.subarray(at);
  }
  if (!isBegun || rest.length > 0 || recipe.bytes !== length) throw invalid('ends early');
  return recipe;
}

function checkHeader(bytes: Buffer, length: number): void {
  const version = bytes.readUInt16BE(0);
  if (version !== recipeVersion) {
    throw new Failure('incompatible', 'difference.recipe', `the recipe is of version ${version}`);
  }
  if (bytes.readUIntBE(2, 6) !== length) throw invalid('is of contents of another length');
}

function takeRow(recipe: Recipe, bytes: Buffer, at: number, length: number): void {
  const chunk = bytes.readUIntBE(at, 3);
  const after = recipe.bytes + chunk;
  // Only the last one may be short, and after it there is nothing.
  const isWhole = chunk >= chunkBytes.least || (chunk > 0 && after === length);
  if (!isWhole || chunk > chunkBytes.most || after > length) throw invalid('has a chunk that cannot be');
  recipe.add(chunk, bytes.subarray(at + 3, at + rowBytes));
}

function invalid(fault: string): Failure {
  return new Failure('invalid', 'difference.recipe', `the recipe ${fault}`);
}
