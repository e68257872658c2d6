/** A wire over a WebSocket: one binary message per frame. */
import type { Socket } from 'node:net';
import { WebSocket, type RawData } from 'ws';
import type { Clock } from '../clock.js';
import type { Wire, WireEnd } from '../link-wire.js';

/** How long the peer may take to answer a close before the socket is destroyed. */
const closeMs = 1000;

/** Messages are views of what the socket received: nothing is copied; nothing may be compressed or text. */
export const socketOptions = { perMessageDeflate: false, skipUTF8Validation: true } as const;

export class WebSocketWire implements Wire {
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  #tcp: Socket | undefined;
  #end: WireEnd | undefined;
  #corked = false;

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    socket.on('message', (data, isBinary) => this.#received(data, isBinary));
    socket.on('error', (error) => this.#broken(error.message));
    socket.on('close', (code, reason) => this.#broken(reason.toString() || `connection lost (${code})`));
  }

  /** From now on `end` is told what comes in over `tcp`, the socket under the WebSocket. */
  attach(end: WireEnd, tcp: Socket): void {
    this.#end = end;
    this.#tcp = tcp;
    // A frame of 16 MiB takes its time: its bytes are a sign of life before it is whole.
    tcp.on('data', () => this.#end?.heard());
  }

  send(message: Uint8Array, sent?: () => void): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#corkForThisTurn();
    this.#socket.send(message, { binary: true }, (error) => {
      if (error === undefined || error === null) sent?.();
    });
  }

  close(reason: string): void {
    this.#end = undefined;
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    // Before the handshake there is nobody to be polite to.
    if (this.#socket.readyState === WebSocket.CONNECTING) return this.#socket.terminate();
    this.#uncork();
    this.#socket.close(
      1000,
      Buffer.from(reason)
        .subarray(0, 100)
        .toString('latin1')
        .replace(/[^ -~]/g, '?'),
    );
    const timer = this.#clock.after(closeMs, () => this.#socket.terminate());
    this.#socket.once('close', () => timer.cancel());
  }

  /** What is sent in one turn of the event loop leaves in one write. */
  #corkForThisTurn(): void {
    if (this.#corked || this.#tcp === undefined) return;
    this.#corked = true;
    this.#tcp.cork();
    process.nextTick(() => this.#uncork());
  }

  #uncork(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#tcp?.uncork();
  }

  #received(data: RawData, isBinary: boolean): void {
    if (isBinary && Buffer.isBuffer(data)) return this.#end?.received(data);
    this.#socket.terminate();
    this.#broken('a text message came, which is no frame');
  }

  #broken(reason: string): void {
    const end = this.#end;
    this.#end = undefined;
    this.#socket.terminate();
    end?.broken(reason);
  }
}
