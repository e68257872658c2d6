/** Dead properties, modes and times of an archive, set anew where nobody else has changed the object meanwhile. */
import { isFailure, isWithin, type Fid } from '../../vice/interface/index.js';
import type { Caller, ObjectStatus } from '../interface.js';
import type { RestoreOutcome } from './restore-outcome.js';
import type { RestorePlaces } from './restore-places.js';
import type { Attributes, RestorePlan } from './restore-plan.js';
import type { RestoreTarget } from './restore-target.js';

export class RestoreAttributes {
  readonly #target: RestoreTarget;
  readonly #plan: RestorePlan;
  readonly #places: RestorePlaces;
  readonly #outcome: RestoreOutcome;
  readonly #untouched = new Set<Fid>();

  constructor(target: RestoreTarget, plan: RestorePlan, places: RestorePlaces, outcome: RestoreOutcome) {
    this.#target = target;
    this.#plan = plan;
    this.#places = places;
    this.#outcome = outcome;
  }

  /** First of all: what nobody else has changed, before this restoration itself changes it. */
  async look(attributes: readonly Attributes[]): Promise<void> {
    for (const { fid, author } of attributes) {
      const found = this.#plan.made.has(fid) ? undefined : await this.#places.find({ user: author }, fid);
      if (found !== undefined && (await this.#isUnchanged(found))) this.#untouched.add(fid);
    }
  }

  async restore(attributes: readonly Attributes[]): Promise<void> {
    const own = new Set(attributes.map(({ fid }) => fid));
    for (const fid of this.#places.fresh) {
      const made = this.#plan.made.get(fid);
      if (made === undefined || made.mode === null || own.has(fid)) continue;
      const { sequence, author, time, mode } = made;
      const none = { set: {}, remove: [], modified: undefined };
      await this.#tell({ sequence, author, time, fid, mode, ...none, owner: undefined, access: undefined });
    }
    for (const wanted of attributes) {
      const mode =
        wanted.mode ?? (this.#places.fresh.has(wanted.fid) ? this.#plan.made.get(wanted.fid)?.mode : null);
      await this.#tell({ ...wanted, mode: mode ?? undefined });
    }
  }

  async #tell(wanted: Attributes): Promise<void> {
    try {
      await this.#one(wanted);
    } catch (error) {
      if (!isFailure(error) || error.kind === 'no-space') throw error;
      this.#outcome.note(
        wanted,
        `the properties of ${this.#nameOf(wanted)} are not restored: ${error.message}`,
      );
    }
  }

  async #one(wanted: Attributes): Promise<void> {
    const caller = { user: wanted.author };
    const found =
      (await this.#places.find(caller, wanted.fid)) ?? (await this.#places.objectAtPath(caller, wanted.fid));
    if (found === undefined) {
      return this.#outcome.note(
        wanted,
        `the properties of ${this.#nameOf(wanted)} are not restored: it is gone`,
      );
    }
    if (wanted.owner !== undefined && wanted.owner !== found.owner) {
      this.#outcome.note(
        wanted,
        `the owner of ${this.#nameOf(wanted)} is not restored; it was "${wanted.owner}"`,
      );
    }
    if (isAs(found, wanted)) return;
    const isOurs = this.#places.fresh.has(wanted.fid) || this.#untouched.has(wanted.fid);
    if (!isOurs && !(await this.#isUnchanged(found))) {
      const words = `the properties of ${this.#nameOf(wanted)} are not restored: it was changed meanwhile`;
      return this.#outcome.note(wanted, words);
    }
    await this.#apply(caller, found, wanted);
    this.#outcome.done(wanted);
  }

  async #apply(caller: Caller, { fid, mode, modified }: ObjectStatus, wanted: Attributes): Promise<void> {
    const { set, remove } = wanted;
    if (Object.keys(set).length + remove.length > 0)
      await this.#target.setProperties(caller, fid, { set, remove });
    if (wanted.mode !== undefined && wanted.mode !== mode)
      await this.#target.setMode(caller, fid, wanted.mode);
    if (wanted.modified !== undefined && wanted.modified !== modified) {
      await this.#target.setModified(caller, fid, wanted.modified);
    }
    if (wanted.access !== undefined) await this.#target.setAccess(caller, fid, wanted.access);
  }

  async #isUnchanged({ fid }: ObjectStatus): Promise<boolean> {
    const known = await this.#target.known(fid);
    const seen = this.#plan.seen.get(fid);
    return known !== null && seen !== undefined && isWithin(known, seen);
  }

  #nameOf({ fid }: Attributes): string {
    return JSON.stringify(this.#plan.paths.get(fid) ?? this.#plan.made.get(fid)?.name ?? fid);
  }
}

function isAs({ properties, mode, modified }: ObjectStatus, wanted: Attributes): boolean {
  return (
    Object.entries(wanted.set).every(([name, value]) => properties[name] === value) &&
    wanted.remove.every((name) => properties[name] === undefined) &&
    wanted.access === undefined &&
    (wanted.mode === undefined || wanted.mode === mode) &&
    (wanted.modified === undefined || wanted.modified === modified)
  );
}
