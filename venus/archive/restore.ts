/**
 * Makes the changes of an archive anew, by the operations that users have, in the names of their authors. Running it
 * twice is harmless: what is there already is found, and what was stored beside something else too.
 *
 * First what was made, moved and removed, in the order of the log; then contents, as they come; last properties.
 */
import { Failure, isFailure, isWithin, knows, type Fid } from '../../vice/interface/index.js';
import type { Caller, ObjectStatus, Restored } from '../interface.js';
import { ArchiveReader } from './archive-reader.js';
import { RestoreAttributes } from './restore-attributes.js';
import { RestoreFiles } from './restore-files.js';
import { RestoreOutcome } from './restore-outcome.js';
import { RestorePlaces } from './restore-places.js';
import {
  planRestore,
  type Act,
  type Made,
  type RestorePlan,
  type Step,
  type Stored,
} from './restore-plan.js';
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
    if (!this.#isSameRealm)
      this.outcome.remark('the archive is of another realm: what it moved or removed is left');
    await this.#namespace();
    const { stores, attributes } = this.#plan;
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
    await new RestoreAttributes(this.#target, this.#plan, this.#places, this.outcome).restore(attributes);
  }

  async #namespace(): Promise<void> {
    const waiting: Made[] = [];
    for (const [index, step] of this.#plan.steps.entries()) {
      await this.#tell(step, step.step === 'rename' ? step.record.toName : this.#nameOf(step), async () => {
        const made = step.step === 'make' ? this.#plan.made.get(step.fid) : undefined;
        if (made?.op === 'mkdir' && (await this.#places.mustWait(made))) waiting.push(made);
        else await this.#step(step);
      });
      if (index % 100 === 99) await this.#target.pause();
    }
    for (const made of waiting) await this.#tell(made, made.name, () => this.#places.make(made));
    await this.#places.settle();
  }

  async #tell(act: Act, name: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isFailure(error) || error.kind === 'no-space') throw error;
      this.outcome.note(act, `${JSON.stringify(name)} is not restored: ${error.message}`);
    }
  }

  #nameOf(step: Exclude<Step, { step: 'rename' }>): string {
    return step.step === 'remove' ? step.name : (this.#plan.made.get(step.fid)?.name ?? step.fid);
  }

  async #step(step: Step): Promise<void> {
    if (step.step === 'rename') return this.#rename(step);
    if (step.step === 'remove') return this.#remove(step);
    const made = this.#plan.made.get(step.fid);
    if (made?.op === 'symlink') await this.#link(made);
    else if (made !== undefined) await this.#places.make(made);
  }

  async #link(made: Made): Promise<void> {
    const caller = { user: made.author };
    const existing = await this.#places.find(caller, made.fid);
    if (existing?.kind === 'symlink') return;
    const parent = await this.#places.directory(caller, made.parent);
    const found = await this.#places.entry(caller, parent, made.name);
    if (found?.kind === 'symlink' && found.target === made.target) {
      this.#places.at.set(made.fid, found.fid);
      return;
    }
    const name = found === undefined ? made.name : await this.#places.freeName(caller, parent, made);
    const status = await this.#target.makeSymlink(caller, parent, name, made.target);
    this.#places.bind(parent, name, status.fid);
    this.#places.at.set(made.fid, status.fid);
    this.#places.fresh.add(made.fid);
    this.outcome.done(made);
    if (name !== made.name)
      this.outcome.note(made, `${JSON.stringify(made.name)} was taken, its link is "${name}"`);
  }

  /** Only where exactly what the author moved still bears the name. */
  async #rename(step: Extract<Step, { step: 'rename' }>): Promise<void> {
    const { fid, fromParent, fromName, toParent, toName, author } = step.record;
    if (!this.#isSameRealm)
      return this.outcome.note(step, `${JSON.stringify(fromName)} is not moved to "${toName}"`);
    const caller = { user: author };
    const target = await this.#places.known(caller, toParent);
    const there = target === undefined ? undefined : await this.#places.entry(caller, target, toName);
    if (there?.fid === fid) return;
    const source = await this.#places.known(caller, fromParent);
    const found = source === undefined ? undefined : await this.#places.entry(caller, source, fromName);
    if (source === undefined || found?.fid !== fid || !this.#hadSeen(found)) {
      if (await this.#isAtItsPlace(caller, fid)) return;
      return this.outcome.note(
        step,
        `${JSON.stringify(fromName)} is not moved to "${toName}": it was changed meanwhile`,
      );
    }
    if (there !== undefined)
      return this.outcome.note(step, `"${fromName}" is not moved: "${toName}" is taken`);
    const directory = target ?? (await this.#places.directory(caller, toParent));
    const from = { parent: source, name: fromName };
    await this.#target.rename(caller, from, { parent: directory, name: toName }, { replace: false });
    this.#places.unbind(source, fromName);
    this.#places.bind(directory, toName, fid);
    this.outcome.done(step);
  }

  /** Only what is exactly as the author had seen it; of directories, empty ones. */
  async #remove(step: Extract<Step, { step: 'remove' }>): Promise<void> {
    const { fid, parent, name, author, isDirectory } = step;
    if (!this.#isSameRealm) return this.outcome.note(step, `${JSON.stringify(name)} is not removed`);
    const caller = { user: author };
    const directory = await this.#places.known(caller, parent);
    const found = directory === undefined ? undefined : await this.#places.entry(caller, directory, name);
    if (directory === undefined || found?.fid !== fid) return;
    const isSame = isDirectory ? await this.#isEmpty(caller, fid) : await this.#isUnchanged(fid);
    if (!isSame) {
      const why = isDirectory ? 'there is something in it' : 'it was changed meanwhile';
      return this.outcome.note(step, `${JSON.stringify(name)} is not removed: ${why}`);
    }
    const { version } = found;
    await this.#target.remove(caller, directory, name, version === null ? undefined : { version });
    this.#places.unbind(directory, name);
    this.outcome.done(step);
  }

  #hadSeen({ fid, version }: ObjectStatus): boolean {
    return version === null || knows(this.#plan.seen.get(fid) ?? {}, version);
  }

  async #isUnchanged(fid: Fid): Promise<boolean> {
    const known = await this.#target.known(fid);
    return known !== null && isWithin(known, this.#plan.seen.get(fid) ?? {});
  }

  async #isEmpty(caller: Caller, directory: Fid): Promise<boolean> {
    for await (const batch of this.#target.list(caller, directory)) {
      if (batch.length > 0) return false;
    }
    return true;
  }

  /** Whether the object is where the archive's author had it in the end. */
  async #isAtItsPlace(caller: Caller, fid: Fid): Promise<boolean> {
    return (await this.#places.objectAtPath(caller, fid))?.fid === fid;
  }
}
