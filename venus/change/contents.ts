/**
 * Brings the contents of a file into the cache, and reads them. Small ones come whole (seed 004: "transfer the whole
 * file"), one call for each; of larger ones the reader gets each block when it has come (venus/fetch).
 */
import { emptyDigest, Failure, isFailure, type FileData, type Fid } from '../../vice/interface/index.js';
import type { Spool } from '../../vice/seam/containers.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { FetchDifferences, FetchedDifference } from '../difference/fetched-difference.js';
import { replacement } from '../fetch/choice.js';
import { cannotFetch } from '../fetch/failures.js';
import type { Fetches } from '../fetch/fetches.js';
import type { FileFetch } from '../fetch/file-fetch.js';
import { bytesOf, membersOf, sourcesOf } from '../fetch/server-source.js';
import { unstored } from '../fetch/unstored.js';
import type { ObjectStatus, OpenFile } from '../interface.js';
import type { Background, Fetching } from '../volume/fetching.js';
import type { Volume } from '../volume/volume.js';
import { Pace } from './pace.js';

/** Contents up to this length come whole: a few blocks, whose digests are known when all of them are here. */
const wholeBytes = 1024 * 1024;

interface Bringing {
  readonly pace: Pace;
  readonly spool: Spool;
  readonly difference: FetchedDifference;
}

interface Transfer {
  readonly pace: Pace;
  readonly done: Promise<void>;
}

export class Contents {
  readonly #containers: ContainerCache;
  readonly #fetches: Fetches;
  readonly #gate: Fetching;
  readonly #log: Log;
  readonly #differences: FetchDifferences;
  /** One transfer for all who want the same contents whole. */
  readonly #transfers = new Map<string, Transfer>();

  constructor(
    containers: ContainerCache,
    fetches: Fetches,
    gate: Fetching,
    log: Log,
    differences: FetchDifferences,
  ) {
    this.#differences = differences;
    this.#containers = containers;
    this.#fetches = fetches;
    this.#gate = gate;
    this.#log = log;
  }

  /**
   * Opens contents of the object `fid` that are seen as `view`, which is valid.
   * @throws Failure is-directory, unreachable, damaged, no-space, too-large
   */
  async open(volume: Volume, fid: Fid, view: ObjectStatus, data: FileData | null): Promise<OpenFile> {
    if (data === null) throw new Failure('is-directory', 'venus.open', 'it is no file', { fid });
    if (isEmpty(data)) return openEmpty(view);
    const release = await this.#keep(volume, fid, data).catch((error: unknown) => {
      // A disk without room is no reason not to read.
      if (!isReadPast(volume, error)) throw error;
      return () => undefined;
    });
    return {
      status: view,
      read: (start = 0, end = data.length) =>
        this.#read(volume, fid, data, start, Math.min(end, data.length)),
      close: () => {
        release();
        return Promise.resolve();
      },
    };
  }

  /**
   * Gets contents into the cache, where they stay until the result is called. In the
   * background they come into room that was made before.
   * @throws Failure unreachable, damaged, no-space, too-large
   */
  async hold(volume: Volume, fid: Fid, data: FileData, background?: Background): Promise<() => void> {
    if (isEmpty(data)) return () => undefined;
    if (this.#comesWhole(volume, fid, data)) {
      await this.#ensure(volume, fid, data, background);
      this.#differences.arrived(fid);
      return this.#containers.pin(data.digest, background === undefined);
    }
    const { fetch, release } = await this.#fetches.use(data, () => sourcesOf(volume));
    try {
      if (background === undefined) {
        if (!(await fetch.whole(true))) await this.#copyWhole(volume, fid, data);
      } else if (!(await this.#bringBehind(fetch, background))) {
        await this.#ensure(volume, fid, data, background);
      }
      this.#differences.arrived(fid);
      return this.#containers.pin(data.digest, background === undefined);
    } catch (error) {
      throw explained(volume, fid, error);
    } finally {
      release();
    }
  }

  /** Whether they are here, or so small that they are soon. */
  isNear({ digest, length }: FileData): boolean {
    return length <= wholeBytes || this.#containers.has(digest);
  }

  /** Keeps what is here of the contents, and all that comes, until the result is called. */
  async #keep(volume: Volume, fid: Fid, data: FileData): Promise<() => void> {
    const { digest } = data;
    if (this.#comesWhole(volume, fid, data)) return this.hold(volume, fid, data);
    if (volume.avsg.length === 0 && !this.#fetches.hasSome(digest)) throw cannotFetch(volume, fid, undefined);
    const { release } = await this.#fetches.use(data, () => sourcesOf(volume));
    return () => {
      release();
      if (this.#containers.has(digest)) this.#differences.arrived(fid);
    };
  }

  /** Small, here already, or not much more than what is here of an older version: nobody waits long for the whole. */
  #comesWhole(volume: Volume, fid: Fid, data: FileData): boolean {
    if (data.length <= wholeBytes || this.#containers.has(data.digest)) return true;
    return this.#differences.isWorthWaiting(
      fid,
      data,
      membersOf(volume).map(({ server }) => server),
    );
  }

  /** What is here, or on its way for somebody else, does not come again. */
  async #bringBehind(fetch: FileFetch, background: Background): Promise<boolean> {
    const free = await this.#containers.reserve(() => fetch.missing, background.request);
    try {
      return await fetch.whole(false, background.came);
    } finally {
      free();
    }
  }

  /** Contents too large for the cache, that somebody wants whole all the same, after they were begun in segments. */
  async #copyWhole(volume: Volume, fid: Fid, data: FileData): Promise<void> {
    const spool = await this.#containers.spool(data.length);
    try {
      for await (const chunk of this.#read(volume, fid, data, 0, data.length)) await spool.write(chunk);
      const { digest, length } = await spool.commit();
      this.#containers.adopt(digest, length)();
    } finally {
      await spool.abort();
    }
  }

  /** Reads on from another replica where the cached bytes turn out damaged: the reader does not notice. */
  async *#read(
    volume: Volume,
    fid: Fid,
    data: FileData,
    start: number,
    end: number,
  ): AsyncGenerator<Uint8Array> {
    let position = start;
    let failures = 0;
    while (position < end) {
      const before = position;
      try {
        for await (const chunk of this.#stored(volume, fid, data, position, end)) {
          yield chunk;
          position += chunk.length;
        }
        // Once without a byte: the contents have become whole meanwhile.
        failures = position > before ? 0 : failures + 1;
        if (failures >= 3)
          throw new Failure('damaged', 'venus.read', 'the cached file is too short', { fid });
      } catch (error) {
        failures += 1;
        const reason = failures < 3 ? await this.#mend(volume, fid, data, error) : error;
        if (reason === undefined) continue;
        if (!isReadPast(volume, reason)) throw reason;
        this.#log.info('read past a full disk', { fid, from: position });
        yield* unstored(data, sourcesOf(volume), position, end);
        return;
      }
    }
  }

  /** Undefined: what the reader stumbled over may be tried again. Else why it may not. */
  async #mend(volume: Volume, fid: Fid, data: FileData, error: unknown): Promise<unknown> {
    if (!isFailure(error, 'damaged', 'not-found') || error.operation === 'venus.fetch') return error;
    if (data.length > wholeBytes) return undefined;
    return this.#ensure(volume, fid, data).catch((reason: unknown) => reason);
  }

  /** From the cache, or as they come. It may end early: the rest is then to be asked for again. */
  async *#stored(
    volume: Volume,
    fid: Fid,
    data: FileData,
    start: number,
    end: number,
  ): AsyncGenerator<Uint8Array> {
    const small = await this.#containers.small(data.digest, data.length);
    if (small !== undefined) yield small.subarray(start, end);
    else if (this.#containers.has(data.digest)) yield* this.#containers.read(data.digest, start, end);
    else if (data.length > wholeBytes) yield* this.#coming(volume, fid, data, start, end);
    else throw new Failure('not-found', 'venus.read', 'the contents have left the cache', { fid });
  }

  async *#coming(
    volume: Volume,
    fid: Fid,
    data: FileData,
    start: number,
    end: number,
  ): AsyncGenerator<Uint8Array> {
    const { fetch, release } = await this.#fetches.use(data, () => sourcesOf(volume));
    try {
      // Said before any byte is: what cannot be had in full is better refused than torn off.
      if (volume.avsg.length === 0 && !fetch.hasAll(start, end)) throw cannotFetch(volume, fid, undefined);
      yield* fetch.read(start, end);
    } catch (error) {
      throw explained(volume, fid, error);
    } finally {
      release();
    }
  }

  #ensure(volume: Volume, fid: Fid, data: FileData, background?: Background): Promise<void> {
    if (this.#containers.has(data.digest)) return Promise.resolve();
    const running = this.#transfers.get(data.digest);
    if (running !== undefined) {
      if (background !== undefined) return running.done;
      running.pace.hurry();
      return running.done.catch((error: unknown) => {
        // For the background no room was made; for somebody who waits it is.
        if (!running.pace.isBackground || !isFailure(error, 'no-space')) throw error;
        return this.#ensure(volume, fid, data);
      });
    }
    const pace = new Pace(this.#gate, background);
    const done = this.#fetch(volume, fid, data, pace).finally(() => {
      pace.end();
      this.#transfers.delete(data.digest);
    });
    this.#transfers.set(data.digest, { pace, done });
    return done;
  }

  /**
   * By an older version that is here; whole, where there is none, or what came of it is something else. (The servers'
   * word is taken for what has changed; only the digest of all of it tells.)
   */
  async #fetch(volume: Volume, fid: Fid, data: FileData, pace: Pace): Promise<void> {
    const difference = this.#differences.begin(fid, data);
    if (difference !== undefined) {
      try {
        return await this.#transfer(volume, fid, data, pace, difference);
      } catch (error) {
        if (!isFailure(error)) throw error;
        if (error.kind === 'no-space' || volume.avsg.length === 0) throw error;
        this.#log.warn('difference fetched in vain', { fid, message: error.message });
      }
    }
    await this.#transfer(volume, fid, data, pace);
  }

  async #transfer(
    volume: Volume,
    fid: Fid,
    data: FileData,
    pace: Pace,
    difference?: FetchedDifference,
  ): Promise<void> {
    const spool = await this.#containers.spool(data.length, pace.request);
    try {
      if (difference !== undefined)
        await this.#bringDifference(volume, fid, data, { pace, spool, difference });
      try {
        await this.#bringPlainly(volume, data, pace, spool);
      } catch (error) {
        throw isFailure(error) && error.kind !== 'no-space' ? cannotFetch(volume, fid, error) : error;
      }
      const { digest, length } = await spool.commit();
      if (digest !== data.digest) {
        throw new Failure('damaged', 'venus.fetch', 'the servers sent other bytes than announced', { fid });
      }
      this.#containers.adopt(digest, length, pace.request === undefined)();
      replacement(sourcesOf(volume))?.prefer();
    } finally {
      await spool.abort();
    }
  }

  /** What is not in `spool` yet, from whoever has it soonest. */
  async #bringPlainly(volume: Volume, data: FileData, pace: Pace, spool: Spool): Promise<void> {
    const soonest = this.#fetches.soonest(bytesOf(volume, data.digest), data.digest, spool.length);
    while (spool.length < data.length) {
      for await (const chunk of soonest.to(data.length, pace.isUrgent)) {
        await spool.write(chunk);
        await pace.turn(chunk.length);
      }
    }
  }

  /** As far as servers can tell how it differs from what is here; the rest comes plainly. */
  async #bringDifference(volume: Volume, fid: Fid, data: FileData, bringing: Bringing): Promise<void> {
    const { pace, spool, difference } = bringing;
    for (const { server } of membersOf(volume)) {
      try {
        const source = await difference.from(server, spool.length);
        if (source === undefined) return;
        for await (const chunk of source) {
          if (spool.length + chunk.length > data.length) break;
          await spool.write(chunk);
          await pace.turn(chunk.length);
        }
        if (spool.length === data.length) return;
      } catch (error) {
        if (!isFailure(error) || isFailure(error, 'no-space')) throw error;
        const { kind, message } = error;
        this.#log.warn('fetch broke', { server: server.name, fid, at: spool.length, kind, message });
      }
    }
  }
}

/** The disk has no room for what is read, but servers have it. */
function isReadPast(volume: Volume, error: unknown): boolean {
  return isFailure(error, 'no-space') && volume.avsg.length > 0;
}

/** What a source said, in the words of a reader who has no source. */
function explained(volume: Volume, fid: Fid, error: unknown): unknown {
  return isFailure(error) ? cannotFetch(volume, fid, error) : error;
}

function isEmpty({ length, digest }: FileData): boolean {
  return length === 0 || digest === emptyDigest;
}

function openEmpty(status: ObjectStatus): OpenFile {
  return {
    status,
    read: async function* () {
      // No bytes.
    },
    close: () => Promise.resolve(),
  };
}
