/**
 * Whether the data folder is an old copy of itself, as far as a volume shows it: servers have met updates of this
 * gateway that it has not made. Whoever has seen those would take what it sends for seen. It stays so, and is kept in
 * mind over restarts: servers that can be reached then may know nothing of them. (Row `f/<volume>`.)
 */
import {
  Failure,
  intact,
  seal,
  type Result,
  type StoreIdVector,
  type VenusId,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import { z } from 'zod';
import type { Identity } from '../store/identity.js';
import type { WriteBuffer } from '../store/write-buffer.js';

interface OldCopyWorld {
  readonly identity: Pick<Identity, 'isStranger' | 'mayHaveMade'>;
  readonly buffer: WriteBuffer;
  readonly log: Log;
}

export class OldCopy {
  readonly #volume: VolumeId;
  readonly #world: OldCopyWorld;
  #fault: string | null;

  constructor(volume: VolumeId, world: OldCopyWorld) {
    this.#volume = volume;
    this.#world = world;
    const stored = world.buffer.get(`f/${volume}`);
    // A row that cannot be read still says that something was found.
    this.#fault = stored === undefined ? null : z.string().parse(intact(stored) ?? faultText('servers knew'));
  }

  /** Why nothing is logged or sent any more, and what to do; null: nothing is wrong. */
  get fault(): string | null {
    return this.#fault;
  }

  /** What servers say that an object has known: of the volume called `name`. */
  met(known: StoreIdVector, name: string): void {
    if (this.#world.identity.isStranger(known)) this.#found('servers know', name);
  }

  /**
   * `seen` of updates under `venus`, absent: what this gateway is called now.
   * @throws Failure damaged: not all can be of this gateway
   */
  mustHaveMade({ seen }: Result<'watch'>, server: string, name: string, venus?: VenusId): void {
    const { identity } = this.#world;
    if (seen.every((counter) => identity.mayHaveMade(counter, venus))) return;
    throw this.#found(`server ${server} knows`, name);
  }

  #found(who: string, name: string): Failure {
    if (this.#fault === null) {
      this.#fault = faultText(who);
      this.#world.buffer.put(`f/${this.#volume}`, seal(this.#fault));
      this.#world.log.error('old copy', { volume: name, fault: this.#fault });
    }
    return new Failure('damaged', 'venus.join', this.#fault);
  }
}

function faultText(who: string): string {
  return (
    `${who} later changes of this gateway than the gateway itself: its data folder is an old copy, or another` +
    ' gateway runs on a copy of it. Save what is pending (coda log checkpoint FILE), start the gateway with an' +
    ' empty data folder, then restore it (coda log restore FILE)'
  );
}
