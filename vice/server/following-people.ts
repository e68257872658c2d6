/**
 * Fetches the people document from the other servers when the realm document says that there is a newer one than here,
 * until there is none.
 */
import { isFailure } from '../interface/index.js';
import type { Location } from '../location/location.js';
import { announced } from '../location/people-version.js';
import type { People } from '../protection/people.js';
import { ask } from '../resolution/ask.js';
import type { ServerLinks } from '../resolution/links.js';
import { sleep, type Clock } from '../seam/clock.js';
import type { Log } from '../seam/log.js';

const againMs = 1000;

export interface FollowingWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly location: Location;
  readonly people: People;
  readonly links: ServerLinks;
}

export class FollowingPeople {
  readonly #world: FollowingWorld;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor(world: FollowingWorld) {
    this.#world = world;
  }

  /** There may be newer ones, or somebody new to ask. */
  look(): void {
    if (this.#running !== undefined || !this.#isBehind || this.#stop.signal.aborted) return;
    this.#running = this.#catchUp()
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) throw error;
      })
      .finally(() => (this.#running = undefined));
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the server closes'));
    await this.#running;
  }

  get #isBehind(): boolean {
    const { location, people } = this.#world;
    return people.version < (location.current.people?.version ?? 0);
  }

  async #catchUp(): Promise<void> {
    const { clock, log, people, links } = this.#world;
    while (this.#isBehind) {
      for (const [server, link] of links.all()) {
        try {
          await people.adopt(await ask(link, 'people', {}, this.#stop.signal));
        } catch (error) {
          if (!isFailure(error)) throw error;
          log.debug('people not fetched', { server, reason: error.message });
        }
        if (!this.#isBehind) return log.info('people fetched', { version: people.version, from: server });
      }
      await sleep(clock, againMs, this.#stop.signal);
    }
  }
}

/**
 * This server publishes from now on, as the one that did is lost. People that it has announced and nobody else has are
 * lost with it: those that are here count as the newest then.
 */
export async function takePeopleOver({
  location,
  people,
  log,
}: Pick<FollowingWorld, 'location' | 'people' | 'log'>): Promise<void> {
  const lost = location.current.people?.version ?? 0;
  if (people.current === undefined || people.version >= lost) return;
  log.warn('people of the lost publisher are lost', { here: people.version, lost });
  await people.change((current) => ({ ...current, version: location.current.version + 1 }));
  await location.publish((current) => announced(current, people.version));
}
