/** Streams that are begun before it is their turn, so that what they wait for, they wait for at the same time. */

/** What `source` yields, in its order; it is asked for `depth` more than have been taken. */
export async function* readAhead<T>(source: AsyncGenerator<T>, depth: number): AsyncGenerator<T> {
  const asked: Promise<IteratorResult<T>>[] = [];
  try {
    for (;;) {
      while (asked.length <= depth) asked.push(heard(source.next()));
      const next = await asked.shift();
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  } finally {
    await source.return(undefined);
  }
}

/** The chunks of `source`, which are read from now on, whole; a failure comes to whoever takes them. */
export function begun(source: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const all = heard(gathered(source));
  return (async function* () {
    yield* await all;
  })();
}

async function gathered(source: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return chunks;
}

/** Who stops early hears of no failure of what came later. */
function heard<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
