/** What the test outside and the machine inside say to each other. */
import { z } from 'zod';

/** Where the machine takes orders, and where its gateway listens. */
export const agentPort = 9_001;
export const sharePort = 9_002;

/** What the machine says on its console when it takes orders. */
export const readyLine = 'coda: takes orders';

const texts = z.array(z.string());

/** What can be done to the realm, and asked of it, by `administer`. */
export const deedSchema = z.enum([
  'take-snapshot',
  'take-snapshot-at',
  'snapshots',
  'add-replica',
  'remove-replica',
  'replicas',
  'renew-key',
  'keys',
]);
export type Deed = z.infer<typeof deedSchema>;

export const wordsSchema = z.object({
  order: z.enum(['mount', 'servers', 'no-servers', 'gateway', 'volume', 'administer', 'run', 'forget']),
  /** Of servers, or of a gateway; `mount`: how the disk is mounted; `administer`: a deed, and what it is done to. */
  names: texts.default([]),
  /** `run`: a program and its arguments; the answer is what it printed. */
  program: texts.default([]),
});
export type Words = z.infer<typeof wordsSchema>;
export type Order = z.input<typeof wordsSchema>;

const answerSchema = z.object({ result: z.unknown() });

const answerMs = 120_000;

/**
 * @param off tells that the machine has no power: it will not say so
 * @throws Error when there is no answer, or a bad one
 */
export async function tell(host: string, order: Order, off: AbortSignal): Promise<unknown> {
  const reply = await fetch(`http://${host}:${agentPort}/`, {
    method: 'POST',
    body: JSON.stringify(order),
    // A connection that was kept might be closed inside just when the next order is sent.
    headers: { connection: 'close' },
    signal: AbortSignal.any([off, AbortSignal.timeout(answerMs)]),
  });
  const answer = await reply.text();
  if (!reply.ok) throw new Error(`${order.order} in the machine: ${answer}`);
  return answerSchema.parse(JSON.parse(answer)).result;
}
