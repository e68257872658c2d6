/**
 * The contents of an archive, made anew in the share.
 *
 * RF-1  Contents that are there already are not written again.
 * RF-2  What the archive's author had not seen is not replaced: the archive's contents are stored beside it.
 * RF-3  Nothing is stored before all its bytes have come and match their digest.
 */
import { Failure, isFailure, knows, type Fid } from '../../vice/interface/index.js';
import type { Caller, Expectation, ObjectStatus, OpenFile, Writer } from '../interface.js';
import type { ArchivedContents } from './archive-reader.js';
import { besideName } from './beside-name.js';
import { ContentsDigest } from './contents-digest.js';
import { namesOf } from './format.js';
import type { RestoreOutcome } from './restore-outcome.js';
import { besideMost, type RestorePlaces } from './restore-places.js';
import type { RestorePlan, Stored } from './restore-plan.js';
import type { RestoreTarget } from './restore-target.js';
import { operation } from './tar.js';

/** What is to be done for one file. */
type Decision =
  | { readonly what: 'present'; readonly fid: Fid; readonly name: string }
  | { readonly what: 'write'; readonly name: string; readonly expect: Expectation };

interface Place {
  readonly parent: Fid;
  readonly name: string;
  /** Nobody knows where it was: it gets a name of the other kind. */
  readonly isUnknown: boolean;
}

export class RestoreFiles {
  readonly #target: RestoreTarget;
  readonly #plan: RestorePlan;
  readonly #places: RestorePlaces;
  readonly #outcome: RestoreOutcome;

  constructor(target: RestoreTarget, plan: RestorePlan, places: RestorePlaces, outcome: RestoreOutcome) {
    this.#target = target;
    this.#plan = plan;
    this.#places = places;
    this.#outcome = outcome;
  }

  /** Stores contents that come now for all of `files`, which have them in common. @throws Failure invalid, no-space */
  async restore(files: readonly Stored[], contents: ArchivedContents): Promise<void> {
    let source: OpenFile | undefined;
    let isRead = false;
    try {
      for (const file of files) {
        const from = source;
        const read = from === undefined ? () => contents.read() : () => from.read();
        if (from === undefined && isRead) {
          this.#outcome.note(
            file,
            `${this.#nameOf(file)}: its contents were not kept, restore the archive again`,
          );
          continue;
        }
        await this.#tell(file, async () => {
          const { fid, wrote } = await this.#one(file, () => {
            isRead = true;
            return read();
          });
          if (from === undefined && wrote && files.length > 1) {
            source = await this.#target.open({ user: file.author }, fid);
          }
        });
      }
      // Also unwanted contents must prove to be whole.
      if (!isRead) for await (const _chunk of contents.read());
    } finally {
      await source?.close();
    }
  }

  /** Stores a file without contents. */
  async restoreEmpty(file: Stored): Promise<void> {
    const none = async function* (): AsyncGenerator<Uint8Array> {};
    await this.#tell(file, () => this.#one(file, none));
  }

  async #tell(file: Stored, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!isFailure(error) || error.kind === 'no-space' || error.operation === operation) throw error;
      this.#outcome.note(file, `${this.#nameOf(file)} is not restored: ${error.message}`);
    }
  }

  async #one(file: Stored, read: () => AsyncIterable<Uint8Array>): Promise<{ fid: Fid; wrote: boolean }> {
    const caller = { user: file.author };
    const place = await this.#place(caller, file);
    const decision = await this.#decide(caller, file, place);
    if (decision.what === 'present') {
      this.#settle(file, place, decision.name, decision.fid);
      return { fid: decision.fid, wrote: false };
    }
    const writer = await this.#target.write(caller, file.length, { into: place.parent });
    try {
      await copy(read(), writer);
      // Much may have happened while it came.
      const now = await this.#decide(caller, file, place);
      if (now.what === 'present') {
        this.#settle(file, place, now.name, now.fid);
        return { fid: now.fid, wrote: false };
      }
      const { name, expect } = now;
      const { status } = await writer.close({ parent: place.parent, name, expect, modified: file.modified });
      this.#places.bind(place.parent, name, status.fid);
      this.#places.fresh.add(file.fid);
      this.#outcome.done(file);
      this.#settle(file, place, name, status.fid);
      return { fid: status.fid, wrote: true };
    } catch (error) {
      if (isFailure(error, 'changed', 'exists', 'is-directory')) this.#places.forget(place.parent);
      throw error;
    } finally {
      await writer.abort();
    }
  }

  #settle(file: Stored, place: Place, name: string, fid: Fid): void {
    this.#places.at.set(file.fid, fid);
    if (name === place.name && !place.isUnknown) return;
    const why = place.isUnknown ? 'has no place any more' : 'has other contents by now';
    this.#outcome.note(file, `${this.#nameOf(file)} ${why}; what was restored is in "${name}"`);
  }

  /** Where the file belongs. */
  async #place(caller: Caller, { fid }: Stored): Promise<Place> {
    const made = this.#plan.made.get(fid);
    if (made !== undefined) {
      const isUnknown = !this.#plan.made.has(made.parent) && !this.#plan.paths.has(made.parent);
      const known = isUnknown ? await this.#places.known(caller, made.parent) : undefined;
      const parent = known ?? (await this.#places.directory(caller, made.parent));
      return { parent, name: made.name, isUnknown: isUnknown && known === undefined };
    }
    const names = namesOf(this.#plan.paths.get(fid) ?? '/') ?? [];
    const parent = await this.#places.folder(caller, names.slice(0, -1));
    return { parent, name: names.at(-1) ?? `file-${fid}`, isUnknown: names.length === 0 };
  }

  async #decide(caller: Caller, file: Stored, place: Place): Promise<Decision> {
    if (!place.isUnknown) {
      const found = await this.#places.entry(caller, place.parent, place.name);
      if (found === undefined) return { what: 'write', name: place.name, expect: { version: null } };
      if (await this.#holds(caller, found, file))
        return { what: 'present', fid: found.fid, name: place.name };
      const { version } = found;
      // The name that is there: it may be spelled in the other normal form.
      if (version !== null && this.#hadSeen(found))
        return { what: 'write', name: place.name, expect: { version } };
    }
    for (let attempt = 1; attempt <= besideMost; attempt += 1) {
      const name = besideName(place.name, file.author, file.time, attempt);
      const found = await this.#places.entry(caller, place.parent, name);
      if (found === undefined) return { what: 'write', name, expect: { version: null } };
      if (await this.#holds(caller, found, file)) return { what: 'present', fid: found.fid, name };
    }
    throw new Failure('exists', 'venus.restore', `there are ${besideMost} others beside it already`);
  }

  /** Whether the archive's author had seen these contents. */
  #hadSeen({ fid, version }: ObjectStatus): boolean {
    const seen = this.#plan.seen.get(fid);
    return version !== null && seen !== undefined && knows(seen, version);
  }

  /** Whether the file has these contents, or ones that replaced them. */
  async #holds(caller: Caller, found: ObjectStatus, file: Stored): Promise<boolean> {
    if (found.kind !== 'file') return false;
    if (found.version === file.version) return true;
    // A later change of the same person passes for knowing one that nobody ever had.
    const known = file.wasRefused ? null : await this.#target.known(found.fid);
    if (known !== null && knows(known, file.version)) return true;
    if (found.length !== file.length) return false;
    if (file.length === 0) return true;
    const open = await this.#target.open(caller, found.fid);
    try {
      const sum = new ContentsDigest();
      for await (const chunk of open.read()) sum.add(chunk);
      return sum.end() === file.digest;
    } finally {
      await open.close();
    }
  }

  #nameOf({ fid }: Stored): string {
    return JSON.stringify(this.#plan.paths.get(fid) ?? this.#plan.made.get(fid)?.name ?? fid);
  }
}

async function copy(chunks: AsyncIterable<Uint8Array>, writer: Writer): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  for await (const chunk of chunks) {
    if (failure !== undefined) continue;
    try {
      await writer.write(chunk);
    } catch (error) {
      // The rest of the archive stands behind these contents: they are read to their end.
      if (!isFailure(error) || error.kind === 'no-space') throw error;
      failure = { error };
    }
  }
  if (failure !== undefined) throw failure.error;
}
