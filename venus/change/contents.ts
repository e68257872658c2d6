/** Gets the contents of a file into the cache, and reads them (seed 004: "transfer the whole file"). */
import { emptyDigest, Failure, isFailure, type FileData, type Fid } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { FetchDifferences, FetchedDifference } from '../difference/fetched-difference.js';
import type { ObjectStatus, OpenFile } from '../interface.js';
import type { Fetching } from '../volume/fetching.js';
import type { Member, Volume } from '../volume/volume.js';

export class Contents {
  readonly #containers: ContainerCache;
  readonly #gate: Fetching;
  readonly #log: Log;
  readonly #differences: FetchDifferences;
  /** One transfer for all who want the same contents. */
  readonly #transfers = new Map<string, Promise<void>>();

  constructor(containers: ContainerCache, gate: Fetching, log: Log, differences: FetchDifferences) {
    this.#differences = differences;
    this.#containers = containers;
    this.#gate = gate;
    this.#log = log;
  }

  /**
   * Opens contents of the object `fid` that are seen as `view`, which is valid.
   * @throws Failure is-directory, unreachable, damaged, no-space
   */
  async open(volume: Volume, fid: Fid, view: ObjectStatus, data: FileData | null): Promise<OpenFile> {
    if (data === null) throw new Failure('is-directory', 'venus.open', 'it is no file', { fid });
    if (isEmpty(data)) return openEmpty(view);
    const release = await this.hold(volume, fid, data);
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
   * Gets contents into the cache, where they stay until the result is called.
   * @throws Failure unreachable, damaged, no-space
   */
  async hold(volume: Volume, fid: Fid, data: FileData): Promise<() => void> {
    if (isEmpty(data)) return () => undefined;
    await this.#ensure(volume, fid, data);
    this.#differences.arrived(fid);
    return this.#containers.pin(data.digest);
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
    for (let attempt = 0; position < end; attempt += 1) {
      try {
        const small = await this.#containers.small(data.digest, data.length);
        if (small !== undefined) {
          yield small.subarray(position, end);
          return;
        }
        for await (const chunk of this.#containers.read(data.digest, position, end)) {
          yield chunk;
          position += chunk.length;
        }
        if (position < end)
          throw new Failure('damaged', 'venus.read', 'the cached file is too short', { fid });
      } catch (error) {
        if (attempt >= 2 || !isFailure(error, 'damaged', 'not-found')) throw error;
        await this.#ensure(volume, fid, data);
      }
    }
  }

  #ensure(volume: Volume, fid: Fid, data: FileData): Promise<void> {
    if (this.#containers.has(data.digest)) return Promise.resolve();
    const running = this.#transfers.get(data.digest);
    if (running !== undefined) return running;
    const fetched = this.#gate.fetching();
    const started = this.#fetch(volume, fid, data).finally(() => {
      fetched();
      this.#transfers.delete(data.digest);
    });
    this.#transfers.set(data.digest, started);
    return started;
  }

  /**
   * By an older version that is here; whole, where there is none, or what came of it is something else. (The servers'
   * word is taken for what has changed; only the digest of all of it tells.)
   */
  async #fetch(volume: Volume, fid: Fid, data: FileData): Promise<void> {
    const difference = this.#differences.begin(fid, data);
    if (difference !== undefined) {
      try {
        return await this.#transfer(volume, fid, data, difference);
      } catch (error) {
        if (!isFailure(error)) throw error;
        if (error.kind === 'no-space' || volume.avsg.length === 0) throw error;
        this.#log.warn('difference fetched in vain', { fid, message: error.message });
      }
    }
    await this.#transfer(volume, fid, data);
  }

  /** From the preferred server; where the transfer breaks it goes on from another, at the byte where it broke. */
  async #transfer(volume: Volume, fid: Fid, data: FileData, difference?: FetchedDifference): Promise<void> {
    const spool = await this.#containers.spool(data.length);
    try {
      let failure: Failure | undefined;
      for (const member of sourcesOf(volume)) {
        try {
          const source =
            (await difference?.from(member.server, spool.length)) ??
            (await member.server.download(`container/${data.digest}`, spool.length));
          for await (const chunk of source) {
            if (spool.length + chunk.length > data.length) break;
            await spool.write(chunk);
          }
          if (spool.length === data.length) break;
        } catch (error) {
          if (!isFailure(error) || isFailure(error, 'no-space')) throw error;
          failure = error;
          const { kind, message } = error;
          this.#log.warn('fetch broke', { server: member.server.name, fid, at: spool.length, kind, message });
        }
      }
      if (spool.length !== data.length) throw cannotFetch(volume, fid, failure);
      const { digest, length } = await spool.commit();
      if (digest !== data.digest) {
        throw new Failure('damaged', 'venus.fetch', 'the servers sent other bytes than announced', { fid });
      }
      this.#containers.adopt(digest, length)();
    } finally {
      await spool.abort();
    }
  }
}

/** The preferred member first. */
function sourcesOf(volume: Volume): readonly Member[] {
  const { preferred, avsg } = volume;
  return preferred === undefined ? avsg : [preferred, ...avsg.filter((member) => member !== preferred)];
}

function cannotFetch(volume: Volume, fid: Fid, cause: Failure | undefined): Failure {
  if (volume.avsg.length > 0 && cause !== undefined && !isFailure(cause, 'unreachable', 'timeout')) {
    return new Failure('damaged', 'venus.fetch', 'no accessible replica has intact contents', { fid, cause });
  }
  const message = 'no server answers, and the contents are not in the cache';
  return new Failure('unreachable', 'venus.fetch', message, { fid, cause });
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
