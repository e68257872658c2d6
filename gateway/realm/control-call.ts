/** The asking side of a control door: where one is, how it is asked, whether anybody is still behind it. */
import { request } from 'node:http';
import { z } from 'zod';
import { messageOf, OperatorError, systemCode } from '../config/operator-error.js';
import { readIfThere } from './whole-file.js';

const controlSchema = z.object({
  pid: z.number().int(),
  port: z.number().int(),
  token: z.string(),
});

/** Where a process answers, and the secret that opens the door. */
export type Control = z.infer<typeof controlSchema>;

const pingSchema = z.object({ result: z.object({ standing: z.enum(['claiming', 'holding']) }) });

/** Towards its folder: a process wants it, has it, or is no more. */
export type Standing = z.infer<typeof pingSchema>['result']['standing'];

export interface Reply {
  readonly status: number;
  /** Undefined when it is no JSON. */
  readonly body: unknown;
}

const pingTimeoutMs = 2_000;
const replyBytes = 4 * 1024 * 1024;

/** Undefined when there is no such file, or a torn one. @throws OperatorError refused: it cannot be read */
export async function readControl(file: string): Promise<Control | undefined> {
  const text = await readIfThere(file).catch((cause: unknown) => {
    throw new OperatorError('refused', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (text === undefined) return undefined;
  try {
    return controlSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Whether the process behind `control` lives. Its port dies with it, and another's that has the number now
 * does not know the token: so no process id, which may be another process' by now, has to be trusted.
 */
export async function standingOf(control: Control): Promise<Standing | 'dead'> {
  try {
    const { status, body } = await ask(control, 'GET', '/ping', pingTimeoutMs);
    const ping = pingSchema.safeParse(body);
    return status === 200 && ping.success ? ping.data.result.standing : 'dead';
  } catch (error) {
    // A stopped or overloaded process does not answer but lives; only a closed port proves the contrary.
    return systemCode(error) === 'ECONNREFUSED' ? 'dead' : 'holding';
  }
}

/** @throws Error of the connection, or when `timeoutMs` have passed */
export function ask(control: Control, method: string, path: string, timeoutMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port: control.port,
      method,
      path,
      agent: false,
      headers: { authorization: `Bearer ${control.token}` },
      signal: AbortSignal.timeout(timeoutMs),
    };
    const outgoing = request(options, (incoming) => {
      const chunks: Buffer[] = [];
      let length = 0;
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > replyBytes) incoming.destroy(new Error('the answer is too long'));
        chunks.push(chunk);
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        resolve({ status: incoming.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString()) });
      });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
