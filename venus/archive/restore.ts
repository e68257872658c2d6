/**
 * Makes the changes of an archive anew, by the operations that users have, in the names of their authors. Running it
 * twice is harmless: what is there already is found, and what was stored beside something else too.
 *
 * First what was made, moved and removed, in the order of the log; then contents, as they come; last properties.
 */
import { Failure, isFailure, knows } from '../../vice/interface/index.js';
import type { Restored } from '../interface.js';
import { ArchiveReader } from './archive-reader.js';
import { RestoreAttributes } from './restore-attributes.js';
import { RestoreFiles } from './restore-files.js';
import { RestoreNames } from './restore-names.js';
import { RestoreOutcome } from './restore-outcome.js';
import { RestorePlaces } from './restore-places.js';
import { planRestore, type Repaired, type RestorePlan, type Stored } from './restore-plan.js';
import type { RestoreTarget } from './restore-target.js';

/**
 * @throws Failure invalid (torn or altered), incompatible, no-space: the message says what had been done by then
 */
export async function restoreArchive(
  archive: AsyncIterable<Uint8Array>,
  target: RestoreTarget,
): Promise<Restored> {
  const pause = (): Promise<void> => target.pause();
  const reader = new ArchiveReader(archive, pause);
  let restoration: Restoration | undefined;
  try {
    const { heading, lines } = await reader.start();
    const plan = await planRestore(lines, pause);
    restoration = new Restoration(target, plan, heading.realm === target.realm);
    await restoration.run(reader);
    return restoration.outcome.result();
  } catch (error) {
    if (restoration === undefined || !isFailure(error)) throw error;
    const message = `${error.message}; ${restoration.outcome.soFar()}`;
    throw new Failure(error.kind, 'venus.restore', message, { cause: error });
  } finally {
    await reader.close();
  }
}

class Restoration {
  readonly outcome: RestoreOutcome;
  readonly #target: RestoreTarget;
  readonly #plan: RestorePlan;
  readonly #isSameRealm: boolean;
  readonly #places: RestorePlaces;

  constructor(target: RestoreTarget, plan: RestorePlan, isSameRealm: boolean) {
    this.#target = target;
    this.#plan = plan;
    this.#isSameRealm = isSameRealm;
    this.outcome = new RestoreOutcome(plan.sequences);
    this.#places = new RestorePlaces(target, plan, isSameRealm, this.outcome);
  }

  async run(reader: ArchiveReader): Promise<void> {
    const { stores, attributes } = this.#plan;
    if (!this.#isSameRealm)
      this.outcome.remark('the archive is of another realm: what it moved or removed is left');
    const properties = new RestoreAttributes(this.#target, this.#plan, this.#places, this.outcome);
    await properties.look(attributes);
    const names = new RestoreNames(this.#target, this.#plan, this.#places, this.outcome);
    await names.restore(this.#isSameRealm);
    const files = new RestoreFiles(this.#target, this.#plan, this.#places, this.outcome);
    const byDigest = new Map<string, Stored[]>();
    for (const store of stores) {
      const others = byDigest.get(store.digest);
      if (others === undefined) byDigest.set(store.digest, [store]);
      else others.push(store);
    }
    for await (const contents of reader.contents())
      await files.restore(byDigest.get(contents.digest) ?? [], contents);
    await reader.end();
    for (const store of stores) if (store.length === 0) await files.restoreEmpty(store);
    await properties.restore(attributes);
    for (const repaired of this.#plan.repairs) await this.#noteRepaired(repaired);
  }

  /** What a person had decided about versions that are elsewhere by now, if at all, is for a person to decide again. */
  async #noteRepaired(repaired: Repaired): Promise<void> {
    const { fid, version } = repaired;
    const known = this.#isSameRealm ? await this.#target.known(fid) : null;
    if (known !== null && knows(known, version)) return;
    const name = JSON.stringify(this.#plan.paths.get(fid) ?? fid);
    this.outcome.note(repaired, `${name} was in conflict and is not decided anew: look at it`);
  }
}
