/**
 * Dialling as somebody of the realm, by its key. While the realm key is renewed there are two, and not all servers know
 * both yet:
 *
 * PD-1  The first key is tried first; where a server refuses it, the next one.
 * PD-2  What a link was opened with is not what it stays with: as soon as the server takes the first key, the link is
 *       proved with that. So an older key can go everywhere, and no link is closed.
 * PD-3  Transfers beside a link are proved when they begin: credentials are shorter than links.
 */
import { isFailure, signCredential, type Peer, type RealmKeys } from '../interface/index.js';
import { sleep, type Clock } from './clock.js';
import type { DialOptions, Link, Network } from './network.js';

/** Milliseconds until a server is asked again whether it takes the first key. */
const againMs = 2000;

export interface Proof {
  readonly keys: RealmKeys;
  /** Id of the realm. */
  readonly realm: string;
  readonly peer: Peer;
  /** How long one credential counts: long enough for clocks that are set badly. */
  readonly lifeMs: number;
}

export interface DialWorld {
  readonly clock: Clock;
  readonly network: Network;
}

/** @throws what Network.dial throws; of several refusals that of the first key */
export async function dialProved(
  address: string,
  options: Omit<DialOptions, 'credential'>,
  proof: Proof,
  world: DialWorld,
): Promise<Link> {
  let refusal: unknown;
  for (const key of proof.keys.all()) {
    const proved = new Proved(key, proof, world.clock);
    try {
      const link = await world.network.dial(address, { ...options, credential: () => proved.credential() });
      proved.follow(link);
      return link;
    } catch (error) {
      if (!isFailure(error, 'not-authenticated')) throw error;
      refusal ??= error;
    }
  }
  throw refusal;
}

/** What one link is proved with. */
class Proved {
  #key: Uint8Array;
  readonly #proof: Proof;
  readonly #clock: Clock;
  #isAsking = false;

  constructor(key: Uint8Array, proof: Proof, clock: Clock) {
    this.#key = key;
    this.#proof = proof;
    this.#clock = clock;
  }

  credential(key = this.#key): string {
    const { realm, peer, lifeMs } = this.#proof;
    return signCredential(key, realm, peer, this.#clock.wall() + lifeMs);
  }

  /** PD-2, as long as `link` stands. */
  follow(link: Link): void {
    const ended = new AbortController();
    const look = (): void => void this.#renew(link, ended.signal);
    const unwatch = this.#proof.keys.watch?.(look);
    void link.closed.then((reason) => {
      unwatch?.();
      ended.abort(new Error(reason));
    });
    look();
  }

  async #renew(link: Link, ended: AbortSignal): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    for (let first = this.#newer(); first !== undefined && !ended.aborted; first = this.#newer()) {
      try {
        await link.call('prove', { credential: this.credential(first) });
        this.#key = first;
      } catch (error) {
        if (!isFailure(error)) throw error;
        // A server of an older version, which asks for nothing more on a link that is open.
        if (error.kind === 'incompatible') break;
        await sleep(this.#clock, againMs, ended).catch(() => undefined);
      }
    }
    this.#isAsking = false;
  }

  /** The first key, if it is another one. */
  #newer(): Uint8Array | undefined {
    const [first] = this.#proof.keys.all();
    return first === undefined || Buffer.compare(first, this.#key) === 0 ? undefined : first;
  }
}
