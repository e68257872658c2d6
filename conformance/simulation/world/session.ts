/** A user at one gateway: carries out deeds one after the other, and writes down what happened. */
import { isFailure, rootFid, type Fid, type StoreId } from '../../../vice/interface/index.js';
import { linkTiming } from '../../../vice/seam/network.js';
import type { Random } from '../../../vice/seam/random.js';
import type {
  Caller,
  ConflictReport,
  ObjectStatus,
  Place,
  Venus,
  VolumeState,
} from '../../../venus/interface.js';
import { pathOf } from '../share.js';
import { rootVolume } from '../simulated-realm.js';
import { moveAtTheDoor } from './door.js';
import { textFor, type Attempt } from './attempt.js';
import type { Ledger } from './ledger.js';
import { listOf } from './lists.js';
import type { Deed, VolumeName } from './scenario.js';
import { fileOf, Sight } from './sight.js';
import { idOf, nameOf } from './volumes.js';

/** Longer than it takes a server to tell a gateway of a change. */
export const newsMs = 1000;

/** Longer than it takes a gateway to notice that a server died without a word, and to reach it again. */
const noticedMs = linkTiming.silenceMs + 2000;

export interface SessionWorld {
  readonly venus: Venus;
  readonly ledger: Ledger;
  readonly now: () => number;
  readonly random: Random;
  /** Bytes that a volume uses. */
  readonly used: (volume: VolumeName) => number;
  /** Counts a situation. */
  readonly count: (situation: string) => void;
  /** Whether nothing has disturbed the way to a server since then. */
  readonly isQuiet: (server: string, since: number) => boolean;
}

export class Session {
  readonly #caller: Caller;
  readonly #world: SessionWorld;
  readonly #sight: Sight;
  /** What it removed, or replaced, last. */
  #removed: Fid | undefined;

  constructor(user: string, world: SessionWorld) {
    this.#caller = { user };
    this.#world = world;
    this.#sight = new Sight(this.#caller, world);
  }

  /** Settles when the deed is answered; its outcome is in `attempt`. */
  async carryOut(attempt: Attempt): Promise<void> {
    const { volumes } = this.#world.venus.state();
    const isSent = this.#world.venus.log.changes().length === 0;
    // As its volume was before; once more when that is known, for those that are never answered.
    const describe = (): void => this.#describe(attempt, volumes);
    describe();
    try {
      attempt.outcome = (await this.#act(attempt.deed, attempt, describe)) ? 'ok' : 'nothing';
    } catch (error) {
      attempt.outcome = isFailure(error) ? error.kind : 'broken';
      attempt.message = error instanceof Error ? error.message : String(error);
      if (!isFailure(error) && error instanceof Error) attempt.message = error.stack ?? error.message;
    }
    attempt.end = this.#world.now();
    if (attempt.volume !== undefined) attempt.used = this.#world.used(attempt.volume);
    if (new Set(volumes.map(({ avsg }) => avsg.length > 0)).size > 1) this.#world.count('one volume reached');
    if (this.#world.ledger.isInPieces(attempt))
      this.#world.count(`${attempt.deed.do} gives up a large tree: ${attempt.outcome}`);
    describe();
    attempt.isCurrent &&= isSent;
  }

  #describe(attempt: Attempt, volumes: readonly VolumeState[]): void {
    const volume = volumes.find(({ id }) => id === idOf(attempt.volume ?? 'root')) ?? volumes[0];
    const { avsg = [], state, lastError } = volume ?? {};
    attempt.connected = avsg.length > 0 && state === 'hoarding';
    attempt.reaches = avsg.length;
    attempt.isCurrent = state === 'hoarding' || state === 'resolving';
    attempt.shutOut = lastError?.includes('is an old copy') === true;
    const annex = this.#world.venus.state().volumes.find(({ id }) => id === idOf('annex'));
    attempt.mounts.add(annex?.path?.join('/') ?? '');
    attempt.steady = avsg.filter((server) => this.#world.isQuiet(server, attempt.begin - noticedMs));
  }

  async #act(deed: Deed, attempt: Attempt, describe: () => void): Promise<boolean> {
    const { venus } = this.#world;
    if (deed.do === 'unlock') {
      await venus.leases.remove(deed.token);
      return true;
    }
    const place = await venus.lookup(this.#caller, pathOf(deed.path));
    const { object } = place;
    attempt.volume = nameOf(object?.fid ?? place.parent ?? rootFid(rootVolume));
    describe();
    attempt.usedBefore = this.#world.used(attempt.volume);
    attempt.seen = object === null ? null : { fid: object.fid, version: object.version };
    attempt.shown = attempt.seen;
    if (object !== null && place.parent !== null) this.#world.ledger.put(fileOf(object.fid), place.parent);
    switch (deed.do) {
      case 'put':
        return this.#put(place, attempt, deed.bytes);
      case 'give-up':
        return this.#giveUpBody(deed.bytes);
      case 'get':
        // A request that found a name before may ask for what it meant long after.
        if (this.#removed !== undefined) await this.#versionOf(this.#removed);
        if (object?.kind !== 'file') return object !== null;
        attempt.read = await this.#sight.read(object.fid, attempt);
        return true;
      case 'list':
        if (object?.kind !== 'directory') return object !== null;
        await this.#sight.entries(object.fid);
        return true;
      case 'mkdir':
      case 'symlink':
        return this.#make(place, attempt, deed);
      case 'remove':
        return this.#remove(place, attempt);
      case 'rename':
      case 'copy':
        return this.#move(place, attempt, deed);
      default:
        return object !== null && this.#mark(deed, object, attempt);
    }
  }

  async #make(
    { parent, name, object }: Place,
    attempt: Attempt,
    deed: Extract<Deed, { do: 'mkdir' | 'symlink' }>,
  ): Promise<boolean> {
    if (parent === null || object !== null) return false;
    attempt.into = parent;
    const { venus, ledger } = this.#world;
    const { fid } = await (deed.do === 'mkdir'
      ? venus.makeDirectory(this.#caller, parent, name)
      : venus.makeSymlink(this.#caller, parent, name, deed.target));
    attempt.made = fid;
    attempt.placed = { fid, parent, name };
    ledger.put(fid, parent);
    return true;
  }

  async #mark(deed: Deed, { fid, kind }: ObjectStatus, attempt: Attempt): Promise<boolean> {
    const { venus } = this.#world;
    if (deed.do !== 'lock') attempt.touches = fileOf(fid);
    switch (deed.do) {
      case 'setprop':
        attempt.marked = isVersion(fid) ? undefined : { fid, what: deed.name, value: deed.value };
        await venus.setProperties(this.#caller, fid, { set: { [deed.name]: deed.value }, remove: [] });
        return true;
      case 'chmod':
        attempt.marked = isVersion(fid) ? undefined : { fid, what: 'mode', value: String(deed.mode) };
        await venus.setMode(this.#caller, fid, deed.mode);
        return true;
      case 'setacl':
        if (kind !== 'directory') return false;
        attempt.marked = { fid, what: 'list', value: JSON.stringify(listOf(deed.list)) };
        attempt.replaces = await this.#listsOf(fid);
        await venus.setAccess(this.#caller, fid, listOf(deed.list));
        return true;
      case 'utimes':
        await venus.setModified(this.#caller, fid, deed.time);
        return true;
      case 'lock':
        await venus.leases.put({
          token: deed.token,
          fid,
          holder: attempt.by,
          ends: 4e12,
          note: deed.token,
        });
        return true;
      case 'repair':
        return this.#repair(fid, deed.pick, attempt);
      default:
        throw new Error(`no such deed: ${deed.do}`);
    }
  }

  async #listsOf(directory: Fid): Promise<readonly string[]> {
    const { lists } = await this.#world.venus.access(this.#caller, directory);
    return lists.flatMap((each) => (each.directory === directory ? [JSON.stringify(each.list)] : []));
  }

  async #put({ parent, name, object }: Place, attempt: Attempt, bytes: number): Promise<boolean> {
    if (parent === null || (object !== null && object.kind !== 'file')) return false;
    attempt.into = parent;
    const { venus, ledger } = this.#world;
    const text = textFor(attempt, bytes);
    attempt.text = text;
    attempt.base = object?.version ?? null;
    if (object !== null) await this.#sight.giveUp(object, attempt);
    if (object !== null) attempt.touches = fileOf(object.fid);
    const writer = await venus.write(this.#caller);
    try {
      const all = Buffer.from(text);
      for (let start = 0; start < all.length; start += 65_536)
        await writer.write(all.subarray(start, start + 65_536));
      const { status } = await writer.close({ parent, name, expect: { version: object?.version ?? null } });
      attempt.version = status.version;
      attempt.made = fileOf(status.fid);
      if (object === null) attempt.placed = { fid: status.fid, parent, name };
      ledger.put(status.fid, parent);
      if (status.version !== null) ledger.texts.set(status.version, text);
      attempt.seen = { fid: status.fid, version: status.version };
    } finally {
      await writer.abort();
    }
    return true;
  }

  async #giveUpBody(bytes: number): Promise<boolean> {
    const writer = await this.#world.venus.write(this.#caller, bytes);
    try {
      await writer.write(Buffer.alloc(Math.min(bytes, 65_536)));
    } finally {
      await writer.abort();
    }
    return true;
  }

  async #remove({ parent, name, object }: Place, attempt: Attempt): Promise<boolean> {
    if (parent === null || object === null) return false;
    await this.#giveUp(parent, object, attempt);
    if (object.kind !== 'file') attempt.blind = { parent, name };
    this.#removed = fileOf(object.fid);
    await this.#world.venus.remove(this.#caller, parent, name, expectationOf(object));
    return true;
  }

  /**
   * To look at a tree takes time. What came into it meanwhile, but before it is asked for, is part of it. A second look
   * that takes none is the gateway's own one, too, if that has nothing else to do (seed 84000333), and no doubt of what
   * is above: it looks there first, and so later (seed 530407).
   */
  async #giveUp(parent: Fid, object: ObjectStatus, attempt: Attempt): Promise<void> {
    const { now, ledger } = this.#world;
    await this.#sight.giveUp(object, attempt);
    attempt.removes.add(fileOf(object.fid));
    if (object.kind !== 'directory') return;
    const begin = now();
    await this.#sight.hasNames(parent);
    await this.#sight.giveUp(object, attempt);
    const isAtOnce = now() === begin && !ledger.isBusyBeside(attempt);
    attempt.seesAll = isAtOnce && !ledger.isInPieces(attempt);
  }

  /** undefined: it is gone, or cannot be asked for. */
  async #versionOf(fid: Fid): Promise<StoreId | null | undefined> {
    try {
      return (await this.#world.venus.status(this.#caller, fid)).version;
    } catch (error) {
      if (isFailure(error)) return undefined;
      throw error;
    }
  }

  async #move(from: Place, attempt: Attempt, deed: Extract<Deed, { to: string }>): Promise<boolean> {
    const { venus, ledger } = this.#world;
    const to = await venus.lookup(this.#caller, pathOf(deed.to));
    if (from.parent === null || from.object === null || to.parent === null) return false;
    attempt.into = to.parent;
    if (from.parent === to.parent && from.name === to.name) return false;
    if (deed.do === 'copy' && from.object.kind !== 'file') return false;
    if (deed.do === 'rename' && nameOf(from.parent) !== nameOf(to.parent))
      return this.#moveAcross({ parent: from.parent, object: from.object }, to, attempt, deed);
    if (to.object !== null) {
      await this.#giveUp(to.parent, to.object, attempt);
      this.#removed = fileOf(to.object.fid);
      // Moved over a file in conflict it becomes that file's contents.
      if (to.object.kind === 'file' && deed.do === 'rename') attempt.removes.add(fileOf(from.object.fid));
    }
    const target = { parent: to.parent, name: to.name };
    if (to.object !== null && to.object.kind !== 'file') attempt.blind = target;
    const options = { replace: true, expect: expectationOf(to.object) };
    if (deed.do === 'copy') {
      const { status } = await venus.copy(this.#caller, from.object.fid, target, options);
      // A copy is of what the file is then: another session may have written since this one looked (seed 7114).
      const { fid, version } = from.object;
      const isAsBefore = (await this.#versionOf(fid)) === version;
      const text = version === null || !isAsBefore ? undefined : ledger.texts.get(version);
      if (status.version !== null && text !== undefined) ledger.texts.set(status.version, text);
      ledger.put(status.fid, to.parent);
      attempt.made = status.fid;
      attempt.copied = status.version;
      attempt.placed = { fid: status.fid, ...target };
    } else {
      const fid = fileOf(from.object.fid);
      attempt.takes.add(fid);
      attempt.touches = fid;
      // A version that is moved away is a file of its own; a volume has no place, what it is mounted on has.
      if (!isVersion(from.object.fid) && nameOf(fid) === nameOf(from.parent))
        attempt.placed = { fid, ...target };
      ledger.put(fid, to.parent);
      if (to.object?.kind === 'file' && to.object.conflict !== null)
        ledger.movedOver(fileOf(to.object.fid), from.object.version);
      await venus.rename(this.#caller, { parent: from.parent, name: from.name }, target, options);
    }
    return true;
  }

  /** As people do it who have no more than a share: at the gateway's door. */
  async #moveAcross(
    from: { readonly parent: Fid; readonly object: ObjectStatus },
    to: Place,
    attempt: Attempt,
    deed: Extract<Deed, { to: string }>,
  ): Promise<boolean> {
    const { ledger, count } = this.#world;
    if (to.parent === null) return false;
    if (to.object !== null) {
      await this.#sight.giveUp(to.object, attempt);
      attempt.removes.add(fileOf(to.object.fid));
    }
    const target = { parent: to.parent, name: to.name };
    attempt.blind = target;
    // What is moved is another object there: this one goes, its contents stay.
    for (const fid of await this.#sight.objectsIn(from.object)) attempt.removes.add(fid).add(fileOf(fid));
    const { status, text } = await moveAtTheDoor(this.#world, this.#caller, deed, {
      onCopy: (copied, place, source) => {
        // The name may have become another object's since this one looked: what is copied goes (seed 91002165).
        attempt.removes.add(source).add(fileOf(source));
        // The first one is what is moved: a tree grows under another name at first.
        const isTop = attempt.becomes === undefined;
        attempt.becomes ??= copied.fid;
        attempt.touches ??= copied.fid;
        const { parent, name } = isTop ? target : place;
        ledger.copied(copied, { parent, name, by: attempt.number, at: this.#world.now() });
      },
      beforeRename: () => this.#replacesAt(deed.to, attempt),
    });
    attempt.message = `${status} ${text.slice(0, 100)}`;
    count(`moved across ${status}`);
    return status < 300;
  }

  /** The door looks for itself: a volume may have been mounted there meanwhile, or is not any more. */
  async #replacesAt(path: string, attempt: Attempt): Promise<void> {
    const { object } = await this.#world.venus.lookup(this.#caller, pathOf(path));
    if (object === null) return;
    await this.#sight.giveUp(object, attempt);
    attempt.removes.add(fileOf(object.fid));
  }

  async #repair(fid: Fid, pick: number | 'all', attempt: Attempt): Promise<boolean> {
    const { venus } = this.#world;
    const [report] = await venus.conflicts.of(this.#caller, fileOf(fid));
    if (report === undefined) return false;
    await this.decide(report, pick, attempt);
    return true;
  }

  /** Decides one conflict. */
  async decide(report: ConflictReport, pick: number | 'all', attempt: Attempt): Promise<void> {
    const { versions, kind, fid } = report;
    const among = versions.map(({ storeId }) => storeId);
    const kept = versions[Math.floor((pick === 'all' ? 0 : pick) * versions.length)];
    if (kind === 'protection' && kept !== undefined)
      return this.#world.venus.conflicts.repair(this.#caller, fid, { keep: kept.storeId, among });
    if (pick === 'all' || kept === undefined || kind !== 'versions') {
      return this.#world.venus.conflicts.repair(this.#caller, fid, { keepAll: true });
    }
    for (const version of versions) {
      if (version !== kept) await this.#sight.giveUpText(version.storeId, version.fid, attempt);
    }
    await this.#world.venus.conflicts.repair(this.#caller, fid, { keep: kept.storeId, among });
  }
}

function isVersion(fid: Fid): boolean {
  return fid.includes('@');
}

function expectationOf(object: ObjectStatus | null): { readonly version?: StoreId | null } {
  if (object === null) return { version: null };
  return object.kind === 'file' ? { version: object.version } : {};
}
