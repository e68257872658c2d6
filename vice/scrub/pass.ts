/**
 * One pass over all that a server holds, in slices; it goes on where it was, also after a restart.
 *
 * SP-1  Every container that a record names is read once, from its beginning to its end, hashed as it comes.
 * SP-2  Every record, also one that only snapshots read, is read once and held against the others that it belongs to;
 *       every entry of a directory is read with its object.
 * SP-3  Memory does not grow with what the server holds: a page of rows, a chunk of contents, the findings.
 * SP-4  What was looked at before the noted position is not looked at again in this pass, but for a few seconds.
 */
import { isFailure, type VolumeId } from '../interface/index.js';
import { namedContents } from '../store/container-references.js';
import type { SpaceCount } from '../store/recounting.js';
import { SnapshotKeys } from '../store/snapshot-rows.js';
import { VolumeKeys } from '../store/volume-store.js';
import type { Replica } from '../volume/replica.js';
import type { Cure } from './cure.js';
import { countObjects, Look, objectsAfter } from './look.js';
import type { Pace } from './pace.js';
import { phases, type PassRow, type Phase, type Position, type ScrubNotes } from './scrub-notes.js';
import { examineSaved } from './saved-rows.js';
import type { ScrubWorld } from './scrub-world.js';

/** Rows of containers read at once; of each all of its bytes are read before the next page. */
const namedAtOnce = 200;
/** Objects looked at in one turn of the event loop: a decoding, a schema and two hashes each. */
const objectsAtOnce = 20;
const notedMs = 5000;

export interface PassOptions {
  readonly world: ScrubWorld;
  readonly notes: ScrubNotes;
  readonly look: Look;
  readonly cure: Cure;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

interface Step {
  readonly phase: Phase;
  readonly volume: VolumeId | '';
}

export class Pass {
  readonly #options: PassOptions;
  #row: { -readonly [Key in keyof PassRow]: PassRow[Key] };
  #noted: number;
  /** Where this run of the pass began, to tell how fast it goes. */
  readonly #began: { readonly at: number; readonly bytes: number };

  /** `row`: a pass that was interrupted, or undefined for a new one. */
  constructor(options: PassOptions, row: PassRow | undefined) {
    this.#options = options;
    const { clock } = options.world;
    const beginning = {
      startedAt: clock.wall(),
      endedAt: null,
      position: { phase: 'contents', volume: '', after: '' } as const,
      objects: 0,
      containers: 0,
      bytes: 0,
      healed: 0,
    };
    this.#row = { ...(row ?? beginning) };
    this.#noted = clock.monotonic();
    this.#began = { at: clock.monotonic(), bytes: this.#row.bytes };
  }

  get row(): PassRow {
    return this.#row;
  }

  get bytesPerSecond(): number {
    const passed = this.#options.world.clock.monotonic() - this.#began.at;
    return passed <= 0 ? 0 : Math.round(((this.#row.bytes - this.#began.bytes) * 1000) / passed);
  }

  async run(): Promise<PassRow> {
    const { notes, cure, world } = this.#options;
    await notes.save(this.#row);
    for (const { phase, volume } of this.#stepsLeft()) {
      const { position } = this.#row;
      const isOfHere = position.phase === phase && position.volume === volume;
      await this.#note({ phase, volume, after: isOfHere ? position.after : '' }, true);
      await this.#step(phase, volume);
    }
    for (const finding of notes.findings()) {
      await cure.again(finding);
      await this.#options.pace.spend(0);
    }
    this.#row.endedAt = world.clock.wall();
    await notes.save(this.#row);
    return this.#row;
  }

  /** From the position on. A volume that has left meanwhile is left out. */
  #stepsLeft(): readonly Step[] {
    const volumes = this.#options.world.replicas().map(({ volume }) => volume);
    const steps = phases.flatMap((phase): Step[] => {
      if (phase === 'contents' || phase === 'orphans') return [{ phase, volume: '' }];
      return volumes.toSorted().map((volume) => ({ phase, volume }));
    });
    const { phase, volume } = this.#row.position;
    const from = phases.indexOf(phase);
    return steps.filter((step) => {
      const at = phases.indexOf(step.phase);
      return at > from || (at === from && step.volume >= volume);
    });
  }

  async #step(phase: Phase, volume: VolumeId | ''): Promise<void> {
    const { world, signal } = this.#options;
    const replica = world.replicas().find((each) => each.volume === volume);
    switch (phase) {
      case 'contents':
        return this.#contents();
      case 'objects':
        return replica && this.#leaving(replica, () => this.#objects(replica));
      case 'snapshots':
        return replica && this.#leaving(replica, () => this.#snapshots(replica));
      case 'peers':
        return replica && this.#leaving(replica, () => this.#peers(replica));
      case 'orphans':
        return world.references.sweep(world.clock, signal);
    }
  }

  async #contents(): Promise<void> {
    const { world, look, cure } = this.#options;
    for (let after = this.#row.position.after; ;) {
      const page = namedContents(world.store, after, namedAtOnce);
      for (const { digest, volumes } of page) {
        const found = await look.contents(digest, (bytes) => (this.#row.bytes += bytes));
        const naming = volumes.filter((volume) => world.references.isNamedBy(volume, digest));
        if (found !== undefined && naming.length > 0) {
          this.#row.healed += await cure.contents(found, naming);
        }
        this.#row.containers += 1;
        await this.#note({ phase: 'contents', volume: '', after: (after = digest) });
        await this.#options.pace.spend(0);
      }
      if (page.length === 0) return;
    }
  }

  async #objects(replica: Replica): Promise<void> {
    const { mending, volume } = replica;
    if (this.#row.position.after === '') {
      const isOther = await mending.space((count) => this.#eachObject(replica, count));
      if (isOther) {
        this.#row.healed += 1;
        this.#options.world.log.warn('scrub: space counted again', { volume });
      }
    } else {
      // Not counted: of what was passed before the interruption nobody has heard since.
      await this.#eachObject(replica, undefined);
    }
    // Where something was mended of what had been counted already, the space as well.
    await mending.settleDoubts(true);
    const buckets = await mending.buckets();
    this.#row.healed += buckets;
    if (buckets > 0)
      this.#options.world.log.warn('scrub: digests of buckets counted again', { volume, buckets });
  }

  async #eachObject(replica: Replica, count: SpaceCount | undefined): Promise<void> {
    const { world, look, cure, pace } = this.#options;
    const { volume } = replica;
    const keys = new VolumeKeys(volume);
    for (let after = this.#row.position.after; ;) {
      const page = objectsAfter(world, keys, after, objectsAtOnce);
      let last = after;
      for (const { fid } of page) {
        const faults = await look.object(replica, fid);
        if (faults.length > 0) this.#row.healed += await cure.object(replica, fid, faults);
        last = fid;
      }
      const isLast = page.length < objectsAtOnce;
      // In one turn, whatever has come meanwhile: from here on what is changed of these is heard of.
      if (count !== undefined) countObjects(world.store, keys, { after, last: isLast ? null : last }, count);
      after = last;
      this.#row.objects += page.length;
      await pace.spend(page.reduce((sum, { bytes }) => sum + bytes, 0));
      await this.#note({ phase: 'objects', volume, after });
      if (isLast) return;
    }
  }

  async #snapshots(replica: Replica): Promise<void> {
    const { world, cure, pace } = this.#options;
    const { volume } = replica;
    const hopeless = new Map<string, string>();
    for (let after = this.#row.position.after; ;) {
      const { rows, bytes, faults, last } = examineSaved(
        world.store,
        new SnapshotKeys(volume),
        after,
        objectsAtOnce,
      );
      if (faults.length > 0) this.#row.healed += await cure.snapshots(replica, faults, hopeless);
      await pace.spend(bytes);
      await this.#note({ phase: 'snapshots', volume, after: (after = last) });
      if (rows < objectsAtOnce) return;
    }
  }

  /** One that cannot be reached is compared at the next pass. */
  async #peers(replica: Replica): Promise<void> {
    const { world, cure, pace } = this.#options;
    for (const { server } of world.peers(replica)) {
      try {
        this.#row.healed += await cure.disagreements(replica, server);
      } catch (error) {
        if (!isFailure(error, 'unreachable', 'timeout', 'stale', 'incompatible', 'busy')) throw error;
        world.log.info('scrub: not compared', {
          volume: replica.volume,
          peer: server,
          reason: error.message,
        });
      }
      await pace.spend(0);
    }
  }

  /** A replica that leaves in the middle has nothing more to be looked at. */
  async #leaving(replica: Replica, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (replica.standing !== 'dropped' || !isFailure(error)) throw error;
    }
  }

  async #note(position: Position, atOnce = false): Promise<void> {
    const { world, notes, signal } = this.#options;
    signal.throwIfAborted();
    this.#row.position = position;
    const now = world.clock.monotonic();
    if (!atOnce && now - this.#noted < notedMs) return;
    this.#noted = now;
    await notes.save({ ...this.#row });
  }
}
