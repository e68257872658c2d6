/** Compressed answers: a listing shrinks to a tenth, which is what counts on a slow line. */
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Exchange } from './exchange.js';

/** Whether the client asks for gzip and is one whose reader of it is not its own weak point. */
export function acceptsGzip({ headers, client }: Exchange): boolean {
  if (client.kind === 'windows' || client.kind === 'macos' || client.kind === 'office') return false;
  const codings = String(headers['accept-encoding'] ?? '').split(',');
  return codings.some((coding) => /^\s*gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(coding));
}

/** `chunks` compressed, with back-pressure; what `chunks` fails with, the result fails with. */
export function gzipped(chunks: AsyncIterable<string>): AsyncIterable<Uint8Array> {
  const gzip = createGzip({ level: 1 });
  // An error destroys the compressor too, and so reaches whoever reads it.
  pipeline(Readable.from(chunks), gzip, () => {});
  return gzip;
}
