/**
 * Containers in a folder:
 *
 *   format, in-use   see folder-claim.ts
 *   spool/           files that have no name yet; emptied when the folder is opened 00/ ... ff/
 *   containers, by the first two digits of their digests; made when needed
 *   quarantine/      damaged containers, for a person to look at
 *   partial/         contents in part, see file-partial.ts
 *
 * A container's file is flushed before it is renamed to its digest, the folder after it. So a name that
 * survives a crash names whole contents; what a killed process renamed but did not flush is flushed when the
 * folder is opened.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rename, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { emptyDigest, Failure, isFailure } from '../../interface/index.js';
import { contentsLength, digestPattern } from '../block-digests.js';
import { blockBytes, type Containers, type Spool } from '../containers.js';
import type { PartialBeginning, PartialContainer } from '../partial-container.js';
import { ContainerReader, loadDigests, nothing, readSmall, type ContainerFile } from './container-reader.js';
import { diskFailure, errorCode } from './disk-failure.js';
import { FileSpool } from './file-spool.js';
import { claimFolder, syncFolder } from './folder-claim.js';
import { FilePartial, leftPartials, removePartialFolder, type PartialPlace } from './file-partial.js';
import { FolderSync } from './folder-sync.js';

const kind = { name: 'coda-containers', version: 1 };
const prefixPattern = /^[0-9a-f]{2}$/;
/** Lengths kept in memory, so that asking after a container that was just stored costs nothing. */
const knownLengths = 20_000;
/** Files looked at together while listing. */
const looksAtOnce = 64;

interface Listed {
  readonly digest: string;
  readonly length: number;
}

/**
 * The containers in `folder`, created if it is not there.
 * @throws Failure invalid when another live process has it open, incompatible, no-space
 */
export async function openFileContainers(folder: string): Promise<Containers> {
  const release = await claimFolder(folder, kind);
  try {
    await prepare(folder);
    return new FileContainers(folder, release);
  } catch (error) {
    await release();
    throw diskFailure('containers.open', folder, error);
  }
}

async function prepare(folder: string): Promise<void> {
  for (const name of ['spool', 'quarantine', 'partial'])
    await mkdir(join(folder, name), { recursive: true, mode: 0o700 });
  for (const name of await readdir(join(folder, 'spool'))) await unlink(join(folder, 'spool', name));
  const prefixes = (await readdir(folder)).filter((name) => prefixPattern.test(name));
  await Promise.all([folder, ...prefixes.map((name) => join(folder, name))].map(syncFolder));
}

class FileContainers implements Containers {
  readonly #folder: string;
  readonly #release: () => Promise<void>;
  readonly #root: FolderSync;
  /** By prefix: the folders that are known to be there. */
  readonly #folders = new Map<string, Promise<FolderSync>>();
  readonly #lengths = new Map<string, number>();
  /** Containers that have their name but not yet durably; `has` waits for them (CO-1). */
  readonly #publishing = new Map<string, Promise<void>>();
  readonly #spools = new Set<FileSpool>();
  /** Contents in part that are open. */
  readonly #partials = new Map<string, FilePartial>();
  /** Set when the disk failed to flush: nothing is stored any more until the folder is opened again. */
  #broken: Failure | undefined;
  #closed: Promise<void> | undefined;

  constructor(folder: string, release: () => Promise<void>) {
    this.#folder = folder;
    this.#root = new FolderSync(folder);
    this.#release = release;
  }

  async spool(): Promise<Spool> {
    this.#mustBeOpen();
    if (this.#broken !== undefined) throw this.#broken;
    const path = join(this.#folder, 'spool', randomBytes(12).toString('hex'));
    const spool = new FileSpool({
      path,
      publish: (digest, length) => this.#publish(path, digest, length),
      explain: (error) => diskFailure('containers.spool', this.#folder, error),
      closed: () => this.#spools.delete(spool),
    });
    this.#spools.add(spool);
    return spool;
  }

  async has(digest: string): Promise<boolean> {
    this.#mustBeOpen();
    mustBeDigest(digest);
    try {
      await this.#publishing.get(digest);
    } catch {
      return false;
    }
    return this.#lengths.has(digest) || (await this.#look(digest)) !== undefined;
  }

  async length(digest: string): Promise<number> {
    this.#mustBeOpen();
    mustBeDigest(digest);
    const length = this.#lengths.get(digest) ?? (await this.#look(digest));
    if (length === undefined) throw missing(digest);
    return length;
  }

  async read(digest: string, start = 0, end = Infinity): Promise<AsyncIterable<Uint8Array>> {
    this.#mustBeOpen();
    mustBeDigest(digest);
    if (!(start >= 0) || !(end >= 0))
      throw new Error('a range of a container must not begin or end before 0');
    const file = await this.#openFile(digest);
    const last = Math.min(end, file.length);
    if (file.length <= blockBytes) return readSmall(file, start, last);
    if (start < last) return new ContainerReader(file, start, last);
    await file.handle.close();
    return nothing;
  }

  async blockDigests(digest: string): Promise<Uint8Array> {
    this.#mustBeOpen();
    mustBeDigest(digest);
    return loadDigests(await this.#openFile(digest));
  }

  async beginPartial(beginning: PartialBeginning): Promise<PartialContainer> {
    const place = this.#partialPlace(beginning.digest);
    const partial = await this.#explained(FilePartial.begin(place, beginning));
    this.#partials.set(beginning.digest, partial);
    return partial;
  }

  async openPartial(digest: string): Promise<PartialContainer | undefined> {
    const partial = await this.#explained(FilePartial.open(this.#partialPlace(digest)));
    if (partial !== undefined) this.#partials.set(digest, partial);
    return partial;
  }

  partials(): AsyncIterable<{ readonly digest: string; readonly length: number; readonly bytes: number }> {
    this.#mustBeOpen();
    return leftPartials(join(this.#folder, 'partial'));
  }

  async removePartial(digest: string): Promise<void> {
    await this.#explained(removePartialFolder(this.#partialPlace(digest).folder));
  }

  #partialPlace(digest: string): PartialPlace {
    this.#mustBeOpen();
    if (this.#broken !== undefined) throw this.#broken;
    mustBeDigest(digest);
    if (this.#partials.has(digest)) throw new Error(`contents in part of ${digest} are open`);
    return {
      digest,
      folder: join(this.#folder, 'partial', digest),
      publish: (path, length) => this.#publish(path, digest, length),
      explain: (error) => diskFailure('containers.partial', this.#folder, error),
      closed: () => this.#partials.delete(digest),
    };
  }

  async #explained<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw diskFailure('containers.partial', this.#folder, error);
    }
  }

  async remove(digest: string): Promise<void> {
    this.#mustBeOpen();
    mustBeDigest(digest);
    this.#lengths.delete(digest);
    await this.#attempt('containers.remove', unlink(this.#path(digest)));
  }

  async *list(): AsyncIterableIterator<Listed> {
    for (const prefix of await readdir(this.#folder)) {
      if (!prefixPattern.test(prefix)) continue;
      this.#mustBeOpen();
      const names = await readdir(join(this.#folder, prefix));
      const digests = names.filter((name) => digestPattern.test(name));
      for (let start = 0; start < digests.length; start += looksAtOnce) yield* this.#lookAt(digests, start);
    }
  }

  async *#lookAt(digests: readonly string[], start: number): AsyncIterableIterator<Listed> {
    const some = digests.slice(start, start + looksAtOnce);
    const lengths = await Promise.all(some.map((digest) => this.#look(digest)));
    for (const [index, digest] of some.entries()) {
      const length = lengths[index];
      if (length !== undefined) yield { digest, length };
    }
  }

  async space(): Promise<number> {
    this.#mustBeOpen();
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  close(): Promise<void> {
    return (this.#closed ??= this.#shut());
  }

  async #shut(): Promise<void> {
    await Promise.all([...this.#spools].map((spool) => spool.abort()));
    await Promise.all([...this.#partials.values()].map((partial) => partial.close()));
    await Promise.allSettled(this.#publishing.values());
    for (const folder of await Promise.allSettled(this.#folders.values())) {
      if (folder.status === 'fulfilled') await folder.value.close();
    }
    await this.#root.close();
    await this.#release();
  }

  /**
   * Names the flushed file at `spoolPath`, also over an existing container: the same bytes, or sound ones in
   * the place of damaged ones (CO-4).
   */
  async #publish(spoolPath: string, digest: string, length: number): Promise<void> {
    const publishing = this.#nameDurably(spoolPath, digest);
    this.#publishing.set(digest, publishing);
    try {
      await publishing;
    } catch (error) {
      // The name may be there without being durable: `has` denies it until it has been stored again or until
      // the folder is opened again. After a failed flush the disk's word is not trusted any more.
      const failure = diskFailure('containers.commit', this.#folder, error);
      if (isFailure(failure, 'damaged')) this.#broken = failure;
      throw failure;
    }
    this.#remember(digest, length);
    if (this.#publishing.get(digest) === publishing) this.#publishing.delete(digest);
  }

  async #nameDurably(spoolPath: string, digest: string): Promise<void> {
    const folder = await this.#folderOf(digest);
    await rename(spoolPath, this.#path(digest));
    await folder.flush();
  }

  #folderOf(digest: string): Promise<FolderSync> {
    const prefix = digest.slice(0, 2);
    let folder = this.#folders.get(prefix);
    if (folder === undefined) {
      folder = this.#makeFolder(join(this.#folder, prefix));
      folder.catch(() => this.#folders.delete(prefix));
      this.#folders.set(prefix, folder);
    }
    return folder;
  }

  async #makeFolder(path: string): Promise<FolderSync> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await this.#root.flush();
    return new FolderSync(path);
  }

  async #openFile(digest: string): Promise<ContainerFile> {
    const handle = await this.#attempt('containers.read', open(this.#path(digest), 'r'));
    if (handle === undefined) {
      this.#lengths.delete(digest);
      throw missing(digest);
    }
    try {
      // A file that has lost its end is read as what it is: its digest will not match.
      const length = this.#lengths.get(digest) ?? contentsLength((await handle.stat()).size) ?? 0;
      const damaged = async (detail: string): Promise<Error> => {
        return this.#quarantine(digest, (await handle.stat()).ino, detail);
      };
      return { handle, digest, length, damaged };
    } catch (error) {
      await handle.close();
      throw diskFailure('containers.read', this.#folder, error);
    }
  }

  /** The length of a container as its file says, undefined when there is none or its file cannot be whole. */
  async #look(digest: string): Promise<number | undefined> {
    const status = await this.#attempt('containers.look', stat(this.#path(digest)));
    if (status === undefined) return undefined;
    const length = contentsLength(status.size);
    if (length === undefined || (length === 0 && digest !== emptyDigest)) {
      await this.#quarantine(digest, status.ino, 'its file has lost its end');
      return undefined;
    }
    this.#remember(digest, length);
    return length;
  }

  /** Puts a damaged file aside, unless a sound one has taken its place since it was opened. */
  async #quarantine(digest: string, ino: number, detail: string): Promise<Error> {
    const path = this.#path(digest);
    this.#lengths.delete(digest);
    const present = await this.#attempt('containers.quarantine', stat(path));
    if (present !== undefined && present.ino === ino) {
      await this.#attempt('containers.quarantine', rename(path, join(this.#folder, 'quarantine', digest)));
    }
    const message = `container ${digest} is damaged (${detail}): fetch it again from another replica`;
    return new Failure('damaged', 'containers.read', message);
  }

  #remember(digest: string, length: number): void {
    if (this.#lengths.size >= knownLengths) {
      const [oldest] = this.#lengths.keys();
      if (oldest !== undefined) this.#lengths.delete(oldest);
    }
    this.#lengths.set(digest, length);
  }

  #path(digest: string): string {
    return join(this.#folder, digest.slice(0, 2), digest);
  }

  /** What `work` comes to, undefined when there is no such file. */
  async #attempt<T>(operation: string, work: Promise<T>): Promise<T | undefined> {
    try {
      return await work;
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw diskFailure(operation, this.#folder, error);
    }
  }

  #mustBeOpen(): void {
    if (this.#closed !== undefined) throw new Error(`the containers in ${this.#folder} are closed`);
  }
}

/** Digests become paths: whatever is not one never reaches the disk. */
function mustBeDigest(digest: string): void {
  if (!digestPattern.test(digest)) throw new Failure('invalid', 'containers', 'this is no container digest');
}

function missing(digest: string): Failure {
  return new Failure('not-found', 'containers.read', `container ${digest} is not here`);
}
