/**
 * The load generator, a process of its own: `node load.js` reads one job as JSON from its standard input,
 * drives a server with it, and prints the figure as JSON.
 */
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

function* bodyOf(bytes: number): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += pieceBytes)
    yield piece.subarray(0, Math.min(pieceBytes, bytes - sent));
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
    return small ? piece.subarray(0, job.bodyBytes) : bodyOf(job.bodyBytes);
  };
  let requests = 0;
  let received = 0;
  const started = performance.now();
  const goesOn = (): boolean =>
    job.forMs === 0 ? requests < job.paths.length : performance.now() - started < job.forMs;
  const worker = async (): Promise<void> => {
    while (goesOn()) {
      const path = job.paths[requests % job.paths.length] ?? '/';
      requests += 1;
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
    }
  };
  await Promise.all(Array.from({ length: job.connections }, worker));
  const seconds = (performance.now() - started) / 1000;
  await pool.close();
  return { requests, seconds, received };
}

const job = jobSchema.parse(JSON.parse(await text(process.stdin)));
console.log(JSON.stringify(await drive(job)));
