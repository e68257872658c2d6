/** What the test outside and the machine inside say to each other. */
import { z } from 'zod';

/** Where the machine takes orders, and where its gateway listens. */
export const agentPort = 9_001;
export const sharePort = 9_002;

const texts = z.array(z.string());

export const wordsSchema = z.object({
  order: z.enum(['servers', 'no-servers', 'gateway', 'volume', 'run', 'forget']),
  /** Of servers, or of a gateway. */
  names: texts.default([]),
  /** `run`: a program and its arguments; the answer is what it printed. */
  program: texts.default([]),
});
export type Words = z.infer<typeof wordsSchema>;
export type Order = z.input<typeof wordsSchema>;

const answerSchema = z.object({ result: z.unknown() });

/** @throws Error when there is no answer, or a bad one */
export async function tell(host: string, order: Order, timeoutMs = 120_000): Promise<unknown> {
  const reply = await fetch(`http://${host}:${agentPort}/`, {
    method: 'POST',
    body: JSON.stringify(order),
    signal: AbortSignal.timeout(timeoutMs),
  });
  const answer = await reply.text();
  if (!reply.ok) throw new Error(`${order.order} in the machine: ${answer}`);
  return answerSchema.parse(JSON.parse(answer)).result;
}
