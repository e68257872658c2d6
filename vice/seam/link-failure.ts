/** Failures on their way through a network (NW-4), and the ones that a network itself meets. */
import { z } from 'zod';
import { Failure, failureKinds, parseFid, type FailureKind, type Fid } from '../interface/index.js';
import type { Log } from './log.js';

/** A Failure as it travels. */
export interface FailureRecord {
  readonly kind: FailureKind;
  readonly message: string;
  readonly fid: Fid | null;
}

const record = z.object({
  kind: z.enum(failureKinds),
  message: z.string().max(4000),
  fid: z.custom<Fid>((value) => typeof value === 'string' && parseFid(value) !== undefined).nullable(),
});

/** What the peer may know of `error`. Anything but a Failure is a fault of this process: the log has it. */
export function failureRecord(error: unknown, operation: string, log: Log): FailureRecord {
  if (error instanceof Failure) {
    return { kind: error.kind, message: error.message.slice(0, 4000), fid: error.fid ?? null };
  }
  log.error('handler failed', { operation, error });
  return { kind: 'incompatible', message: 'the server failed at this call; its log says why', fid: null };
}

/** The Failure that a peer's record tells of; `incompatible` when the record makes no sense. */
export function failureFrom(value: unknown, operation: string): Failure {
  const parsed = record.safeParse(value);
  if (!parsed.success) {
    return new Failure('incompatible', operation, 'the server failed in a way unknown here');
  }
  const { kind, message, fid } = parsed.data;
  return new Failure(kind, operation, message, fid === null ? {} : { fid });
}

/** The caller went away: its own Failure if it gave one as the reason. */
export function cancelled(signal: AbortSignal, operation: string): Failure {
  const reason: unknown = signal.reason;
  if (reason instanceof Failure) return reason;
  return new Failure('cancelled', operation, 'the caller has given up', { cause: reason });
}

/** The address is taken by another listener. */
export function addressInUse(host: string, port: number, cause?: unknown): Failure {
  const message = `${host}:${port} is in use: stop the program that listens there, or configure another port`;
  return new Failure('invalid', 'network.listen', message, { cause });
}
