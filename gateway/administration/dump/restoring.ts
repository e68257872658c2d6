/**
 * A state of a volume, put into a new volume. Said again after it was cut short, it goes on: what is there is not sent
 * again.
 *
 * RV-1  The new volume is marked in the realm document as being restored, and from what; nobody can mount or change it
 *       until all of it is there. Then the mark goes, and what it was restored from stays in the document: said once
 *       more, the restore finds that and changes nothing, whatever has been done to the volume since.
 * RV-2  Objects go to one server, directories before what is in them; the others get them from it as any replica that
 *       was away does, and are waited for as far as they answer.
 * RV-3  Nothing is kept in memory but the Fids of directories, and one page.
 * RV-4  Contents travel under their digest, so that what a killed command has brought is found, and let go, by the next
 *       one. Where two commands at a time get into each other's way so, the one that is stopped sends them again under
 *       a name of its own.
 */
import {
  Failure,
  isFailure,
  limits,
  membersOf,
  restoredAtOnce,
  rootFid,
  volumeEntry,
  type Fid,
  type FileData,
  type VnodeStatus,
  type VolumeEntry,
  type VolumeId,
} from '../../../vice/interface/index.js';
import { sleep, type Clock } from '../../../vice/seam/clock.js';
import { randomHex, type Random } from '../../../vice/seam/random.js';
import type { Administration } from '../administration.js';
import { madeVolume } from '../volume-making.js';
import { isSameState, nameOfState, stateText, storedVersions, type VolumeState } from './volume-state.js';

/** About as much as a reply; together with contents that travel with the objects. */
const pageBytes = 2 * 1024 * 1024;
/** A server has at most 256 uploads of one peer waiting for their objects. */
const pageUploads = 200;
/** How often a page is sent, if another command takes its contents away on the way. */
const sendsMost = 4;
/** Until a server has heard of the new volume, and until another one has fetched all. */
const opening = { attempts: 150, pauseMs: 200 } as const;
const coveringMs = 500;
const coveringLooksMost = 600;

export interface RestoreWish {
  readonly name: string;
  /** Absent: `usually`. */
  readonly servers: readonly string[] | undefined;
  /** Where it is made when it is not there yet. Absent: at those that have the root volume. */
  readonly usually?: readonly string[] | undefined;
  /** The server to send to, if it holds the new volume: it may have the contents already. */
  readonly preferred?: string | undefined;
}

export interface RestoreProgress {
  objects: number;
  /** Of contents, sent or found there. */
  bytes: number;
  /** Of contents, sent. */
  sent: number;
}

export interface RestoreWorld {
  readonly administration: Administration;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Restored {
  readonly volume: VolumeEntry;
  /** Servers that did not answer; they fetch it when they are back. */
  readonly silent: readonly string[];
  /** False: this very state was restored under this name before (RV-1). */
  readonly changed: boolean;
}

/** @throws Failure exists (another volume of this name), damaged, refused, unreachable */
export async function restored(
  state: VolumeState,
  wish: RestoreWish,
  world: RestoreWorld,
  progress: RestoreProgress,
): Promise<Restored> {
  const { administration } = world;
  const volume = await volumeFor(state, wish, world);
  if (volume.restored !== undefined) return { volume, silent: [], changed: false };
  try {
    const silent = await filled(state, volume, wish, world, progress);
    await administration.publish({ change: 'open-volume', volume: volume.id });
    return { volume, silent, changed: true };
  } catch (error) {
    // Another command that does the same was faster: servers take nothing more.
    if (!isFailure(error, 'refused')) throw error;
    const now = volumeEntry(await administration.document(), volume.id);
    if (now === undefined || !isSameState(now.restored, nameOfState(state.header))) throw error;
    return { volume: now, silent: [], changed: false };
  }
}

/** RV-2; servers that did not answer. */
async function filled(
  state: VolumeState,
  volume: VolumeEntry,
  { preferred }: RestoreWish,
  world: RestoreWorld,
  progress: RestoreProgress,
): Promise<readonly string[]> {
  const target = await answering(volume, preferred, world);
  await new Restoration(state, { volume: volume.id, server: target.server }, world, progress).run();
  const silent: string[] = [];
  for (const { server, id } of membersOf(volume)) {
    if (id === target.id) continue;
    if (!(await isCovered(server, volume.id, target.id, world))) silent.push(server);
  }
  return silent;
}

/** RV-1: one that is being restored from this state, or was. @throws Failure exists */
async function volumeFor(state: VolumeState, wish: RestoreWish, world: RestoreWorld): Promise<VolumeEntry> {
  const { name } = wish;
  const restoring = nameOfState(state.header);
  const { volumes } = await world.administration.document();
  const isThere = volumes.some((volume) => volume.name === name);
  const servers = wish.servers ?? (isThere ? undefined : wish.usually);
  const made = (): ReturnType<typeof madeVolume> =>
    madeVolume(world.administration, { name, servers, restoring }, world.random);
  // Made meanwhile by another command: it is found by a second look, and is this restore or is not.
  const { volume, isNew } = await made().catch((error: unknown) => {
    if (!isFailure(error, 'exists')) throw error;
    return made();
  });
  const isOurs = isSameState(volume.restoring, restoring) || isSameState(volume.restored, restoring);
  if (isNew || isOurs) return volume;
  throw new Failure('exists', 'restore', otherText(volume));
}

function otherText({ name, restoring, restored }: VolumeEntry): string {
  if (restoring !== undefined) {
    const what = `volume ${name} is being restored from something else, ${stateText(restoring)}`;
    return `${what}: say that again, or delete it by \`coda volume delete\``;
  }
  if (restored === undefined)
    return `there is a volume ${name} already, which is no restored one: give another name`;
  return `there is a volume ${name} already, restored from something else, ${stateText(restored)}: give another name`;
}

interface Target {
  readonly server: string;
  readonly id: string;
}

/** A member that has heard of the volume and takes it. */
async function answering(
  volume: VolumeEntry,
  preferred: string | undefined,
  { administration, clock }: RestoreWorld,
): Promise<Target> {
  const members = [...membersOf(volume)];
  members.sort((a, b) => Number(b.server === preferred) - Number(a.server === preferred));
  let refusal: Failure | undefined;
  for (let attempt = 0; attempt < opening.attempts; attempt += 1) {
    let isLate = false;
    for (const { server, id } of members) {
      try {
        await administration.carry(server, 'lackingContents', { volume: volume.id, contents: [] });
        return { server, id };
      } catch (error) {
        if (!isFailure(error)) throw error;
        if (error.kind === 'stale' || error.kind === 'refused') isLate = true;
        refusal = error;
        if (isLate && server === preferred) break;
      }
    }
    if (!isLate) break;
    await sleep(clock, opening.pauseMs);
  }
  throw refusal ?? new Failure('unreachable', 'restore', `volume ${volume.name} has no server`);
}

/** RV-2; false: the server does not answer. */
async function isCovered(
  server: string,
  volume: VolumeId,
  replica: string,
  { administration, clock }: RestoreWorld,
): Promise<boolean> {
  let lacking = 0;
  for (let look = 0; look < coveringLooksMost; look += 1) {
    try {
      const reply = await administration.carry(server, 'covers', { volume, replica });
      if (reply.reached && reply.lacking === 0) return true;
      lacking = reply.lacking;
    } catch (error) {
      if (isFailure(error, 'unreachable')) return false;
      if (!isFailure(error, 'timeout', 'stale', 'busy')) throw error;
    }
    await sleep(clock, coveringMs);
  }
  const message = `server ${server} still lacks ${lacking} objects or contents: look at it, then say the restore again`;
  throw new Failure('timeout', 'restore', message);
}

class Restoration {
  readonly #state: VolumeState;
  readonly #to: { readonly volume: VolumeId; readonly server: string };
  readonly #administration: Administration;
  readonly #progress: RestoreProgress;
  readonly #random: Random;
  /** Directories that are there. */
  readonly #directories = new Set<Fid>();
  #isRootSent = false;
  #page: VnodeStatus[] = [];
  #wanted = new Map<string, { readonly fid: Fid; readonly version: FileData }>();
  #bytes = 0;

  constructor(
    state: VolumeState,
    to: { readonly volume: VolumeId; readonly server: string },
    { administration, random }: RestoreWorld,
    progress: RestoreProgress,
  ) {
    this.#state = state;
    this.#to = to;
    this.#administration = administration;
    this.#random = random;
    this.#progress = progress;
  }

  async run(): Promise<void> {
    this.#directories.add(rootFid(this.#to.volume));
    // Most directories are younger than what they are in: their Fids come later, and one round finds nearly all.
    for (let waiting: number | undefined; waiting !== 0;) {
      const before: number | undefined = waiting;
      waiting = await this.#directoriesAgain();
      await this.#send();
      if (waiting !== 0 && waiting === before) {
        throw new Failure('damaged', 'restore', `${waiting} directories are in none that there is`);
      }
    }
    for await (const status of this.#state.objects()) {
      if (status.kind === 'directory') continue;
      const moved = movedTo(this.#to.volume, status);
      if (moved.parent === null || !this.#directories.has(moved.parent)) {
        throw new Failure('damaged', 'restore', 'an object is in no directory that there is', {
          fid: status.fid,
        });
      }
      await this.#add(moved, status);
    }
    await this.#send();
  }

  /** How many wait for the one that they are in. */
  async #directoriesAgain(): Promise<number> {
    let waiting = 0;
    const root = rootFid(this.#to.volume);
    for await (const status of this.#state.objects()) {
      if (status.kind !== 'directory') continue;
      const moved = movedTo(this.#to.volume, status);
      // A root is there from the beginning, and is still to be given what it was.
      const isSent = moved.fid === root ? this.#isRootSent : this.#directories.has(moved.fid);
      if (isSent) continue;
      if (moved.parent !== null && !this.#directories.has(moved.parent)) {
        waiting += 1;
        continue;
      }
      if (moved.fid === root) this.#isRootSent = true;
      this.#directories.add(moved.fid);
      await this.#add(moved, status);
    }
    return waiting;
  }

  async #add(moved: VnodeStatus, status: VnodeStatus): Promise<void> {
    const versions = storedVersions(status);
    const isFull =
      this.#page.length >= restoredAtOnce.objects ||
      this.#wanted.size + versions.length > pageUploads ||
      this.#bytes >= pageBytes;
    if (isFull) await this.#send();
    this.#page.push(moved);
    for (const version of versions) {
      if (this.#wanted.has(version.digest)) continue;
      this.#wanted.set(version.digest, { fid: status.fid, version });
      this.#bytes += Math.min(version.length, limits.inlineBytes);
    }
    this.#bytes += Buffer.byteLength(JSON.stringify(moved));
  }

  async #send(): Promise<void> {
    if (this.#page.length === 0) return;
    await this.#sendAgain();
    this.#progress.objects += this.#page.length;
    this.#page = [];
    this.#wanted = new Map();
    this.#bytes = 0;
  }

  /** RV-4 */
  async #sendAgain(): Promise<void> {
    let idOf = (digest: string): string => digest;
    for (let sends = 1; ; sends += 1) {
      try {
        return await this.#sendOnce(idOf);
      } catch (error) {
        if (!isFailure(error, 'cancelled', 'busy') || sends >= sendsMost) throw error;
        const own = randomHex(this.#random, 8);
        idOf = (digest) => `${own}-${digest.slice(0, 40)}`;
      }
    }
  }

  async #sendOnce(idOf: (digest: string) => string): Promise<void> {
    const { server, volume } = this.#to;
    const { lacking } = await this.#administration.carry(server, 'lackingContents', {
      volume,
      contents: [...this.#wanted.keys()],
    });
    const inline: Record<string, Uint8Array> = {};
    const transfers: Record<string, string> = {};
    const missing = new Set(lacking);
    for (const [digest, { fid, version }] of this.#wanted) {
      if (missing.has(digest)) {
        const source = this.#counted(this.#state.contents(fid, version));
        if (version.length <= limits.inlineBytes) inline[digest] = await whole(source, version);
        else {
          transfers[digest] = idOf(digest);
          await this.#administration.upload(server, `staging/${idOf(digest)}`, source);
        }
      } else this.#progress.bytes += version.length;
    }
    const argument = { volume, objects: this.#page, inline, transfers };
    const { skipped } = await this.#administration.carry(server, 'restoreObjects', argument);
    const [lost] = skipped;
    if (lost !== undefined) {
      throw new Failure('damaged', 'restore', `${server} has no directory for an object`, { fid: lost });
    }
  }

  async *#counted(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      this.#progress.bytes += chunk.length;
      this.#progress.sent += chunk.length;
      yield chunk;
    }
  }
}

/** @throws Failure damaged: there are more bytes than the version has */
async function whole(source: AsyncIterable<Uint8Array>, { length }: FileData): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > length) throw new Failure('damaged', 'restore', 'contents are longer than their object says');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The object, as one of the other volume. */
function movedTo(volume: VolumeId, status: VnodeStatus): VnodeStatus {
  const moved = (fid: Fid): Fid => `${volume}${fid.slice(volume.length)}` as Fid;
  return {
    ...status,
    fid: moved(status.fid),
    parent: status.parent === null ? null : moved(status.parent),
    places: status.places.map((place) => ({ ...place, parent: moved(place.parent) })),
  };
}
