/**
 * Random histories of one object: up to four replicas, changed apart by up to three Venuses and merged in any order,
 * beside a twin that keeps for every update the whole set of updates its author had seen, where the real thing keeps
 * vectors.
 *
 * RUNS sets how many histories there are, of files, directories and symbolic links together.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { scaled } from '../../conformance/test-scale.js';
import t from 'tap';
import {
  applyRecord,
  counterOf,
  emptyRoot,
  isFailure,
  isRemoved,
  isSameStatus,
  isWithin,
  knows,
  makeFid,
  makeStoreId,
  mergeStatus,
  rootFid,
  statusSchema,
  venusOf,
  versionsOf,
  type AccessList,
  type Fid,
  type FileData,
  type Mutation,
  type StoreId,
  type StoreIdVector,
  type Tree,
  type VenusId,
  type VnodeKind,
  type VnodeStatus,
  type VolumeId,
} from './index.js';

const runs = Number(process.env['RUNS'] ?? scaled(100_000, 10_000));
t.setTimeout(1_800_000);

const kinds: readonly VnodeKind[] = ['file', 'directory', 'symlink'];

/** In none of the orders by which things are compared. */
const venuses = ['000000000000000b', '000000000000000c', '000000000000000a'] as VenusId[];
const maker = '000000000000000d' as VenusId;
const volume = '7f000001' as VolumeId;
const root = rootFid(volume);
const fid = makeFid(volume, 9, maker);
const directories = [root, makeFid(volume, 2, maker)];
const attributes = ['mode', 'owner', 'modified', '{DAV:}a', '{DAV:}b'] as const;

/** Updates of one history, one bit each. */
type Updates = number;

/** What one update was, and what its author had seen. */
interface Update {
  readonly record: Mutation;
  readonly bit: Updates;
  readonly seen: Updates;
}

/** Of each version: who gave it up or vouches for it, with all that they had seen. */
type Votes = ReadonlyMap<Updates, Updates>;

/** What a replica should be: everything only ever grows, and merging is to take both. */
interface Twin {
  readonly applied: Updates;
  /** Versions that were replaced, and places. */
  readonly replaced: Updates;
  readonly left: Updates;
  /** Access lists that were replaced. */
  readonly unset: Updates;
  readonly vouched: Votes;
  readonly givenUp: Votes;
  /** What the authors of removals had seen. */
  readonly covered: Updates;
  readonly removals: Updates;
  /** Removals that somebody knew of who went on with the object. */
  readonly takenBack: Updates;
}

interface Replica {
  readonly status: VnodeStatus;
  readonly twin: Twin;
}

const nothing: Votes = new Map();

function joinedVotes(a: Votes, b: Votes): Votes {
  if (a.size === 0 || a === b) return b;
  const joined = new Map(b);
  for (const [version, seen] of a) joined.set(version, (joined.get(version) ?? 0) | seen);
  return joined;
}

function joined(a: Twin, b: Twin): Twin {
  return {
    applied: a.applied | b.applied,
    replaced: a.replaced | b.replaced,
    left: a.left | b.left,
    unset: a.unset | b.unset,
    vouched: joinedVotes(a.vouched, b.vouched),
    givenUp: joinedVotes(a.givenUp, b.givenUp),
    covered: a.covered | b.covered,
    removals: a.removals | b.removals,
    takenBack: a.takenBack | b.takenBack,
  };
}

/** A tree with one object in it, and two directories to put it into. */
class OneObject implements Tree {
  readonly #status: VnodeStatus;
  readonly #isEmpty: boolean;

  constructor(status: VnodeStatus, isEmpty = true) {
    this.#status = status;
    this.#isEmpty = isEmpty;
  }

  status(of: Fid): VnodeStatus | undefined {
    if (of !== fid) return directoryAt(of);
    return isRemoved(this.#status) ? undefined : this.#status;
  }

  tombstone(of: Fid): VnodeStatus | undefined {
    return of === fid && isRemoved(this.#status) ? this.#status : undefined;
  }

  entry(directory: Fid, name: string): { name: string; fid: Fid; kind: VnodeKind } | undefined {
    const { places, kind, parent } = this.#status;
    const isHere = !isRemoved(this.#status) && parent === directory && places[0]?.name === name;
    return isHere ? { name, fid, kind } : undefined;
  }

  isEmpty(): boolean {
    return this.#isEmpty;
  }
}

function directoryAt(of: Fid): VnodeStatus | undefined {
  return directories.includes(of)
    ? { ...made('directory').status, fid: of, parent: null, places: [] }
    : undefined;
}

const beginnings = new Map<VnodeKind, Replica>();

/** The object as all have it at first. */
function made(kind: VnodeKind): Replica {
  const before = beginnings.get(kind);
  if (before !== undefined) return before;
  const common = { storeId: makeStoreId(maker, 1), time: 50, author: 'dora', host: 'd', base: {} };
  const status = emptyRoot(root);
  const tree: Tree = {
    status: (of) => (of === root ? status : undefined),
    entry: () => undefined,
    isEmpty: () => true,
  };
  const where = { ...common, parent: root, name: 'n0', fid } as const;
  const effect = applyRecord(
    tree,
    kind === 'symlink'
      ? { op: 'symlink', ...where, target: 'x' }
      : { op: kind === 'file' ? 'create' : 'mkdir', ...where, mode: 0o644 },
  );
  const object = effect.changed.find((changed) => changed.fid === fid);
  if (object === undefined) throw new Error('nothing was made');
  const votes = { vouched: nothing, givenUp: nothing };
  const twin = {
    applied: 1,
    replaced: 0,
    left: 0,
    unset: 0,
    ...votes,
    covered: 0,
    removals: 0,
    takenBack: 0,
  };
  const beginning = { status: object, twin };
  beginnings.set(kind, beginning);
  return beginning;
}

/** Bits of a step, taken one after the other. */
class Dice {
  #rest: number;

  constructor(step: number) {
    this.#rest = step >>> 0;
  }

  roll(sides: number): number {
    const side = this.#rest % sides;
    this.#rest = Math.floor(this.#rest / sides);
    return side;
  }
}

type Bare = Mutation extends infer M
  ? M extends Mutation
    ? Omit<M, 'storeId' | 'time' | 'author' | 'host' | 'base'>
    : never
  : never;

class History {
  readonly kind: VnodeKind;
  readonly replicas: Replica[];
  /** By StoreId. */
  readonly updates = new Map<StoreId, Update>();
  readonly views: Replica[];
  readonly #counters = [0, 0, 0];

  constructor(kind: VnodeKind, replicas: number) {
    this.kind = kind;
    const first = made(kind);
    this.replicas = Array.from({ length: replicas }, () => first);
    this.views = venuses.map(() => first);
    const { storeId } = first.status;
    if (storeId === null) throw new Error('the object was made by nobody');
    const record = { op: 'create', storeId } as Mutation;
    this.updates.set(storeId, { record, bit: 1, seen: 0 });
  }

  /** @throws Error when a law is broken */
  step(step: number): void {
    const dice = new Dice(step);
    const [venus, replica] = [dice.roll(venuses.length), dice.roll(this.replicas.length)];
    switch (dice.roll(8)) {
      case 0:
        return this.#look(venus, replica);
      case 1:
      case 2:
        return this.#exchange(
          replica,
          (replica + 1 + dice.roll(this.replicas.length - 1)) % this.replicas.length,
        );
      case 3:
      case 4:
        return this.#deliver(venus, replica, dice);
      case 5:
        return this.#changeConnected(venus, dice);
      default:
        return this.#changeAlone(venus, dice);
    }
  }

  /** A Venus reads the object; what it knows only grows. */
  #look(venus: number, replica: number): void {
    this.views[venus] = merged(at(this.views, venus), at(this.replicas, replica));
  }

  #exchange(one: number, other: number): void {
    const both = merged(at(this.replicas, one), at(this.replicas, other));
    this.replicas[one] = both;
    this.replicas[other] = both;
  }

  /** A change that waits in the log, whose author has been answered. */
  #changeAlone(venus: number, dice: Dice): void {
    const record = this.#record(venus, dice);
    if (record === undefined) return;
    const settled: Mutation = { ...record, settled: true };
    const update = this.#note(venus, settled);
    this.views[venus] = this.#applied(at(this.views, venus), update, true);
  }

  /** A change whose author waits for the servers: refused by all, it never was. */
  #changeConnected(venus: number, dice: Dice): void {
    const record = this.#record(venus, dice);
    if (record === undefined) return;
    const update = this.#note(venus, record);
    const reached = dice.roll(2 ** this.replicas.length);
    let isApplied = false;
    for (const [index, replica] of this.replicas.entries()) {
      if ((reached & (1 << index)) === 0 || !isAcceptable(record, replica.status)) continue;
      try {
        this.#appliedAt(index, update);
        isApplied = true;
      } catch (error) {
        if (!isFailure(error)) throw error;
      }
    }
    if (isApplied) this.views[venus] = this.#applied(at(this.views, venus), update, true);
    else this.#forget(venus, record.storeId);
  }

  /** The first record that a replica has not had in the log of a Venus: of this one, or of the next that has any. */
  #deliver(venus: number, index: number, dice: Dice): void {
    const replica = at(this.replicas, index);
    for (let tries = 0; tries < venuses.length; tries += 1) {
      const author = at(venuses, (venus + tries) % venuses.length);
      const update = this.updates.get(makeStoreId(author, (replica.status.known[author] ?? 0) + 1));
      if (update?.record.settled !== true || !isWithin(baseOf(update.record), replica.status.known)) continue;
      this.#appliedAt(index, update, this.kind !== 'directory' || dice.roll(4) > 0);
      return;
    }
    this.#exchange(index, (index + 1) % this.replicas.length);
  }

  #note(venus: number, record: Mutation): Update {
    const update = { record, bit: 2 ** this.updates.size, seen: at(this.views, venus).twin.applied };
    this.updates.set(record.storeId, update);
    return update;
  }

  #forget(venus: number, storeId: StoreId): void {
    this.updates.delete(storeId);
    this.#counters[venus] = at(this.#counters, venus) - 1;
  }

  #record(venus: number, dice: Dice): Mutation | undefined {
    const { status } = at(this.views, venus);
    if (isRemoved(status) || this.updates.size > 28) return undefined;
    const bare = this.#bare(status, dice);
    if (bare === undefined) return undefined;
    const counter = at(this.#counters, venus) + 1;
    this.#counters[venus] = counter;
    const storeId = makeStoreId(at(venuses, venus), counter);
    const base: Record<Fid, StoreIdVector> = { [fid]: status.known };
    // Clocks are wrong.
    return { ...bare, storeId, time: 100 + dice.roll(5), author: `a${venus}`, host: 'h', base } as Mutation;
  }

  #bare(status: VnodeStatus, dice: Dice): Bare | undefined {
    const number = this.updates.size;
    const [place] = status.places;
    if (place === undefined || status.parent === null) throw new Error('it is nowhere');
    const seen = versionsSeen(status);
    const chosen = (): StoreId[] => seen.filter(() => dice.roll(2) === 0).map(({ mark }) => mark);
    const choices = { file: 10, directory: 7, symlink: 5 }[status.kind];
    switch (dice.roll(choices)) {
      case 0:
        return removal(status, status.parent, place.name);
      case 1: {
        const to = { toParent: at(directories, dice.roll(2)), toName: `n${number}` };
        return { op: 'rename', fid, fromParent: status.parent, fromName: place.name, ...to };
      }
      case 2:
        return { op: 'repair', fid, dismiss: [], accept: { name: `n${number}`, parent: status.parent } };
      case 3:
      case 4:
        return attributeChange(at(attributes, dice.roll(attributes.length)), number, dice.roll(3) === 0);
      case 5:
      case 6: {
        if (status.kind === 'directory') return { op: 'setacl', fid, list: listOf(dice.roll(3)) };
        const dismiss = chosen();
        if (seen.length < 2) return store(number, [], dice);
        // Something must be left.
        if (dismiss.length === seen.length) dismiss.pop();
        const leave = seen.flatMap(({ mark }) => (dismiss.includes(mark) ? [] : [mark]));
        const accept = dice.roll(3) === 0 ? { name: `n${number}`, parent: status.parent } : null;
        return { op: 'repair', fid, dismiss, leave, accept };
      }
      default:
        return store(number, chosen(), dice);
    }
  }

  #appliedAt(index: number, update: Update, isEmpty = true): void {
    const before = at(this.replicas, index);
    const { status, twin } = this.#applied(before, update, isEmpty);
    const vv = { ...status.vv, [`r${index}`]: (status.vv[`r${index}`] ?? 0) + 1 };
    this.replicas[index] = { status: { ...status, vv }, twin };
    mustBeSame(
      at(this.replicas, index).status,
      mergeStatus(before.status, { ...status, vv }),
      'before is part of after',
    );
  }

  #applied(replica: Replica, update: Update, isEmpty: boolean): Replica {
    const effect = applyRecord(new OneObject(replica.status, isEmpty), update.record);
    const status = [...effect.changed, ...effect.removed].find((changed) => changed.fid === fid);
    if (status === undefined) throw new Error('the object is not in the effect');
    return { status, twin: this.#twinApplied(replica, update, isEmpty) };
  }

  #twinApplied({ twin }: Replica, update: Update, isEmpty: boolean): Twin {
    const { record, bit, seen } = update;
    const applied = twin.applied | bit;
    const { versions, places } = this.alternatives(twin);
    const takenBack = (twin.removals & ~seen) === 0 ? twin.takenBack | twin.removals : twin.takenBack;
    switch (record.op) {
      case 'store': {
        const beside = this.#bitsOf(record.beside ?? []);
        return { ...twin, applied, takenBack, replaced: twin.replaced | (versions & seen & ~beside) };
      }
      case 'setacl':
        return { ...twin, applied, unset: twin.unset | (this.lists(twin) & seen) };
      case 'rename':
        return { ...twin, applied, takenBack, left: twin.left | (places & seen) };
      case 'remove':
      case 'rmdir': {
        // Who waits for the servers removes what they have.
        const here = versions | places | [...twin.vouched.values()].reduce((all, votes) => all | votes, 0);
        const covers = record.settled === true ? seen : seen | this.#before(here);
        const removals = twin.removals | bit;
        const covered = twin.covered | covers | bit;
        return { ...twin, applied, covered, removals, takenBack: isEmpty ? twin.takenBack : removals };
      }
      case 'repair': {
        const accepted = record.accept !== null && { takenBack, left: twin.left | (places & seen) };
        return { ...twin, applied, ...accepted, ...this.#voted(twin, versions, update, record) };
      }
      default:
        return { ...twin, applied };
    }
  }

  #voted(
    twin: Twin,
    versions: Updates,
    { bit, seen }: Update,
    { dismiss, leave = [], accept }: Extract<Mutation, { op: 'repair' }>,
  ): Pick<Twin, 'vouched' | 'givenUp'> {
    const [vouched, givenUp] = [new Map(twin.vouched), new Map(twin.givenUp)];
    const dismissed = this.#bitsOf(dismiss);
    const chosenFrom = bitsIn(versions & seen);
    const isNoneAlive = chosenFrom.every((version) => isCovered(twin, version));
    const isAccepted = accept !== null && isNoneAlive && (twin.covered & ~seen) === 0;
    for (const version of chosenFrom) {
      const given = twin.givenUp.get(version) ?? 0;
      const isLeft =
        dismissed === 0
          ? isAccepted && !(isGivenUp(twin, version) && (given & ~seen) === 0)
          : (this.#bitsOf(leave) & version) !== 0;
      if ((dismissed & version) !== 0) givenUp.set(version, given | seen | bit);
      else if (isLeft) vouched.set(version, (twin.vouched.get(version) ?? 0) | bit);
    }
    return { vouched, givenUp };
  }

  /** Alternatives that nobody has replaced. */
  alternatives(twin: Twin): { readonly versions: Updates; readonly places: Updates } {
    let [versions, places] = [0, 0];
    for (const { record, bit } of this.updates.values()) {
      if (this.kind === 'file' && (record.op === 'store' || bit === 1)) versions |= bit;
      if (record.op === 'rename' || bit === 1 || (record.op === 'repair' && record.accept !== null))
        places |= bit;
    }
    return { versions: twin.applied & ~twin.replaced & versions, places: twin.applied & ~twin.left & places };
  }

  lists(twin: Twin): Updates {
    let lists = 0;
    for (const { record, bit } of this.updates.values()) if (record.op === 'setacl') lists |= bit;
    return twin.applied & ~twin.unset & lists;
  }

  #bitsOf(storeIds: readonly StoreId[]): Updates {
    return storeIds.reduce((bits, storeId) => bits | (this.updates.get(storeId)?.bit ?? 0), 0);
  }

  /** What somebody knows who knows these: of each Venus everything up to there. */
  #before(bits: Updates): Updates {
    const latest = new Map<string, number>();
    for (const { record, bit } of this.updates.values()) {
      if ((bits & bit) !== 0) latest.set(venusOf(record.storeId), counterOf(record.storeId));
    }
    let before = 0;
    for (const { record, bit } of this.updates.values()) {
      if (counterOf(record.storeId) <= (latest.get(venusOf(record.storeId)) ?? 0)) before |= bit;
    }
    return before;
  }

  /** @throws Error when `replica` is not what its twin says */
  mustBeRight({ status, twin }: Replica): void {
    const { versions, places } = this.alternatives(twin);
    const [all, placed] = [versionsOf(status), status.places];
    mustBe(all.length, bitsIn(versions).length, 'MG-2: number of versions');
    mustBe(this.#bitsOf(all.map(({ storeId }) => storeId)), versions, 'MG-2: versions');
    mustBe(placed.length, bitsIn(places).length, 'MG-2: number of places');
    mustBe(this.#bitsOf(placed.map(({ storeId }) => storeId)), places, 'MG-2: places');
    const lists = (status.access ?? []).map(({ storeId }) => storeId);
    mustBe(lists.length, bitsIn(this.lists(twin)).length, 'AC-2: number of lists');
    mustBe(this.#bitsOf(lists), this.lists(twin), 'AC-2: lists');
    const seen = seenIn(twin, versions);
    mustBe(
      this.#bitsOf(versionsSeen(status).map(({ storeId }) => storeId)),
      seen,
      'MG-4: versions that are seen',
    );
    const isAlive =
      (twin.removals & ~twin.takenBack) === 0 ||
      (places & ~twin.covered) !== 0 ||
      bitsIn(versions).some((version) => !isCovered(twin, version));
    mustBe(!isRemoved(status), isAlive, 'MG-3: alive');
    this.#mustHaveLast(status, twin);
    if (this.kind === 'file') this.#mustLoseNothing(status, twin);
    for (const [storeId, { bit }] of this.updates)
      mustBe(knows(status.known, storeId), (twin.applied & bit) !== 0, 'known');
  }

  /** Whoever has set an attribute had it from nobody who had seen him: he is one of the last. */
  #mustHaveLast(status: VnodeStatus, { applied }: Twin): void {
    for (const attribute of attributes) {
      const setters = [...this.updates.values()].filter(
        (update) => (update.bit & applied) !== 0 && sets(update, attribute),
      );
      const setter = status.setters[attribute];
      const winner = setters.find(({ record }) => record.storeId === setter?.storeId);
      mustBe(winner === undefined, setters.length === 0, `AT-1: ${attribute} has a setter`);
      if (winner === undefined) continue;
      mustBe(
        setters.some(({ seen }) => (seen & winner.bit) !== 0),
        false,
        `AT-1: ${attribute} is the last`,
      );
      if (attribute === 'modified' && this.kind === 'file') continue;
      mustBe(valueOf(status, attribute), valueIn(winner.record), `AT-2: ${attribute}`);
    }
  }

  /** Contents that were stored are there, unless somebody has replaced them, and seen, unless somebody gave them up. */
  #mustLoseNothing(status: VnodeStatus, { applied }: Twin): void {
    const here = [...this.updates.values()].filter(({ bit }) => (applied & bit) !== 0);
    const versions = versionsOf(status);
    const seen = versionsSeen(status);
    for (const { record, bit } of here) {
      if (record.op !== 'store') continue;
      const knowing = here.filter((other) => (other.seen & bit) !== 0).map((other) => other.record);
      const isSame = ({ storeId }: FileData): boolean => storeId === record.storeId;
      if (!versions.some(isSame)) {
        const isReplacing = (other: Mutation): boolean =>
          other.op === 'store' && !other.beside?.includes(record.storeId);
        mustBe(knowing.some(isReplacing), true, 'a version is gone that nobody replaced');
      } else if (!seen.some(isSame)) {
        const isGivingUp = (other: Mutation): boolean =>
          other.op === 'remove' || (other.op === 'repair' && other.dismiss.includes(record.storeId));
        mustBe(knowing.some(isGivingUp), true, 'a version is hidden that nobody gave up');
      }
    }
    mustBe(seen.length > 0, true, 'something is seen');
  }

  /** All replicas as one, whoever meets whom first. */
  end(): Replica {
    const [first, second, third, fourth] = this.replicas;
    if (first === undefined || second === undefined) throw new Error('one replica is none');
    const both = merged(first, second);
    mustBeSame(both.status, mergeStatus(second.status, first.status), 'commutative');
    mustBeSame(both.status, mergeStatus(both.status, second.status), 'what it has is nothing new');
    mustBeSame(both.status, mergeStatus(both.status, both.status), 'idempotent');
    if (third === undefined) return both;
    const three = merged(both, third);
    mustBeSame(
      three.status,
      mergeStatus(first.status, mergeStatus(second.status, third.status)),
      'associative',
    );
    mustBeSame(
      three.status,
      mergeStatus(mergeStatus(first.status, third.status), second.status),
      'associative, turned',
    );
    if (fourth === undefined) return three;
    const all = merged(three, fourth);
    const [left, right] = [
      mergeStatus(first.status, fourth.status),
      mergeStatus(third.status, second.status),
    ];
    mustBeSame(all.status, mergeStatus(right, left), 'by halves');
    return all;
  }

  /** What happened, for whoever has to find out why. */
  story(): string {
    const lines = [...this.updates.values()].map(({ record, bit, seen }) => {
      const { base: _base, author: _author, host: _host, ...words } = record;
      return `${bit} (seen ${bitsIn(seen).join('+')}): ${JSON.stringify(words)}`;
    });
    const states = this.replicas.map(({ status, twin }) => `${inWords(status)}\n  ${inWords(twin)}`);
    return [...lines, ...states].join('\n');
  }

  /** Where nobody waited for the servers, what an object has known says what it is. */
  mustFollowFromUpdates(): void {
    if (this.kind === 'directory') return;
    const isSettled = (bits: Updates): boolean =>
      [...this.updates.values()].every(
        ({ record, bit }) => (bit & bits) === 0 || bit === 1 || record.settled === true,
      );
    const found = new Map<Updates, VnodeStatus>();
    for (const { status, twin } of [...this.replicas, ...this.views]) {
      const before = found.get(twin.applied);
      if (before === undefined) found.set(twin.applied, status);
      else if (before !== status && isSettled(twin.applied)) {
        // Who was last, and how often it was counted, is of each replica.
        const { vv, rank, storeId, author, revived } = status;
        mustBeSame(status, { ...before, vv, rank, storeId, author, revived }, 'known says what it is');
      }
    }
  }
}

function merged(a: Replica, b: Replica): Replica {
  return { status: mergeStatus(a.status, b.status), twin: joined(a.twin, b.twin) };
}

function isGivenUp({ givenUp, vouched }: Twin, version: Updates): boolean {
  const given = givenUp.get(version);
  return given !== undefined && ((version | (vouched.get(version) ?? 0)) & ~given) === 0;
}

function isCovered({ covered, vouched }: Twin, version: Updates): boolean {
  return ((version | (vouched.get(version) ?? 0)) & ~covered) === 0;
}

/** Of `versions` those that are seen: the first group of these that has any. */
function seenIn(twin: Twin, versions: Updates): Updates {
  const all = bitsIn(versions);
  for (const [given, covered] of [
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ]) {
    const group = all.filter((one) => isGivenUp(twin, one) === given && isCovered(twin, one) === covered);
    if (group.length > 0) return group.reduce((bits, bit) => bits | bit, 0);
  }
  return 0;
}

function isAcceptable(record: Mutation, status: VnodeStatus): boolean {
  const base = baseOf(record);
  if (!isWithin(base, status.known) || isRemoved(status)) return false;
  return (
    !['store', 'remove'].includes(record.op) || versionsOf(status).every(({ mark }) => knows(base, mark))
  );
}

function store(number: number, beside: readonly StoreId[], dice: Dice): Bare {
  const contents = { length: 1, digest: `${number}`.padStart(64, '0'), modified: 1000 + number };
  const saved = dice.roll(3) === 0 ? 0 : number;
  return { op: 'store', fid, ...contents, saved, ...(beside.length > 0 && { beside }) };
}

function listOf(number: number): AccessList | null {
  return number === 0 ? null : { positive: { ann: number }, negative: {} };
}

function removal(status: VnodeStatus, parent: Fid, name: string): Bare {
  return { op: status.kind === 'directory' ? 'rmdir' : 'remove', fid, parent, name };
}

function attributeChange(attribute: (typeof attributes)[number], number: number, isRemoval: boolean): Bare {
  if (attribute === 'mode') return { op: 'chmod', fid, mode: number };
  if (attribute === 'owner') return { op: 'chown', fid, owner: `o${number}` };
  if (attribute === 'modified') return { op: 'utimes', fid, modified: 2000 + number };
  if (isRemoval) return { op: 'setprops', fid, set: {}, remove: [attribute] };
  return { op: 'setprops', fid, set: { [attribute]: `v${number}` }, remove: [] };
}

function sets({ record }: Update, attribute: (typeof attributes)[number]): boolean {
  if (record.op === 'setprops') return attribute in record.set || record.remove.includes(attribute);
  return { chmod: 'mode', chown: 'owner', utimes: 'modified' }[record.op as string] === attribute;
}

function valueIn(record: Mutation): unknown {
  if (record.op === 'chmod') return record.mode;
  if (record.op === 'chown') return record.owner;
  if (record.op === 'utimes') return record.modified;
  return record.op === 'setprops' ? Object.values(record.set)[0] : undefined;
}

function valueOf(status: VnodeStatus, attribute: (typeof attributes)[number]): unknown {
  return attribute.startsWith('{')
    ? status.properties[attribute]
    : status[attribute as 'mode' | 'owner' | 'modified'];
}

function baseOf(record: Mutation): StoreIdVector {
  return record.base[fid] ?? {};
}

function versionsSeen({ data, siblings }: VnodeStatus): readonly FileData[] {
  return data === null ? [] : [data, ...siblings];
}

function bitsIn(updates: Updates): readonly Updates[] {
  const bits: Updates[] = [];
  for (let rest = updates; rest !== 0; rest &= rest - 1) bits.push(rest & -rest);
  return bits;
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`nothing at ${index}`);
  return item;
}

function mustBe(is: unknown, wanted: unknown, law: string): void {
  if (is !== wanted) throw new Error(`${law}: is ${String(is)}, should be ${String(wanted)}`);
}

function mustBeSame(a: VnodeStatus, b: VnodeStatus, law: string): void {
  if (a === b) return;
  if (!isDeepStrictEqual(a, b)) mustBe(inWords(a), inWords(b), law);
  mustBe(isSameStatus(a, b), true, `isSameStatus: ${law}`);
}

/** With keys in order. */
function inWords(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(inWords).join()}]`;
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${key}:${inWords((value as Record<string, unknown>)[key])}`).join()}}`;
}

function mustKeepTheLaws(history: History, steps: readonly number[]): Replica {
  try {
    for (const number of steps) history.step(number);
    for (const replica of history.replicas) history.mustBeRight(replica);
    history.mustFollowFromUpdates();
    const all = history.end();
    history.mustBeRight(all);
    return all;
  } catch (error) {
    throw new Error(`${String(error)}\n${history.story()}`);
  }
}

void t.test('states that cannot be of one object are not merged', async (t) => {
  const { status } = made('file');
  const wrong: readonly [string, VnodeStatus, VnodeStatus][] = [
    ['another object', status, { ...status, fid: root }],
    ['another kind', status, { ...status, kind: 'symlink' }],
    ['a root', status, { ...status, parent: null }],
  ];
  for (const [what, a, b] of wrong) {
    let failure: unknown;
    try {
      mergeStatus(a, b);
    } catch (error) {
      failure = error;
    }
    t.ok(isFailure(failure, 'invalid'), what);
  }
});

/** What a server holds that alone has an update which its gateway has forgotten to have sent; and what others hold. */
function forgotten(kind: VnodeKind): { readonly alone: VnodeStatus; readonly others: VnodeStatus } {
  const { status } = made(kind);
  const [lost, later] = [makeStoreId(at(venuses, 0), 5), makeStoreId(at(venuses, 0), 9)];
  const { data } = status;
  const place = status.places[0];
  const list = { positive: {}, negative: {} };
  const earlier = { storeId: makeStoreId(maker, 1), list, time: 1, author: 'ann', host: 'g1' };
  if (place === undefined) throw new Error('it has a place');
  const alone: VnodeStatus = {
    ...status,
    storeId: lost,
    known: { ...status.known, [at(venuses, 0)]: 5 },
    data: data && { ...data, storeId: lost, mark: lost, saved: data.saved + 1 },
    places: [{ ...place, storeId: lost, name: 'moved', time: place.time + 1 }],
    ...(kind === 'directory' && { access: [{ ...earlier, storeId: lost, list: null, time: 2 }] }),
  };
  const others: VnodeStatus = {
    ...status,
    storeId: later,
    known: { ...status.known, [at(venuses, 0)]: 9 },
    ...(kind === 'directory' && { access: [earlier] }),
  };
  return { alone, others };
}

void t.test(
  'an update that its gateway has forgotten to have sent keeps no replicas apart (MG-5)',
  async (t) => {
    for (const kind of kinds) {
      const { alone, others } = forgotten(kind);
      const orders = [
        mergeStatus(alone, others),
        mergeStatus(others, alone),
        mergeStatus(mergeStatus(alone, others), others),
        mergeStatus(others, mergeStatus(others, alone)),
        mergeStatus(mergeStatus(others, others), alone),
      ];
      for (const merged of orders) mustBeSame(merged, orders[0] ?? merged, 'whoever asks whom');
      const [merged] = orders;
      t.same([merged?.places.length, merged?.places[0]?.name], [1, 'moved'], `a ${kind} is somewhere`);
      t.same(
        [merged?.data?.storeId, merged?.siblings],
        [alone.data?.storeId, []],
        'what was saved last is there',
      );
      if (kind === 'directory')
        t.same(
          merged?.access?.map(({ time }) => time),
          [2],
          'it has one access list',
        );
    }
  },
);

void t.test('and a removal that passes for knowing it removes it', async (t) => {
  const { alone, others } = forgotten('file');
  const removed = mergeStatus(alone, { ...others, gone: others.known });
  t.ok(isRemoved(removed));
  mustBeSame(removed, mergeStatus({ ...others, gone: others.known }, alone), 'on both sides');
});

void t.test('replicas that were changed apart come to the same', async (t) => {
  const count = { updates: 0, conflicts: 0, places: 0, aside: 0, removed: 0 };
  const step = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  for (const [index, kind] of kinds.entries()) {
    // Only files have versions.
    const numRuns = Math.ceil(runs * (index === 0 ? 0.7 : 0.15));
    const property = fc.property(
      fc.integer({ min: 2, max: 4 }),
      fc.array(step, { minLength: 5, maxLength: 15, size: 'max' }),
      (replicas, steps) => {
        const history = new History(kind, replicas);
        const all = mustKeepTheLaws(history, steps);
        // The gate costs more than all the rest.
        if (steps.length === 15)
          mustBe(statusSchema.safeParse(all.status).success, true, 'the gate lets it pass');
        count.updates += history.updates.size;
        count.conflicts += all.status.siblings.length > 0 ? 1 : 0;
        count.places += all.status.places.length > 1 ? 1 : 0;
        count.aside += (all.status.setAside ?? []).length > 0 ? 1 : 0;
        count.removed += isRemoved(all.status) ? 1 : 0;
      },
    );
    fc.assert(property, {
      numRuns,
      ...(process.env['SEED'] !== undefined && { seed: Number(process.env['SEED']) }),
    });
    t.pass(`${numRuns} histories of a ${kind}`);
  }
  t.comment(JSON.stringify(count));
});
