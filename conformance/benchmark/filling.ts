/**
 * Fills a volume with files, empty ones as a rule, by the servers' own calls, as a gateway would make them, but a
 * hundred changes in one call and to all servers at once: a hundred thousand files by WebDAV would take an hour.
 */
import {
  counterOf,
  isFailure,
  limits,
  makeFid,
  makeStoreId,
  rootFid,
  type Fid,
  type Mutation,
  type UpdateSet,
  type VenusId,
} from '../../vice/interface/index.js';
import { digestOfPacked } from '../../vice/seam/packed-containers.js';
import type { DirectServers } from './direct-servers.js';

const venus = '00000000000000be' as VenusId;
/** A folder and its files are one call. */
export const filesPerFolder = 99;

export const folderName = (index: number): string => `filled-${`${index}`.padStart(5, '0')}`;
export const fileName = (index: number): string => `file-${`${index}`.padStart(5, '0')}.txt`;

export class VolumeFiller {
  readonly #servers: DirectServers;
  readonly #root: Fid;
  readonly #replicas: readonly string[];
  /** Of the last StoreId, and of the last Fid. */
  #counter = 0;
  #unique = 1;
  #folders = 0;
  #lastInRoot: number | undefined;
  #cop2: UpdateSet[] = [];
  readonly #contents: ((fid: Fid) => Uint8Array) | undefined;

  /** `contents` of each file of `fillTo`, small enough to travel with its record. */
  constructor(servers: DirectServers, contents?: (fid: Fid) => Uint8Array) {
    const { document } = servers;
    this.#servers = servers;
    this.#contents = contents;
    this.#root = rootFid(document.rootVolume);
    const volume = document.volumes.find(({ id }) => id === document.rootVolume);
    this.#replicas = (volume?.replicas ?? []).map(({ id }) => id);
  }

  get objects(): number {
    return this.#folders * (filesPerFolder + 1);
  }

  /** Until there are at least so many files and folders. */
  async fillTo(objects: number): Promise<void> {
    for (; this.objects < objects; this.#folders += 1) await this.#folder(this.#folders);
    await this.#finish();
  }

  /** One folder in the root with so many files. */
  async fillFolder(name: string, files: number): Promise<void> {
    const folder = this.#newFid();
    const made = this.#record(this.#root, this.#lastInRoot, folder, name, 'mkdir');
    this.#lastInRoot = counterOf(made.storeId);
    let records = [made];
    for (let file = 0; file < files; file += 1) {
      if (records.length === limits.batchRecords) {
        await this.#send(records, counterOf(records[0]?.storeId ?? made.storeId));
        records = [];
      }
      records.push(this.#record(folder, this.#counter, this.#newFid(), fileName(file), 'create'));
    }
    await this.#send(records, counterOf(records[0]?.storeId ?? made.storeId));
    await this.#finish();
  }

  async #folder(index: number): Promise<void> {
    const folder = this.#newFid();
    const made = this.#record(this.#root, this.#lastInRoot, folder, folderName(index), 'mkdir');
    this.#lastInRoot = counterOf(made.storeId);
    const records = [made];
    for (let file = 0; file < filesPerFolder; file += 1) {
      records.push(this.#record(folder, this.#counter, this.#newFid(), fileName(file), 'create'));
    }
    await this.#send(records, counterOf(made.storeId));
    if (this.#contents !== undefined) await this.#store(records.slice(1), this.#contents);
  }

  async #store(made: readonly Mutation[], contents: (fid: Fid) => Uint8Array): Promise<void> {
    const inline: Record<string, Uint8Array> = {};
    const records = made.map(({ fid, storeId: before }): Mutation => {
      const body = contents(fid);
      const digest = digestOfPacked(body);
      inline[digest] = body;
      const storeId = makeStoreId(venus, (this.#counter += 1));
      const time = Date.now();
      const base = { [fid]: { [venus]: counterOf(before) } };
      const common = { storeId, time, author: 'bench', host: 'bench', base };
      return { op: 'store', ...common, fid, length: body.length, digest, modified: time, saved: 1 };
    });
    const [first] = records;
    if (first !== undefined) await this.#send(records, counterOf(first.storeId), inline);
  }

  /** The second phase of the last changes. */
  async #finish(): Promise<void> {
    const volume = this.#servers.document.rootVolume;
    const cop2 = this.#cop2;
    this.#cop2 = [];
    await this.#everywhere((server) => this.#servers.call(server, 'gateway', 'cop2', { volume, cop2 }));
  }

  async #send(
    records: readonly Mutation[],
    watermark: number,
    inline: Readonly<Record<string, Uint8Array>> = {},
  ): Promise<void> {
    const cop2 = this.#cop2;
    this.#cop2 = records.map(({ storeId }) => ({ storeId, replicas: [...this.#replicas] }));
    const volume = this.#servers.document.rootVolume;
    await this.#everywhere(async (server) => {
      const argument = { volume, records: [...records], inline, transfers: {}, watermark, cop2 };
      const reply = await this.#again(() => this.#servers.call(server, 'gateway', 'mutate', argument));
      if (reply.outcome !== 'applied') throw new Error(`${server} refused: ${JSON.stringify(reply)}`);
    });
  }

  /** A server that was silent on a busy machine is asked once more: what it has applied it skips. */
  async #again<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (!isFailure(error, 'unreachable', 'timeout')) throw error;
      return ask();
    }
  }

  async #everywhere(act: (server: string) => Promise<unknown>): Promise<void> {
    await Promise.all(this.#servers.names.map(act));
  }

  #newFid(): Fid {
    return makeFid(this.#servers.document.rootVolume, (this.#unique += 1), venus);
  }

  #record(parent: Fid, before: number | undefined, fid: Fid, name: string, op: 'create' | 'mkdir'): Mutation {
    const storeId = makeStoreId(venus, (this.#counter += 1));
    const base = { [parent]: before === undefined ? {} : { [venus]: before } };
    const common = { storeId, time: Date.now(), author: 'bench', host: 'bench', base };
    return { op, ...common, parent, name, fid, mode: op === 'mkdir' ? 0o755 : 0o644 };
  }
}
