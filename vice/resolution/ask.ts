/** Calls to a peer server, with every reply checked: a peer is not trusted to keep the contract. */
import type { z } from 'zod';
import {
  calls,
  contractFault,
  Failure,
  statusSchema,
  type Argument,
  type CallName,
  type Fid,
  type Result,
} from '../interface/index.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Link } from '../seam/network.js';

/** @throws Failure incompatible when the reply is not what the contract says; what the link throws */
export async function ask<C extends CallName>(
  link: Link,
  name: C,
  argument: Argument<C>,
  signal?: AbortSignal,
  timeoutMs?: number,
): Promise<Result<C>> {
  const options = { ...(signal && { signal }), ...(timeoutMs !== undefined && { timeoutMs }) };
  const reply = await link.call(name, argument, options);
  const schema: z.ZodType = calls[name].result;
  return checked(schema, reply, name) as Result<C>;
}

/** Entries checked between two turns of the event loop: checking 500 takes some milliseconds. */
const checkedAtOnce = 500;

/** A whole directory of `link`'s server; undefined when it has none such. */
export async function askDirectory(
  link: Link,
  directory: Fid,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<'list'> | undefined> {
  const argument = { volume: directory.slice(0, 8), fid: directory, full: true, cop2: [] };
  const reply = (await link.call('list', argument, { signal, timeoutMs: 60_000 })) as Result<'list'>;
  if (!Array.isArray(reply?.entries)) throw incompatible('list', 'no entries');
  const { status, digest } = checked(calls.list.result, { ...reply, entries: [] }, 'list');
  if (status === null) return undefined;
  checked(statusSchema, status, 'list');
  const entries: Result<'list'>['entries'][number][] = [];
  for (let from = 0; from < reply.entries.length; from += checkedAtOnce) {
    const part = reply.entries.slice(from, from + checkedAtOnce);
    entries.push(...checked(calls.list.result.shape.entries, part, 'list'));
    if (from > 0) await sleep(clock, 0, signal);
  }
  return { status, digest, entries };
}

function checked<T>(schema: z.ZodType<T>, reply: unknown, name: CallName): T {
  const parsed = schema.safeParse(reply);
  if (parsed.success) return parsed.data;
  throw incompatible(name, contractFault(parsed.error));
}

function incompatible(name: CallName, what: string): Failure {
  const message = `a peer answered ${name} against the contract: ${what}`;
  return new Failure('incompatible', `resolution.${name}`, message);
}
