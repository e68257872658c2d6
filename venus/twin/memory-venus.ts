/**
 * Venus in memory for the tests of gateways: one volume, no servers, every word of venus/interface.ts. Fails
 * and waits on demand, so that a test can bring about any failure and any interleaving.
 */
import {
  emptyDigest,
  Failure,
  nameFault,
  type DirectoryEntry,
  type Fid,
  type StoreIdVector,
} from '../../vice/interface/index.js';
import type {
  Caller,
  Entry,
  Expectation,
  Leases,
  Name,
  ObjectStatus,
  OpenFile,
  Place,
  PropertyChanges,
  ReplaceOptions,
  Space,
  Venus,
  VenusState,
  VolumeMode,
  WriteOutcome,
  Writer,
  WriteTarget,
} from '../interface.js';
import { digestOf } from '../../vice/seam/block-digests.js';
import { MemoryLeases } from './memory-leases.js';
import { MemoryLog } from './memory-log.js';
import { MemoryServers } from './memory-servers.js';
import { MemoryTree, viewOf, type Change } from './memory-tree.js';
import { MemoryWriter } from './memory-writer.js';

/**
 * What can be made to fail or to wait. `read` and the two of the Writer are not operations of Venus itself.
 */
export type Operation =
  Exclude<keyof Venus, 'leases' | 'log' | 'state'> | 'read' | 'writer.write' | 'writer.close';

const batchEntries = 100;
const chunkBytes = 64 * 1024;
const unbounded = 2 ** 40;

export interface MemoryVenusOptions {
  /** Milliseconds since 1970. Default: a clock that stands still. */
  readonly wall?: () => number;
  /** Bytes that the disk may hold, and that the volume may; counting costs a walk, so only when given. */
  readonly capacity?: number;
  readonly quota?: number;
  /** Names of servers that can be disconnected from; while all are, changes enter the log. */
  readonly servers?: readonly string[];
  /** To begin with the tree of another, as a second gateway of its realm; `venus` is the own VenusId. */
  readonly fork?: { readonly from: MemoryVenus; readonly venus: string };
}

export class MemoryVenus implements Venus {
  readonly leases: Leases = new MemoryLeases();
  readonly log: MemoryLog;
  /** Writers and open files that are not closed yet: a test expects none at its end. */
  openWriters = 0;
  openFiles = 0;
  readonly #tree: MemoryTree;
  readonly #contents: Map<Fid, Uint8Array>;
  readonly #wall: () => number;
  readonly #capacity: number;
  readonly #quota: number;
  readonly #failures = new Map<Operation, Failure>();
  readonly #servers: MemoryServers;
  readonly #befores = new Map<Operation, () => Promise<void>>();

  constructor({
    wall = () => 1_700_000_000_000,
    capacity = unbounded,
    quota = capacity,
    servers = [],
    fork,
  }: MemoryVenusOptions = {}) {
    this.#wall = wall;
    this.#capacity = capacity;
    this.#quota = quota;
    this.#tree = fork === undefined ? new MemoryTree(wall()) : fork.from.#tree.fork(fork.venus);
    this.#contents = new Map(fork === undefined ? [] : fork.from.#contents);
    this.#servers = new MemoryServers(servers);
    this.log = new MemoryLog((fid) => this.#tree.pathOf(fid));
  }

  /** Every update that an object has incorporated; null: there is no such object. */
  known(fid: Fid): StoreIdVector | null {
    return this.#tree.status(fid)?.known ?? null;
  }

  /** Where an object is. */
  pathOf(fid: Fid): string | null {
    return this.#tree.pathOf(fid);
  }

  /** The next `operation` fails so; a `read` after its first chunk. */
  failNext(operation: Operation, failure: Failure): void {
    this.#failures.set(operation, failure);
  }

  /** Before the next `operation` goes on, `action` is run and awaited: what another client does meanwhile. */
  beforeNext(operation: Operation, action: () => Promise<void>): void {
    this.#befores.set(operation, action);
  }

  async lookup(_caller: Caller, path: readonly string[]): Promise<Place> {
    await this.#enter('lookup');
    const ancestors: Fid[] = [];
    let name = '';
    let at: Fid | undefined = this.#tree.root;
    for (const asked of path) {
      if (at === undefined) throw failure('not-found', 'lookup', `there is no directory ${name}`);
      if (this.#mustExist(at, 'lookup').kind !== 'directory') throw failure('not-directory', 'lookup', name);
      const fault = nameFault(asked);
      if (fault !== undefined) throw failure('invalid', 'lookup', `the name ${fault}`);
      ancestors.push(at);
      const entry = this.#find(at, asked);
      name = entry?.name ?? asked;
      at = entry?.fid;
    }
    const object = at === undefined ? null : this.#view(at, 'lookup');
    return { parent: ancestors.at(-1) ?? null, name, object, ancestors };
  }

  async status(_caller: Caller, fid: Fid): Promise<ObjectStatus> {
    await this.#enter('status');
    return this.#view(fid, 'status');
  }

  async *list(_caller: Caller, directory: Fid): AsyncIterable<readonly Entry[]> {
    await this.#enter('list');
    const { kind } = this.#mustExist(directory, 'list');
    if (kind !== 'directory') throw failure('not-directory', 'list', 'it is no directory');
    const names = this.#tree.entries(directory);
    for (let start = 0; start < names.length; start += batchEntries) {
      yield names.slice(start, start + batchEntries).flatMap((entry) => this.#listed(entry));
    }
  }

  async open(_caller: Caller, fid: Fid): Promise<OpenFile> {
    await this.#enter('open');
    const status = this.#view(fid, 'open');
    if (status.kind === 'directory') throw failure('is-directory', 'open', 'it is a directory');
    if (status.kind === 'symlink') throw failure('invalid', 'open', 'it is a symbolic link');
    const contents = this.#contents.get(fid) ?? new Uint8Array();
    this.openFiles += 1;
    let closed = false;
    return {
      status,
      read: (start = 0, end = contents.length) => this.#read(contents, start, end),
      close: async () => {
        if (!closed) this.openFiles -= 1;
        closed = true;
      },
    };
  }

  async write(caller: Caller, announced = 0): Promise<Writer> {
    await this.#enter('write');
    if (announced > this.#available()) throw failure('no-space', 'write', 'the disk is full');
    this.openWriters += 1;
    return new MemoryWriter({
      write: () => this.#enter('writer.write'),
      available: () => this.#available(),
      close: (target, contents) => this.#store(caller, target, contents),
      gone: () => {
        this.openWriters -= 1;
      },
    });
  }

  async makeDirectory(caller: Caller, parent: Fid, name: string): Promise<ObjectStatus> {
    await this.#enter('makeDirectory');
    const fid = this.#tree.newFid();
    this.#apply(caller, [{ op: 'mkdir', parent, name, fid, mode: 0o755 }]);
    return this.#view(fid, 'makeDirectory');
  }

  async makeSymlink(caller: Caller, parent: Fid, name: string, target: string): Promise<ObjectStatus> {
    await this.#enter('makeSymlink');
    const fid = this.#tree.newFid();
    this.#apply(caller, [{ op: 'symlink', parent, name, fid, target }]);
    return this.#view(fid, 'makeSymlink');
  }

  async remove(caller: Caller, parent: Fid, name: string, expectation?: Expectation): Promise<void> {
    await this.#enter('remove');
    const entry = this.#tree.entry(parent, name);
    this.#expect(expectation, entry, 'remove');
    if (entry === undefined) throw failure('not-found', 'remove', `there is no ${name}`);
    this.#apply(caller, this.#removals(parent, entry));
  }

  async rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    await this.#enter('rename');
    const source = this.#tree.entry(from.parent, from.name);
    if (source === undefined) throw failure('not-found', 'rename', `there is no ${from.name}`);
    const found = this.#find(to.parent, to.name);
    const target = found?.fid === source.fid ? undefined : found;
    this.#expect(options.expect, target, 'rename');
    if (target !== undefined && !options.replace) throw failure('exists', 'rename', 'the name is taken');
    if (from.parent === to.parent && from.name === to.name) return { replaced: false };
    const { fid } = source;
    const removals = target === undefined ? [] : this.#removals(to.parent, target);
    this.#apply(caller, [
      ...removals,
      {
        op: 'rename',
        fromParent: from.parent,
        fromName: from.name,
        toParent: to.parent,
        toName: to.name,
        fid,
      },
    ]);
    return { replaced: target !== undefined };
  }

  async copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    await this.#enter('copy');
    const original = this.#mustExist(source, 'copy');
    const target = this.#find(to.parent, to.name);
    this.#expect(options.expect, target, 'copy');
    if (target !== undefined && !options.replace) throw failure('exists', 'copy', 'the name is taken');
    const removals = target === undefined ? [] : this.#removals(to.parent, target);
    const fid = this.#tree.newFid();
    const changes: Change[] = [...removals];
    const { parent, name } = to;
    if (original.kind === 'directory') {
      changes.push({ op: 'mkdir', parent, name, fid, mode: original.mode });
    } else if (original.kind === 'symlink') {
      changes.push({ op: 'symlink', parent, name, fid, target: original.target ?? '' });
    } else {
      const { length, digest } = original.data ?? { length: 0, digest: emptyDigest };
      changes.push({ op: 'create', parent, name, fid, mode: original.mode });
      changes.push({ op: 'store', fid, length, digest, modified: this.#wall() });
    }
    changes.push({ op: 'setprops', fid, set: original.properties, remove: [] });
    this.#apply(caller, changes);
    this.#contents.set(fid, this.#contents.get(source) ?? new Uint8Array());
    return { created: target === undefined, status: this.#view(fid, 'copy') };
  }

  async setModified(caller: Caller, fid: Fid, modified: number): Promise<ObjectStatus> {
    await this.#enter('setModified');
    this.#apply(caller, [{ op: 'utimes', fid, modified }]);
    return this.#view(fid, 'setModified');
  }

  async setMode(caller: Caller, fid: Fid, mode: number): Promise<ObjectStatus> {
    await this.#enter('setMode');
    this.#apply(caller, [{ op: 'chmod', fid, mode }]);
    return this.#view(fid, 'setMode');
  }

  async setProperties(caller: Caller, fid: Fid, { set, remove }: PropertyChanges): Promise<ObjectStatus> {
    await this.#enter('setProperties');
    this.#apply(caller, [{ op: 'setprops', fid, set, remove }]);
    return this.#view(fid, 'setProperties');
  }

  async space(): Promise<Space> {
    await this.#enter('space');
    const usedBytes = this.#used();
    return { usedBytes, availableBytes: Math.max(0, this.#quota - usedBytes) };
  }

  state(): VenusState {
    return this.#servers.state(this.#tree.venus, this.#tree.volume, this.log.changes());
  }

  async disconnect(servers: readonly string[]): Promise<void> {
    await this.#enter('disconnect');
    this.#servers.plan(servers, true);
  }

  async reconnect(servers: readonly string[]): Promise<void> {
    await this.#enter('reconnect');
    this.#servers.plan(servers, false);
    if (!this.#servers.isLogging) this.log.drain();
  }

  async setVolumeMode(volume: string | null, mode: VolumeMode): Promise<void> {
    await this.#enter('setVolumeMode');
    this.#servers.setMode(volume, mode);
    if (!this.#servers.isLogging) this.log.drain();
  }

  async close(): Promise<void> {
    await this.#enter('close');
  }

  async #store(caller: Caller, target: WriteTarget, contents: Uint8Array): Promise<WriteOutcome> {
    await this.#enter('writer.close');
    const { parent, name } = target;
    const existing = this.#find(parent, name);
    this.#expect(target.expect, existing, 'close');
    const fid = existing?.fid ?? this.#tree.newFid();
    const growth = contents.length - (this.#contents.get(fid)?.length ?? 0);
    if (this.#quota !== unbounded && this.#used() + growth > this.#quota) {
      throw failure('quota', 'close', 'the quota of the volume is exceeded', fid);
    }
    const digest = digestOf(contents);
    const modified = target.modified ?? this.#wall();
    const creation: Change[] =
      existing === undefined ? [{ op: 'create', parent, name, fid, mode: 0o644 }] : [];
    this.#apply(caller, [...creation, { op: 'store', fid, length: contents.length, digest, modified }]);
    this.#contents.set(fid, contents);
    return { created: existing === undefined, status: this.#view(fid, 'close') };
  }

  /** What has to be done before `entry` is gone, itself included; children first. */
  #removals(parent: Fid, { name, fid, kind }: DirectoryEntry): Change[] {
    if (kind !== 'directory') return [{ op: 'remove', parent, name, fid }];
    const below = this.#tree.entries(fid).flatMap((entry) => this.#removals(fid, entry));
    return [...below, { op: 'rmdir', parent, name, fid }];
  }

  async *#read(contents: Uint8Array, start: number, end: number): AsyncIterable<Uint8Array> {
    const failing = this.#failures.get('read');
    this.#failures.delete('read');
    await this.#enter('read');
    for (let at = start; at < end; at += chunkBytes) {
      yield contents.subarray(at, Math.min(end, at + chunkBytes));
      if (failing !== undefined) throw failing;
    }
  }

  #apply(caller: Caller, changes: readonly Change[]): void {
    const records = this.#tree.apply(caller.user, this.#wall(), changes);
    if (this.#servers.isLogging) this.log.add('root', records);
  }

  #find(directory: Fid, name: string): DirectoryEntry | undefined {
    const spelled = (form: string): DirectoryEntry | undefined => this.#tree.entry(directory, form);
    return spelled(name) ?? spelled(name.normalize('NFC')) ?? spelled(name.normalize('NFD'));
  }

  #expect(expectation: Expectation | undefined, found: DirectoryEntry | undefined, operation: string): void {
    if (expectation?.version === undefined) return;
    const version = found === undefined ? null : this.#tree.status(found.fid)?.data?.storeId;
    if (version !== expectation.version) throw failure('changed', operation, 'it is another version by now');
  }

  #listed({ name, fid }: DirectoryEntry): readonly Entry[] {
    const status = this.#tree.status(fid);
    return status === undefined ? [] : [{ name, status: viewOf(status) }];
  }

  #mustExist(fid: Fid, operation: string): NonNullable<ReturnType<MemoryTree['status']>> {
    const status = this.#tree.status(fid);
    if (status === undefined) throw failure('not-found', operation, 'the object is gone', fid);
    return status;
  }

  #view(fid: Fid, operation: string): ObjectStatus {
    return viewOf(this.#mustExist(fid, operation));
  }

  #available(): number {
    return this.#capacity === unbounded ? unbounded : Math.max(0, this.#capacity - this.#used());
  }

  #used(): number {
    let used = 0;
    for (const [fid, contents] of this.#contents) {
      if (this.#tree.status(fid) === undefined) this.#contents.delete(fid);
      else used += contents.length;
    }
    return used;
  }

  async #enter(operation: Operation): Promise<void> {
    const action = this.#befores.get(operation);
    this.#befores.delete(operation);
    await action?.();
    const failing = this.#failures.get(operation);
    this.#failures.delete(operation);
    if (failing !== undefined) throw failing;
  }
}

function failure(kind: Failure['kind'], operation: string, message: string, fid?: Fid): Failure {
  return new Failure(kind, `memory.${operation}`, message, { fid });
}
