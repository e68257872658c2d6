/** The end of a link that dialled: sends calls, matches replies, hands out pushes. */
import { Failure, isFailure } from '../interface/index.js';
import type { Clock, Timer } from './clock.js';
import type { Log } from './log.js';
import { linkTiming, type CallOptions, type Hello } from './network.js';
import { clientBounds } from './link-bounds.js';
import { cancelled, failureFrom } from './link-failure.js';
import { beat, frameMessage, isRecord, parseFrame, type Frame } from './link-frame.js';
import { Heartbeat } from './link-heartbeat.js';
import type { Wire, WireEnd } from './link-wire.js';

const defaultTimeoutMs = 10_000;

interface PendingCall {
  readonly operation: string;
  readonly timeoutMs: number;
  readonly parts: unknown[];
  partBytes: number;
  timer: Timer;
  readonly takePart: (part: unknown) => unknown;
  readonly settle: (outcome: { readonly result: unknown } | Failure) => void;
}

export interface ClientEndWorld {
  readonly clock: Clock;
  readonly log: Log;
}

export class ClientEnd implements WireEnd {
  /** The server's hello. @throws Failure unreachable, incompatible, or the one given to `refused` */
  readonly opened: Promise<Hello>;
  readonly closed: Promise<string>;
  readonly #wire: Wire;
  readonly #world: ClientEndWorld;
  readonly #address: string;
  readonly #onPush: (push: unknown) => void;
  readonly #calls = new Map<number, PendingCall>();
  readonly #dialTimer: Timer;
  #settleOpened: ((outcome: Hello | Failure) => void) | undefined;
  #settleClosed: (reason: string) => void = () => undefined;
  #heartbeat: Heartbeat | undefined;
  #closeReason: string | undefined;
  #lastId = 0;
  #unsentBytes = 0;

  constructor(wire: Wire, address: string, onPush: (push: unknown) => void, world: ClientEndWorld) {
    this.#wire = wire;
    this.#world = world;
    this.#address = address;
    this.#onPush = onPush;
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
    this.opened = new Promise((resolve, reject) => {
      this.#settleOpened = (outcome) => (outcome instanceof Failure ? reject(outcome) : resolve(outcome));
    });
    this.#dialTimer = world.clock.after(linkTiming.dialMs, () => {
      this.refused(this.#unreachable('network.dial', `no answer within ${linkTiming.dialMs} ms`));
    });
  }

  silence(): number {
    return this.#heartbeat?.silence() ?? 0;
  }

  call(name: string, argument: unknown, options: CallOptions = {}): Promise<unknown> {
    const operation = `call.${name}`;
    const { signal, timeoutMs = defaultTimeoutMs, takePart = (part) => part } = options;
    return new Promise((resolve, reject) => {
      this.#mustTakeCalls(operation, signal);
      const id = this.#lastId + 1;
      const message = frameMessage({ frame: 'call', id, name, argument });
      this.#lastId = id;
      const abort = (): void => {
        if (signal !== undefined) this.#abandon(id, cancelled(signal, operation));
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#calls.set(id, {
        operation,
        timeoutMs,
        parts: [],
        partBytes: 0,
        takePart,
        timer: this.#timeout(id, operation, timeoutMs),
        settle: (outcome) => {
          signal?.removeEventListener('abort', abort);
          if (outcome instanceof Failure) reject(outcome);
          else resolve(outcome.result);
        },
      });
      this.#send(message);
    });
  }

  #mustTakeCalls(operation: string, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw cancelled(signal, operation);
    if (this.#closeReason !== undefined) throw this.#unreachable(operation, this.#closeReason);
    if (this.#unsentBytes <= clientBounds.unsentBytes) return;
    throw new Failure('busy', operation, `${this.#address} takes no more calls at the moment`);
  }

  close(reason = 'closed by this side'): void {
    this.#end(reason, true);
  }

  /** The link cannot be opened, for a reason that the transport knows. */
  refused(failure: Failure): void {
    this.#settleOpened?.(failure);
    this.#end(failure.message, true);
  }

  heard(): void {
    this.#heartbeat?.heard();
  }

  broken(reason: string): void {
    this.#end(reason, false);
  }

  received(message: Uint8Array): void {
    if (this.#closeReason !== undefined) return;
    try {
      this.#take(parseFrame(message), message.length);
    } catch (error) {
      if (!isFailure(error, 'invalid')) throw error;
      this.#world.log.error('malformed frame', { from: this.#address, message: error.message });
      this.refused(new Failure('incompatible', 'network.dial', `${this.#address} speaks another protocol`));
    }
  }

  #take(frame: Frame, bytes: number): void {
    this.heard();
    if (this.#heartbeat === undefined) {
      if (frame.frame !== 'hello') throw new Failure('invalid', 'network.dial', 'no hello at the beginning');
      return this.#open(frame.hello);
    }
    switch (frame.frame) {
      case 'beat':
        return;
      case 'push':
        return this.#onPush(frame.push);
      case 'part':
        return this.#takePart(frame.id, frame.part, bytes);
      case 'reply':
        return this.#settle(frame.id, (call) => resultOf(call, frame.result));
      case 'failed':
        return this.#settle(frame.id, (call) => failureFrom(frame.failure, call.operation));
      case 'hello':
      case 'call':
      case 'cancel':
        throw new Failure('invalid', 'network.receive', `a server sent a ${frame.frame}`);
    }
  }

  #open(hello: Hello): void {
    this.#dialTimer.cancel();
    this.#heartbeat = new Heartbeat(this.#world.clock, {
      sendBeat: () => this.#wire.send(beat),
      onSilence: (silence) => this.close(`not heard for ${Math.round(silence)} ms`),
    });
    this.#settleOpened?.(hello);
  }

  #send(message: Uint8Array): void {
    this.#unsentBytes += message.length;
    this.#wire.send(message, () => {
      this.#unsentBytes -= message.length;
    });
  }

  #takePart(id: number, part: unknown, bytes: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return this.#mustHaveBeenCalled(id);
    call.partBytes += bytes;
    if (call.partBytes > clientBounds.replyBytes) {
      const message = `the reply exceeds ${clientBounds.replyBytes} bytes`;
      return this.#abandon(id, new Failure('too-large', call.operation, message));
    }
    try {
      call.parts.push(call.takePart(part));
    } catch (error) {
      if (!isFailure(error)) throw error;
      return this.#abandon(id, error);
    }
    // A long reply takes its time; only a stop in it is a timeout.
    call.timer.cancel();
    call.timer = this.#timeout(id, call.operation, call.timeoutMs);
  }

  #settle(id: number, outcomeOf: (call: PendingCall) => { readonly result: unknown } | Failure): void {
    const call = this.#calls.get(id);
    if (call === undefined) return this.#mustHaveBeenCalled(id);
    this.#calls.delete(id);
    call.timer.cancel();
    call.settle(outcomeOf(call));
  }

  /** A reply to a call that was given up meanwhile is late; one to a call that was never made is a fault. */
  #mustHaveBeenCalled(id: number): void {
    if (id > this.#lastId) throw new Failure('invalid', 'network.receive', 'a reply to no call');
  }

  #timeout(id: number, operation: string, timeoutMs: number): Timer {
    return this.#world.clock.after(timeoutMs, () => {
      const message = `${this.#address} did not answer within ${timeoutMs} ms`;
      this.#abandon(id, new Failure('timeout', operation, message));
    });
  }

  #abandon(id: number, failure: Failure): void {
    if (!this.#calls.has(id)) return;
    this.#settle(id, () => failure);
    if (this.#closeReason === undefined) this.#send(frameMessage({ frame: 'cancel', id }));
  }

  #end(reason: string, tellPeer: boolean): void {
    if (this.#closeReason !== undefined) return;
    this.#closeReason = reason;
    this.#dialTimer.cancel();
    this.#heartbeat?.stop();
    this.#settleOpened?.(this.#unreachable('network.dial', reason));
    for (const id of this.#calls.keys()) {
      this.#settle(id, (call) => this.#unreachable(call.operation, reason));
    }
    if (tellPeer) this.#wire.close(reason);
    this.#settleClosed(reason);
  }

  #unreachable(operation: string, reason: string): Failure {
    return new Failure('unreachable', operation, `no link to ${this.#address}: ${reason}`);
  }
}

/** A reply in parts is one value: the first part with the entries of all. */
function resultOf(call: PendingCall, result: unknown): { readonly result: unknown } | Failure {
  if (call.parts.length === 0) return { result };
  const entries: unknown[] = [];
  for (const part of call.parts) {
    const more = isRecord(part) ? part['entries'] : undefined;
    if (!Array.isArray(more)) {
      return new Failure('incompatible', call.operation, 'a part of the reply has no entries');
    }
    for (const entry of more as readonly unknown[]) entries.push(entry);
  }
  return { result: { ...(call.parts[0] as object), entries } };
}
