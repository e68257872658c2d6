/** The end of a link that was dialled: a session. Runs calls, sends replies and pushes, trusts nothing. */
import { Failure, isFailure, type Peer, type ShownCertificate } from '../interface/index.js';
import type { Clock } from './clock.js';
import type { Log } from './log.js';
import type { Service, Session } from './network.js';
import { sessionBounds } from './link-bounds.js';
import { failureRecord } from './link-failure.js';
import { beat, frameMessage, parseFrame, type Frame } from './link-frame.js';
import { Heartbeat } from './link-heartbeat.js';
import type { Wire, WireEnd } from './link-wire.js';

export interface ServerEndWorld {
  readonly clock: Clock;
  readonly log: Log;
}

/** A call whose handler runs or whose parts are being sent. */
interface CallUnderWay {
  cancelled: boolean;
  /** Stops the source of its parts. */
  stop: () => void;
}

export class ServerEnd implements WireEnd, Session {
  readonly id: number;
  readonly peer: Peer;
  readonly shown: ShownCertificate | undefined;
  readonly #wire: Wire;
  readonly #service: Service;
  readonly #world: ServerEndWorld;
  readonly #heartbeat: Heartbeat;
  readonly #calls = new Map<number, CallUnderWay>();
  #unsentReplies = 0;
  #unsentReplyBytes = 0;
  #unsentPushBytes = 0;
  #closed = false;

  constructor(
    id: number,
    { peer, shown }: Pick<Session, 'peer' | 'shown'>,
    wire: Wire,
    service: Service,
    world: ServerEndWorld,
  ) {
    this.id = id;
    this.peer = peer;
    this.shown = shown;
    this.#wire = wire;
    this.#service = service;
    this.#world = world;
    this.#heartbeat = new Heartbeat(world.clock, {
      sendBeat: () => this.#wire.send(beat),
      onSilence: (silence) => this.#end(`not heard for ${Math.round(silence)} ms`, true),
    });
    world.log.info('session opened', { session: id, peer: peer.name, role: peer.role });
    wire.send(frameMessage({ frame: 'hello', hello: service.hello }));
    service.opened(this);
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  push(push: unknown): void {
    if (this.#closed) return;
    const message = messageOf({ frame: 'push', push });
    if (message === undefined) return this.#end('a push exceeds the limit of a frame', true);
    this.#unsentPushBytes += message.length;
    if (this.#unsentPushBytes > sessionBounds.pushBytes) {
      return this.#end(`the client does not take its pushes (${this.#unsentPushBytes} bytes wait)`, true);
    }
    this.#wire.send(message, () => {
      this.#unsentPushBytes -= message.length;
    });
  }

  close(reason = 'closed by the server'): void {
    this.#end(reason, true);
  }

  heard(): void {
    this.#heartbeat.heard();
  }

  broken(reason: string): void {
    this.#end(reason, false);
  }

  received(message: Uint8Array): void {
    if (this.#closed) return;
    this.heard();
    try {
      this.#take(parseFrame(message));
    } catch (error) {
      if (!isFailure(error, 'invalid')) throw error;
      const { message: fault } = error;
      this.#world.log.warn('malformed frame', { session: this.id, peer: this.peer.name, fault });
      this.#end('malformed frame', true);
    }
  }

  #take(frame: Frame): void {
    switch (frame.frame) {
      case 'beat':
        return;
      case 'call':
        return this.#takeCall(frame.id, frame.name, frame.argument);
      case 'cancel': {
        // The reply may have crossed the cancel: then there is nothing to stop.
        const call = this.#calls.get(frame.id);
        if (call !== undefined) call.cancelled = true;
        return call?.stop();
      }
      default:
        throw new Failure('invalid', 'network.receive', `a client sent a ${frame.frame}`);
    }
  }

  #takeCall(id: number, name: string, argument: unknown): void {
    if (this.#calls.has(id)) throw new Failure('invalid', 'network.receive', 'a call id is used twice');
    if (this.#calls.size + this.#unsentReplies >= sessionBounds.callsUnderWay) return this.#refuse(id);
    void this.#run(id, name, argument);
  }

  #refuse(id: number): void {
    const message = `${sessionBounds.callsUnderWay} calls are under way on this link: try again`;
    this.#sendReply(frameMessage({ frame: 'failed', id, failure: { kind: 'busy', message, fid: null } }));
  }

  async #run(id: number, name: string, argument: unknown): Promise<void> {
    const call: CallUnderWay = { cancelled: false, stop: () => undefined };
    this.#calls.set(id, call);
    let message: Uint8Array;
    try {
      const result = await this.#service.call(this, name, argument);
      if (isAsyncIterable(result)) {
        await this.#sendParts(id, call, result);
        message = frameMessage({ frame: 'reply', id, result: null });
      } else {
        message = frameMessage({ frame: 'reply', id, result });
      }
    } catch (error) {
      const failure = failureRecord(error, `call.${name}`, this.#world.log);
      message = frameMessage({ frame: 'failed', id, failure });
    }
    this.#calls.delete(id);
    if (!call.cancelled) this.#sendReply(message);
  }

  /** One part after the other, each asked for only when the one before has left (back-pressure). */
  async #sendParts(id: number, call: CallUnderWay, parts: AsyncIterable<unknown>): Promise<void> {
    const source = parts[Symbol.asyncIterator]();
    let wake: () => void = () => undefined;
    call.stop = () => {
      wake();
      void source.return?.().catch((error: unknown) => this.#world.log.warn('parts not closed', { error }));
    };
    if (call.cancelled) return call.stop();
    for (;;) {
      const { done, value } = await source.next();
      if (done === true || call.cancelled) return;
      try {
        await new Promise<void>((resolve) => {
          wake = resolve;
          this.#sendReply(frameMessage({ frame: 'part', id, part: value }), resolve);
        });
      } catch (error) {
        call.stop();
        throw error;
      }
    }
  }

  #sendReply(message: Uint8Array, sent?: () => void): void {
    if (this.#closed) return;
    this.#unsentReplies += 1;
    this.#unsentReplyBytes += message.length;
    if (this.#unsentReplyBytes > sessionBounds.replyBytes) {
      return this.#end(`the client does not read its replies (${this.#unsentReplyBytes} bytes wait)`, true);
    }
    this.#wire.send(message, () => {
      this.#unsentReplies -= 1;
      this.#unsentReplyBytes -= message.length;
      sent?.();
    });
  }

  #end(reason: string, tellPeer: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#heartbeat.stop();
    if (tellPeer) this.#wire.close(reason);
    for (const call of this.#calls.values()) {
      call.cancelled = true;
      call.stop();
    }
    this.#world.log.info('session closed', { session: this.id, peer: this.peer.name, reason });
    this.#service.closed(this);
  }
}

/** The message, or undefined when it would be too large. */
function messageOf(frame: Frame): Uint8Array | undefined {
  try {
    return frameMessage(frame);
  } catch (error) {
    if (isFailure(error, 'too-large')) return undefined;
    throw error;
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
