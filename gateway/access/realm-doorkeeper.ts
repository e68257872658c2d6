/**
 * Users whom the realm's servers keep. Each is asked for at a server; what it accepted is remembered here as a verifier
 * of this gateway's own, so that he gets in while no server can be asked.
 *
 *   password here   login at the servers      then
 *   right           holds                     in
 *   right           cannot be asked           in, if a server has confirmed it within `offlineDays`
 *   right           over                      logged in anew with the password: in, out, or (cannot be asked) as above
 *   right           refused                   the same, but nobody gets in by what the servers have said to be void
 *   wrong, unknown  -                         logged in with the password: in, out, or (cannot be asked) 503
 *
 * RD-1  A right password costs a scrypt once in this life of the process, then an HMAC: it comes with every request.
 * RD-2  A guess takes nothing away from the user: only what servers say of his login does.
 */
import { createHmac } from 'node:crypto';
import PQueue from 'p-queue';
import { Failure, isFailure, type People, type Standing } from '../../venus/interface.js';
import type { Clock } from '../../vice/seam/clock.js';
import type { Documents } from '../../vice/seam/documents.js';
import type { Passwords } from '../../vice/seam/passwords.js';
import type { Random } from '../../vice/seam/random.js';
import type { Doorkeeper } from './doorkeeper.js';

const day = 24 * 60 * 60 * 1000;
/** How long who has not been confirmed gets in without a server. */
const offlineDays = 30;
/** So often the time of the last confirmation is written down. */
const confirmedEveryMs = 60 * 60 * 1000;

export interface RealmDoorkeeperWorld {
  readonly people: People;
  /** By user: `verifier`, and `confirmed`, milliseconds since 1970. */
  readonly remembered: Documents;
  readonly passwords: Passwords;
  readonly clock: Clock;
  readonly random: Random;
}

export class RealmDoorkeeper implements Doorkeeper {
  readonly #world: RealmDoorkeeperWorld;
  readonly #key: Uint8Array;
  /** By user: HMAC of the password that was found right (RD-1), and the verifier that it was right for. */
  readonly #proven = new Map<string, { readonly mac: string; readonly verifier: string }>();
  /** Each takes 32 MiB (real/scrypt-passwords.ts). */
  readonly #hashes = new PQueue({ concurrency: 1 });

  constructor(world: RealmDoorkeeperWorld) {
    this.#world = world;
    this.#key = world.random.bytes(32);
  }

  /** Changes with the people of the realm, so that all are looked at anew then: it costs a call, no hash. */
  credentialOf(name: string): string | undefined {
    const remembered = this.#remembered(name);
    return remembered && `${this.#world.people.version} ${remembered.verifier}`;
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  async verify(name: string, password: string): Promise<boolean> {
    const { people } = this.#world;
    const isRight = await this.#isRight(name, password);
    const standing = isRight ? await people.renew(name) : 'over';
    if (isRight && standing === 'holds') {
      await this.#confirm(name);
      return true;
    }
    if (standing === 'unasked') return this.#offline(name, standing);
    try {
      await people.login(name, password);
    } catch (error) {
      if (isFailure(error, 'not-authenticated')) {
        if (isRight) await this.#forget(name);
        return false;
      }
      if (isRight && isFailure(error, 'unreachable')) return this.#offline(name, standing);
      throw error;
    }
    await this.#remember(name, password, isRight);
    return true;
  }

  /** @throws Failure unreachable */
  #offline(name: string, standing: Standing): boolean {
    const { confirmed } = this.#remembered(name) ?? { confirmed: 0 };
    const age = this.#world.clock.wall() - confirmed;
    if (standing !== 'refused' && age < offlineDays * day) return true;
    const message = 'no server can be asked whether the user may still log in';
    throw new Failure('unreachable', 'access.verify', message);
  }

  /** Whether it is the password that was right here before; as slow for who has never logged in here. */
  async #isRight(name: string, password: string): Promise<boolean> {
    const { passwords } = this.#world;
    const remembered = this.#remembered(name);
    const mac = this.#macOf(password);
    const proven = this.#proven.get(name);
    if (remembered !== undefined && proven?.mac === mac && proven.verifier === remembered.verifier)
      return true;
    const isRight = await this.#hashes.add(() =>
      remembered === undefined
        ? passwords.verifyNobody(password)
        : passwords.verify(password, remembered.verifier),
    );
    if (isRight !== true || remembered === undefined) return false;
    this.#proven.set(name, { mac, verifier: remembered.verifier });
    return true;
  }

  async #remember(name: string, password: string, isRight: boolean): Promise<void> {
    if (isRight) return this.#confirm(name);
    const verifier = await this.#hashes.add(() => this.#world.passwords.hash(password));
    if (verifier === undefined) return;
    await this.#keep(name, { verifier, confirmed: this.#world.clock.wall() });
    this.#proven.set(name, { mac: this.#macOf(password), verifier });
  }

  async #confirm(name: string): Promise<void> {
    const remembered = this.#remembered(name);
    const now = this.#world.clock.wall();
    if (remembered === undefined || Math.abs(now - remembered.confirmed) < confirmedEveryMs) return;
    await this.#keep(name, { ...remembered, confirmed: now });
  }

  async #forget(name: string): Promise<void> {
    this.#proven.delete(name);
    await this.#keep(name, null);
  }

  /** On a full disk he gets in all the same, only not while no server can be asked. */
  async #keep(name: string, remembered: Remembered | null): Promise<void> {
    const document = remembered && { ...remembered };
    await this.#world.remembered.change(new Map([[name, document]])).catch((error: unknown) => {
      if (!isFailure(error, 'no-space')) throw error;
    });
  }

  #remembered(name: string): Remembered | undefined {
    const { verifier, confirmed } = this.#world.remembered.all().get(name) ?? {};
    return typeof verifier === 'string' && typeof confirmed === 'number'
      ? { verifier, confirmed }
      : undefined;
  }

  #macOf(password: string): string {
    return createHmac('sha256', this.#key).update(password.normalize('NFC')).digest('base64');
  }
}

interface Remembered {
  readonly verifier: string;
  readonly confirmed: number;
}
