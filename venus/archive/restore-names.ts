/**
 * What an archive made, moved and removed, done anew. Each object goes to where it ended, at once; where its name is
 * not free yet, because what bears it has still to go, it waits for the next round.
 *
 * RN-1  What was there before is moved or removed only where exactly what the archive's author had seen is there.
 * RN-2  Of two that wait for each other one gets a name beside, until the other has gone.
 */
import { isFailure, isWithin, knows, type Fid } from '../../vice/interface/index.js';
import type { Caller, ObjectStatus } from '../interface.js';
import type { Binding } from './format.js';
import type { RestoreOutcome } from './restore-outcome.js';
import type { RestorePlaces } from './restore-places.js';
import type { Made, RestorePlan, Step } from './restore-plan.js';
import type { RestoreTarget } from './restore-target.js';

/** More are only needed by what no log of a person brings about. */
const roundsMost = 1000;

type Move = Step & { readonly step: 'move' };
type Removal = Step & { readonly step: 'remove' };

/** Why a step was not done. */
interface Blocked {
  readonly why: string;
  /** It may be done in the next round. */
  readonly waits: boolean;
  /** What bears the name that it needs. */
  readonly by?: Fid;
}

interface Found {
  readonly directory: Fid;
  readonly name: string;
  readonly object: ObjectStatus;
}

export class RestoreNames {
  readonly #target: RestoreTarget;
  readonly #plan: RestorePlan;
  readonly #places: RestorePlaces;
  readonly #outcome: RestoreOutcome;
  /** Objects that have names beside, in directories of the share. */
  readonly #beside = new Map<Fid, Binding>();

  constructor(target: RestoreTarget, plan: RestorePlan, places: RestorePlaces, outcome: RestoreOutcome) {
    this.#target = target;
    this.#plan = plan;
    this.#places = places;
    this.#outcome = outcome;
  }

  async restore(isSameRealm: boolean): Promise<void> {
    let waiting: readonly Step[] = isSameRealm ? this.#plan.steps : this.#makings();
    for (let round = 1; waiting.length > 0; round += 1) {
      const blocked = new Map<Step, Blocked>();
      for (const step of waiting) {
        const why = await this.#try(step);
        if (why?.waits === true) blocked.set(step, why);
        else if (why !== undefined) this.#outcome.note(step, why.why);
      }
      const isStuck = blocked.size === waiting.length;
      if ((isStuck && !(await this.#sidestep(blocked))) || round === roundsMost) {
        for (const [step, { why }] of blocked) this.#outcome.note(step, why);
        break;
      }
      waiting = [...blocked.keys()];
    }
    await this.#places.settle();
  }

  #makings(): readonly Step[] {
    const left = this.#plan.steps.filter(({ step }) => step !== 'make');
    for (const step of left) this.#outcome.note(step, `${nameOf(step)} is not ${step.step}d`);
    return this.#plan.steps.filter(({ step }) => step === 'make');
  }

  async #try(step: Step): Promise<Blocked | undefined> {
    await this.#target.pause();
    try {
      if (step.step === 'move') return await this.#move(step);
      if (step.step === 'remove') return await this.#remove(step);
      const made = this.#plan.made.get(step.fid);
      if (made === undefined) return undefined;
      if (await this.#places.mustWait(made))
        return { why: `${JSON.stringify(made.name)} is taken`, waits: true };
      if (made.op === 'symlink') await this.#link(made);
      else await this.#places.make(made);
      return undefined;
    } catch (error) {
      if (!isFailure(error) || error.kind === 'no-space') throw error;
      const why = `${nameOf(step, this.#plan)} is not restored: ${error.message}`;
      // A directory that has still to come out of the one that is moved.
      return { why, waits: error.kind === 'loop' };
    }
  }

  async #move(step: Move): Promise<Blocked | undefined> {
    const caller = { user: step.author };
    const found = await this.#find(caller, step.fid, step.places);
    const target = await this.#places.known(caller, step.to.parent);
    if (found !== undefined && found.directory === target && found.name === step.to.name) return undefined;
    const what = `${nameOf(step)} is not moved to "${step.to.name}"`;
    if (found === undefined || !this.#hadSeen(found.object)) {
      const isThere = (await this.#places.objectAtPath(caller, step.fid))?.fid === step.fid;
      return isThere ? undefined : { why: `${what}: it was changed meanwhile`, waits: false };
    }
    const directory = target ?? (await this.#places.directory(caller, step.to.parent));
    const there = await this.#places.entry(caller, directory, step.to.name);
    if (there !== undefined && there.fid !== step.fid) {
      return { why: `${what}: that name is taken`, waits: this.#plan.leaving.has(there.fid), by: there.fid };
    }
    await this.#rename(caller, found, directory, step.to.name);
    this.#outcome.done(step);
    return undefined;
  }

  async #remove(step: Removal): Promise<Blocked | undefined> {
    const caller = { user: step.author };
    const found = await this.#find(caller, step.fid, step.places);
    if (found === undefined) return undefined;
    const { directory, name, object } = found;
    if (step.isDirectory && !(await this.#isEmpty(caller, step.fid))) {
      return { why: `"${name}" is not removed: there is something in it`, waits: true };
    }
    if (!step.isDirectory && !(await this.#isUnchanged(step.fid))) {
      return { why: `"${name}" is not removed: it was changed meanwhile`, waits: false };
    }
    const { version } = object;
    await this.#target.remove(caller, directory, name, version === null ? undefined : { version });
    this.#places.unbind(directory, name);
    this.#outcome.done(step);
    return undefined;
  }

  async #link(made: Made): Promise<void> {
    const caller = { user: made.author };
    const existing = await this.#places.find(caller, made.fid);
    if (existing?.kind === 'symlink') return;
    const parent = await this.#places.directory(caller, made.parent);
    const found = await this.#places.entry(caller, parent, made.name);
    const serves = ({ kind, target }: ObjectStatus): boolean => kind === 'symlink' && target === made.target;
    const own = { name: made.name, found };
    const isUsable = found === undefined || serves(found);
    const place = isUsable ? own : await this.#places.beside(caller, parent, made, serves);
    const { name } = place;
    const status = place.found ?? (await this.#target.makeSymlink(caller, parent, name, made.target));
    this.#places.at.set(made.fid, status.fid);
    if (place.found === undefined) {
      this.#places.bind(parent, name, status.fid);
      this.#places.fresh.add(made.fid);
      this.#outcome.done(made);
    }
    if (name !== made.name) this.#outcome.note(made, `"${made.name}" was taken, its link is "${name}"`);
  }

  /** Nothing goes on: one of those that wait for each other in a circle gets a name beside (RN-2). */
  async #sidestep(blocked: ReadonlyMap<Step, Blocked>): Promise<boolean> {
    const step = circleIn(blocked);
    if (step === undefined) return false;
    const caller = { user: step.author };
    const found = await this.#find(caller, step.fid, step.places);
    if (found === undefined) return false;
    const { directory } = found;
    const wanted = { ...step, name: step.to.name };
    const { name } = await this.#places.beside(caller, directory, wanted, () => false);
    await this.#rename(caller, found, directory, name);
    this.#beside.set(step.fid, { parent: directory, name });
    return true;
  }

  /** Where the object is, if it is at one of its places. */
  async #find(caller: Caller, fid: Fid, places: readonly Binding[]): Promise<Found | undefined> {
    const beside = this.#beside.get(fid);
    for (const { parent, name } of beside === undefined ? places.toReversed() : [beside]) {
      const directory = beside === undefined ? await this.#places.known(caller, parent) : parent;
      const object = directory === undefined ? undefined : await this.#places.entry(caller, directory, name);
      if (directory !== undefined && object?.fid === fid) return { directory, name, object };
    }
    return undefined;
  }

  async #rename(caller: Caller, { directory, name, object }: Found, to: Fid, toName: string): Promise<void> {
    const target = { parent: to, name: toName };
    await this.#target.rename(caller, { parent: directory, name }, target, { replace: false });
    this.#places.unbind(directory, name);
    this.#places.bind(to, toName, object.fid);
    this.#beside.delete(object.fid);
  }

  #hadSeen({ fid, version }: ObjectStatus): boolean {
    return version === null || knows(this.#plan.seen.get(fid) ?? {}, version);
  }

  async #isUnchanged(fid: Fid): Promise<boolean> {
    const known = await this.#target.known(fid);
    return known !== null && isWithin(known, this.#plan.seen.get(fid) ?? {});
  }

  async #isEmpty(caller: Caller, directory: Fid): Promise<boolean> {
    for await (const batch of this.#target.list(caller, directory)) if (batch.length > 0) return false;
    return true;
  }
}

function nameOf(step: Step, plan?: RestorePlan): string {
  const first = step.step === 'make' ? plan?.made.get(step.fid) : step.places[0];
  return JSON.stringify(first?.name ?? step.fid);
}

/** A move of a circle: each waits for the name that the next one bears. */
function circleIn(blocked: ReadonlyMap<Step, Blocked>): Move | undefined {
  const moves = new Map<Fid, { readonly move: Move; readonly by: Fid | undefined }>();
  for (const [step, { by }] of blocked) if (step.step === 'move') moves.set(step.fid, { move: step, by });
  const done = new Set<Fid>();
  for (const start of moves.keys()) {
    const trail = new Set<Fid>();
    for (let at: Fid | undefined = start; at !== undefined && !done.has(at); at = moves.get(at)?.by) {
      if (trail.has(at)) return moves.get(at)?.move;
      trail.add(at);
    }
    for (const fid of trail) done.add(fid);
  }
  return undefined;
}
