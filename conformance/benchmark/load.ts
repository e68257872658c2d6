/**
 * The load generator, a process of its own: `node load.js` reads one job as JSON from its standard input,
 * drives a server with it, and prints the figures as JSON.
 */
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { Pool, type Dispatcher } from 'undici';
import { z } from 'zod';

const jobSchema = z.object({
  url: z.string(),
  user: z.string(),
  password: z.string(),
  method: z.enum(['GET', 'PUT', 'PROPFIND', 'DELETE', 'MKCOL']),
  /** Asked in turn, each once, or again and again until the time is over. */
  paths: z.array(z.string()),
  bodyBytes: z.number(),
  connections: z.number(),
  /** Milliseconds; 0: every path once. */
  forMs: z.number(),
});
export type Job = z.infer<typeof jobSchema>;

export interface Measured {
  readonly requests: number;
  readonly seconds: number;
  /** Bytes of answers' bodies. */
  readonly received: number;
  /** Milliseconds from a request to the end of its answer. */
  readonly medianMs: number;
  readonly p95Ms: number;
}

const statuses: Readonly<Record<Job['method'], readonly number[]>> = {
  GET: [200],
  PUT: [200, 201, 204],
  PROPFIND: [207],
  DELETE: [200, 204],
  MKCOL: [201],
};

const pieceBytes = 64 * 1024;
const piece = Buffer.alloc(pieceBytes, 'coda gateway benchmark ');

/** No two bodies are alike: contents that a server has seen before need not be sent to it again. */
function* bodyOf(bytes: number): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += pieceBytes) {
    const size = Math.min(pieceBytes, bytes - sent);
    yield sent === 0 ? distinctPiece(size) : piece.subarray(0, size);
  }
}

function distinctPiece(size: number): Buffer {
  const distinct = Buffer.from(piece.subarray(0, size));
  randomBytes(16).copy(distinct);
  return distinct;
}

/** The value that the share `part` of `sorted` does not exceed. */
function quantile(sorted: Float64Array, part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

async function drive(job: Job): Promise<Measured> {
  const pool = new Pool(job.url, {
    connections: job.connections,
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const authorization = `Basic ${Buffer.from(`${job.user}:${job.password}`).toString('base64')}`;
  const small = job.bodyBytes <= pieceBytes;
  const headers: Record<string, string> = { authorization };
  if (job.method === 'PROPFIND') headers['depth'] = '1';
  if (job.method === 'PUT') headers['content-length'] = `${job.bodyBytes}`;
  const body = (): Buffer | Generator<Buffer> | null => {
    if (job.method !== 'PUT') return null;
    return small ? distinctPiece(job.bodyBytes) : bodyOf(job.bodyBytes);
  };
  let requests = 0;
  let received = 0;
  const durations: number[] = [];
  const started = performance.now();
  const goesOn = (): boolean =>
    job.forMs === 0 ? requests < job.paths.length : performance.now() - started < job.forMs;
  const worker = async (): Promise<void> => {
    while (goesOn()) {
      const path = job.paths[requests % job.paths.length] ?? '/';
      requests += 1;
      const asked = performance.now();
      const reply = await pool.request({
        path,
        method: job.method as Dispatcher.HttpMethod,
        headers,
        body: body() as Dispatcher.DispatchOptions['body'] & null,
      });
      for await (const chunk of reply.body) received += (chunk as Buffer).length;
      if (!statuses[job.method].includes(reply.statusCode)) {
        throw new Error(`${job.method} ${path} answered ${reply.statusCode}`);
      }
      durations.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: job.connections }, worker));
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  const sorted = Float64Array.from(durations).sort();
  return { requests, seconds, received, medianMs: quantile(sorted, 0.5), p95Ms: quantile(sorted, 0.95) };
}

const job = jobSchema.parse(JSON.parse(await text(process.stdin)));
console.log(JSON.stringify(await drive(job)));
