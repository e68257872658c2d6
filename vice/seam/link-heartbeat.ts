/** NW-2: one end's beats, and its judgement of the peer's silence. */
import type { Clock, Timer } from './clock.js';
import { linkTiming } from './network.js';

export interface HeartbeatDuties {
  readonly sendBeat: () => void;
  /** The peer has been silent too long. Called at most once; the heartbeat has stopped then. */
  readonly onSilence: (silenceMs: number) => void;
}

export class Heartbeat {
  readonly #clock: Clock;
  readonly #duties: HeartbeatDuties;
  #heard: number;
  #ticked: number;
  #timer: Timer;

  constructor(clock: Clock, duties: HeartbeatDuties) {
    this.#clock = clock;
    this.#duties = duties;
    this.#heard = clock.monotonic();
    this.#ticked = this.#heard;
    this.#timer = clock.after(linkTiming.beatMs, () => this.#tick());
  }

  /** The peer has been heard. */
  heard(): void {
    this.#heard = this.#clock.monotonic();
  }

  /** Milliseconds since the peer was heard. */
  silence(): number {
    return this.#clock.monotonic() - this.#heard;
  }

  stop(): void {
    this.#timer.cancel();
  }

  #tick(): void {
    const now = this.#clock.monotonic();
    // This process, not the peer, may have been away; what the peer sent meanwhile is still unread.
    const slept = now - this.#ticked > linkTiming.silenceMs / 2;
    const silence = now - this.#heard;
    this.#ticked = now;
    if (silence >= linkTiming.silenceMs && !slept) return this.#duties.onSilence(silence);
    const left = Math.max(1, linkTiming.silenceMs - silence);
    this.#timer = this.#clock.after(slept ? linkTiming.beatMs : Math.min(left, linkTiming.beatMs), () =>
      this.#tick(),
    );
    this.#duties.sendBeat();
  }
}
