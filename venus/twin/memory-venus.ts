/**
 * Venus in memory for the tests of gateways: one volume, no servers, every word of venus/interface.ts. Fails
 * and waits on demand, so that a test can bring about any failure and any interleaving.
 */
import {
  emptyDigest,
  Failure,
  nameFault,
  right,
  versionsOf,
  type Fid,
  type FileData,
  type StoreIdVector,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type {
  Access,
  AccessList,
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
import { MemoryAccess } from './memory-access.js';
import { copied, moved, removals, written } from './memory-changes.js';
import { MemoryConflicts, withVersion, type ApartVersion } from './memory-conflicts.js';
import { mustBeExpected } from './memory-expectation.js';
import { MemoryHoard } from './memory-hoard.js';
import { MemoryLeases } from './memory-leases.js';
import { MemoryLog } from './memory-log.js';
import { MemoryPeople } from './memory-people.js';
import { MemorySnapshots } from './memory-snapshots.js';
import { entriesSeen, findSeen, seenByFid, viewOf, type Seen } from './memory-names.js';
import { MemoryServers } from './memory-servers.js';
import { MemoryTree, type Change } from './memory-tree.js';
import { unbounded, type MemoryOptions } from './memory-options.js';
import { TestOrders, type Operation } from './test-orders.js';
import { MemoryWriter } from './memory-writer.js';

const batchEntries = 100;
const chunkBytes = 64 * 1024;

export interface MemoryVenusOptions extends MemoryOptions {
  /** To begin with the tree of another, as a second gateway of its realm; `venus` is the own VenusId. */
  readonly fork?: { readonly from: MemoryVenus; readonly venus: string };
}

export class MemoryVenus implements Venus {
  readonly leases: Leases = new MemoryLeases();
  readonly log: MemoryLog;
  readonly conflicts: MemoryConflicts;
  readonly hoard: MemoryHoard;
  readonly people: MemoryPeople = new MemoryPeople();
  readonly snapshots = new MemorySnapshots(() => [this.#tree, (data) => this.#bytesOf(data)]);
  /** Writers and open files that are not closed yet: a test expects none at its end. */
  openWriters = 0;
  openFiles = 0;
  readonly isLocked = (): boolean => false;
  readonly #tree: MemoryTree;
  readonly #access: MemoryAccess;
  readonly #contents: Map<string, Uint8Array>; // By digest.
  readonly #wall: () => number;
  readonly #capacity: number;
  readonly #quota: number;
  readonly #orders = new TestOrders();
  readonly #servers: MemoryServers;
  #apart = 0;

  constructor({
    wall = () => 1_700_000_000_000,
    capacity = unbounded,
    quota = capacity,
    servers = [],
    groups = {},
    conflicts = 'keep',
    fork,
  }: MemoryVenusOptions = {}) {
    this.#wall = wall;
    this.#capacity = capacity;
    this.#quota = quota;
    this.#tree = fork === undefined ? new MemoryTree(wall()) : fork.from.#tree.fork(fork.venus);
    this.#access = new MemoryAccess(this.#tree, groups);
    this.#tree.hidesVersions = conflicts === 'last-writer-wins';
    this.#contents = new Map(fork === undefined ? [] : fork.from.#contents);
    this.#servers = new MemoryServers(servers);
    this.hoard = new MemoryHoard(this.#tree, wall, (operation) => this.#enter(operation));
    this.log = new MemoryLog((fid) => this.#tree.pathOf(fid));
    this.conflicts = new MemoryConflicts(
      this.#tree,
      (caller, changes) => this.#apply(caller, changes),
      (operation) => this.#enter(`conflicts.${operation}`),
    );
  }

  /** As if somebody had stored it without knowing of the versions that are there; the one saved last is shown. */
  addVersion(fid: Fid, version: ApartVersion): void {
    this.#contents.set(digestOf(version.bytes), version.bytes);
    this.alter(fid, (status) => withVersion(status, (this.#apart += 1), version));
  }

  /** Any other trace of what others did apart: removals, places, wanted names. */
  alter(fid: Fid, change: (status: VnodeStatus) => VnodeStatus): void {
    this.#tree.put(change(this.#seen(fid, 'alter').status));
  }

  /** Every update that an object has incorporated; null: there is none. */
  known(fid: Fid): StoreIdVector | null {
    return this.#tree.status(fid)?.known ?? null;
  }

  pathOf(fid: Fid): string | null {
    return this.#tree.pathOf(fid);
  }

  /** The next `operation` fails so; a `read` after its first chunk. */
  failNext(operation: Operation, failure: Failure): void {
    this.#orders.failNext(operation, failure);
  }

  /** Before the next `operation` goes on, `action` is run and awaited: what another client does meanwhile. */
  beforeNext(operation: Operation, action: () => Promise<void>): void {
    this.#orders.beforeNext(operation, action);
  }

  async lookup(caller: Caller, path: readonly string[]): Promise<Place> {
    await this.#enter('lookup');
    const ancestors: Fid[] = [];
    let name = '';
    let at: Fid | undefined = this.#tree.root;
    for (const asked of path) {
      if (at === undefined) throw failure('not-found', 'lookup', `there is no directory ${name}`);
      if (this.#seen(at, 'lookup').status.kind !== 'directory')
        throw failure('not-directory', 'lookup', name);
      const fault = nameFault(asked);
      if (fault !== undefined) throw failure('invalid', 'lookup', `the name ${fault}`);
      this.#access.require(caller, at, right.lookup);
      ancestors.push(at);
      const seen = findSeen(this.#tree, at, asked);
      name = seen?.name ?? asked;
      at = seen?.fid;
    }
    const object = at === undefined ? null : this.#view(at, 'lookup');
    return { parent: ancestors.at(-1) ?? null, name, object, ancestors };
  }

  async status(caller: Caller, fid: Fid): Promise<ObjectStatus> {
    await this.#enter('status');
    this.#access.mayLookAt(caller, this.#seen(fid, 'status').status);
    return this.#view(fid, 'status');
  }

  async *list(caller: Caller, directory: Fid): AsyncIterable<readonly Entry[]> {
    await this.#enter('list');
    const { kind } = this.#seen(directory, 'list').status;
    if (kind !== 'directory') throw failure('not-directory', 'list', 'it is no directory');
    this.#access.require(caller, directory, right.lookup);
    const names = this.#tree.entries(directory);
    for (let start = 0; start < names.length; start += batchEntries) {
      yield names
        .slice(start, start + batchEntries)
        .flatMap((entry) => entriesSeen(this.#tree, directory, entry));
    }
  }

  async open(caller: Caller, fid: Fid): Promise<OpenFile> {
    await this.#enter('open');
    const status = this.#view(fid, 'open');
    if (status.kind === 'directory') throw failure('is-directory', 'open', 'it is a directory');
    if (status.kind === 'symlink') throw failure('invalid', 'open', 'it is a symbolic link');
    const { status: object, sibling } = this.#seen(fid, 'open');
    this.#access.mayRead(caller, object);
    const contents = this.#bytesOf(sibling ?? object.data);
    this.openFiles += 1;
    this.hoard.opened(caller.user, object.fid);
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
    const seen = findSeen(this.#tree, parent, name);
    this.#expect(expectation, seen, 'remove');
    if (seen === undefined) throw failure('not-found', 'remove', `there is no ${name}`);
    this.#apply(caller, removals(this.#tree, parent, seen));
  }

  async rename(
    caller: Caller,
    from: Name,
    to: Name,
    options: ReplaceOptions,
  ): Promise<{ readonly replaced: boolean }> {
    await this.#enter('rename');
    const source = findSeen(this.#tree, from.parent, from.name);
    if (source === undefined) throw failure('not-found', 'rename', `there is no ${from.name}`);
    const found = findSeen(this.#tree, to.parent, to.name);
    const target = found?.fid === source.fid ? undefined : found;
    this.#expect(options.expect, target, 'rename');
    if (target !== undefined && !options.replace) throw failure('exists', 'rename', 'the name is taken');
    if (from.parent === to.parent && from.name === to.name) return { replaced: false };
    this.#apply(caller, moved(this.#tree, { ...from, seen: source }, { ...to, seen: target }));
    return { replaced: target !== undefined };
  }

  async copy(caller: Caller, source: Fid, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    await this.#enter('copy');
    const original = this.#seen(source, 'copy');
    this.#access.mayRead(caller, original.status);
    const target = findSeen(this.#tree, to.parent, to.name);
    this.#expect(options.expect, target, 'copy');
    if (target !== undefined && !options.replace) throw failure('exists', 'copy', 'the name is taken');
    const { fid, changes } = copied(this.#tree, original, { ...to, seen: target }, this.#wall());
    this.#apply(caller, changes);
    return { created: target === undefined, status: this.#view(fid, 'copy') };
  }

  async setModified(caller: Caller, fid: Fid, modified: number): Promise<ObjectStatus> {
    await this.#enter('setModified');
    this.#mustBeWhole(fid, 'setModified');
    this.#apply(caller, [{ op: 'utimes', fid, modified }]);
    return this.#view(fid, 'setModified');
  }

  async setMode(caller: Caller, fid: Fid, mode: number): Promise<ObjectStatus> {
    await this.#enter('setMode');
    this.#mustBeWhole(fid, 'setMode');
    this.#apply(caller, [{ op: 'chmod', fid, mode }]);
    return this.#view(fid, 'setMode');
  }

  async setProperties(caller: Caller, fid: Fid, { set, remove }: PropertyChanges): Promise<ObjectStatus> {
    await this.#enter('setProperties');
    this.#mustBeWhole(fid, 'setProperties');
    this.#apply(caller, [{ op: 'setprops', fid, set, remove }]);
    return this.#view(fid, 'setProperties');
  }

  async access(caller: Caller, fid: Fid): Promise<Access> {
    await this.#enter('access');
    const { status } = this.#seen(fid, 'access');
    this.#access.mayLookAt(caller, status);
    return this.#access.access(caller, status);
  }

  async setAccess(caller: Caller, fid: Fid, list: AccessList | null): Promise<void> {
    await this.#enter('setAccess');
    this.#apply(caller, [{ op: 'setacl', fid, list }]);
  }

  async space(): Promise<Space> {
    await this.#enter('space');
    const usedBytes = this.#used();
    return { usedBytes, availableBytes: Math.max(0, this.#quota - usedBytes) };
  }

  state(): VenusState {
    const policy = this.#tree.hidesVersions ? 'last-writer-wins' : 'keep';
    return this.#servers.state(policy, this.#tree.venus, this.#tree.volume, this.log.changes());
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
    const existing = findSeen(this.#tree, parent, name);
    this.#expect(target.expect, existing, 'close');
    const growth = contents.length - (existing?.status.data?.length ?? 0);
    if (this.#quota !== unbounded && this.#used() + growth > this.#quota) {
      throw failure('quota', 'close', 'the quota of the volume is exceeded');
    }
    const digest = digestOf(contents);
    const data = { length: contents.length, digest, modified: target.modified ?? this.#wall() };
    const { fid, changes } = written(this.#tree, { parent, name, seen: existing }, data);
    this.#apply(caller, changes);
    this.#contents.set(digest, contents);
    return { created: existing === undefined, status: this.#view(fid, 'close') };
  }

  async *#read(contents: Uint8Array, start: number, end: number): AsyncIterable<Uint8Array> {
    const failing = this.#orders.failing('read');
    await this.#enter('read');
    for (let at = start; at < end; at += chunkBytes) {
      yield contents.subarray(at, Math.min(end, at + chunkBytes));
      if (failing !== undefined) throw failing;
    }
  }

  #apply(caller: Caller, changes: readonly Change[]): void {
    const records = this.#tree.apply(caller.user, this.#wall(), changes, this.#access.checking());
    if (this.#servers.isLogging) this.log.add('root', records);
  }

  #expect(expectation: Expectation | undefined, found: Seen | undefined, operation: string): void {
    mustBeExpected(this.#tree, expectation, found, operation);
  }

  #mustBeWhole(fid: Fid, operation: string): void {
    if (fid.includes('@')) throw failure('access-denied', operation, 'it is a version in conflict', fid);
  }

  #seen(fid: Fid, operation: string): Pick<Seen, 'status' | 'sibling'> {
    return seenByFid(this.#tree, fid, operation);
  }

  #view(fid: Fid, operation: string): ObjectStatus {
    return viewOf(this.#tree, this.#seen(fid, operation));
  }

  #bytesOf(data: FileData | null): Uint8Array {
    return this.#contents.get(data?.digest ?? emptyDigest) ?? new Uint8Array();
  }

  #available(): number {
    return this.#capacity === unbounded ? unbounded : Math.max(0, this.#capacity - this.#used());
  }

  #used(): number {
    const versions = [...this.#tree.statuses()].flatMap(versionsOf);
    const digests = new Set(versions.map(({ digest }) => digest));
    for (const digest of this.#contents.keys()) if (!digests.has(digest)) this.#contents.delete(digest);
    return versions.reduce((sum, { length }) => sum + length, 0);
  }

  #enter(operation: Operation): Promise<void> {
    return this.#orders.enter(operation);
  }
}

function failure(kind: Failure['kind'], operation: string, message: string, fid?: Fid): Failure {
  return new Failure(kind, `memory.${operation}`, message, { fid });
}
