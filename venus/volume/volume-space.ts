/** How much room a volume has at its servers: asked at most every few seconds, and remembered when nobody answers. */
import { Failure, isFailure, type VolumeId } from '../../vice/interface/index.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Space } from '../interface.js';
import type { Volume } from './volume.js';

const ageMs = 5000;

export class VolumeSpace {
  readonly #clock: Clock;
  readonly #known = new Map<VolumeId, { readonly space: Space; readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @throws Failure unreachable: nobody answers, and nobody ever did */
  async ask({ preferred, id }: Volume): Promise<Space> {
    const now = this.#clock.monotonic();
    const known = this.#known.get(id);
    const isFresh = known !== undefined && now - known.at < ageMs;
    if (preferred !== undefined && !isFresh) {
      const reply = await preferred.server.call('space', { volume: id }).catch((error: unknown) => {
        if (!isFailure(error)) throw error;
        return undefined;
      });
      if (reply !== undefined) {
        const space = { usedBytes: reply.used, availableBytes: reply.available };
        this.#known.set(id, { space, at: now });
        return space;
      }
    }
    if (known !== undefined) return known.space;
    const message = 'no server answers, and the space was never asked before';
    throw new Failure('unreachable', 'venus.space', message);
  }
}
