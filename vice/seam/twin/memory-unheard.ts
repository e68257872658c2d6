/** The end of a link that its caller has given up: it takes what the server says and closes after the first answer. */
import { parseFrame } from '../link-frame.js';
import type { Wire, WireEnd } from '../link-wire.js';

export class UnheardEnd implements WireEnd {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  heard(): void {
    // Nobody asks how long the server was silent.
  }

  received(message: Uint8Array): void {
    const { frame } = parseFrame(message);
    if (frame === 'reply' || frame === 'failed') this.#wire.close('given up');
  }

  broken(): void {
    // Nobody waits.
  }
}
