/** What a door answers item by item: one line of JSON for each. */
import type { z } from 'zod';

export async function readLines<T>(
  bytes: AsyncIterable<Uint8Array>,
  schema: z.ZodType<T>,
): Promise<readonly T[]> {
  const items: T[] = [];
  for await (const item of linesOf(bytes, schema)) items.push(item);
  return items;
}

/** The same one after the other, as they come. */
export async function* linesOf<T>(bytes: AsyncIterable<Uint8Array>, schema: z.ZodType<T>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield schema.parse(JSON.parse(line));
  }
}
