/**
 * One volume as this Venus sees it: its storage group (VSG), the accessible part of it (AVSG), the preferred server,
 * the callback promises, and which cached objects are still valid.
 *
 * A promise covers a whole volume at one server for as long as the link lives; a break names objects. A cached
 * object is valid while every AVSG member's promise stands, each has been heard of it, and no break has named it since
 * it was fetched:
 *   PR-1  A server that joins the AVSG first says what has changed there since we last heard of it (`watch`).
 *         What it names becomes suspect; if it cannot tell, the epoch ends and everything cached is suspect.
 *   PR-2  How far a server has been heard is stored in the same transaction as the marks of what it named, so that a
 *         restart asks exactly for the rest.
 *   PR-3  A break that arrives while an object is being fetched, or made, leaves it suspect.
 *   PR-4  What was validated without a replica is in doubt as soon as that one is in the AVSG. How far it was heard
 *         says nothing of an object that was not here then, nor of one that it had broken before it went, and that
 *         others, who lag, have told of since. Which replicas these are is stored with the object.
 */
import { z } from 'zod';
import {
  intact,
  membersOf,
  seal,
  volumeOf,
  type Fid,
  type Push,
  type Result,
  type StoreIdVector,
  type UpdateSet,
  type VenusId,
  type VolumeEntry,
  type VolumeId,
} from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import type { CachedObject } from '../cache/cached-object.js';
import type { ObjectCache } from '../cache/object-cache.js';
import { areWeak } from '../remote/link-quality.js';
import type { ServerLink } from '../remote/server-link.js';
import { OldCopy } from './old-copy.js';
import type { Identity } from '../store/identity.js';
import type { WriteBuffer } from '../store/write-buffer.js';
import type { VolumeMode } from '../interface.js';
import { Breaks, type Fetch } from './told.js';
import { next, type Event, type State } from './volume-state.js';

/** One replica of the volume and the way to it. */
export interface Member {
  readonly replica: string;
  readonly server: ServerLink;
  /** Its promise stands: it belongs to the AVSG. */
  watched: boolean;
  /** Heard of all its changes up to here. */
  heard: { stamp: number; incarnation: string } | undefined;
  /** COP2 messages that wait for a call to ride on. */
  cop2: UpdateSet[];
}

export interface VolumeWorld {
  readonly cache: ObjectCache;
  readonly buffer: WriteBuffer;
  readonly log: Log;
  readonly identity: Pick<Identity, 'venus' | 'mayHaveMade' | 'isStranger' | 'nextCounter'>;
  /** The AVSG has grown or shrunk. */
  readonly onChange: (volume: Volume) => void;
}

const modeRow = z.enum(['write-through', 'write-disconnected']);

const heardRow = z.strictObject({ stamp: z.number(), incarnation: z.string() });
/** COP2 messages kept for one server at most; a lost one only costs a weak equality. */
const cop2Bound = 1000;

export class Volume {
  readonly id: VolumeId;
  /** Those that arrive while something is on its way into the cache (PR-3). */
  readonly breaks = new Breaks();
  readonly #world: VolumeWorld;
  #name: string;
  #hidesVersions = false;
  #isLocked = false;
  #isDeleted = false;
  #members: readonly Member[] = [];
  /** Watched members that have left the group, as long as no other one is watched: they are still read from. */
  #parting: readonly Member[] = [];
  #epoch: number;
  #preferred: Member | undefined;
  #state: State = 'emulating';
  #mode: VolumeMode;
  /** Changes wait in the log for their turn. */
  #pending = false;
  readonly #oldCopy: OldCopy;
  /** A fetch has seen replicas that differ. */
  #diverged = false;

  constructor(entry: VolumeEntry, server: (name: string) => ServerLink | undefined, world: VolumeWorld) {
    this.id = entry.id;
    this.#name = entry.name;
    this.#world = world;
    this.#epoch = firstEpoch(world.buffer.get(`p/${entry.id}`), world.identity);
    this.#mode = modeRow.parse(intact(world.buffer.get(`m/${entry.id}`)) ?? 'write-through');
    this.#oldCopy = new OldCopy(entry.id, world);
    this.follow(entry, server);
  }

  get name(): string {
    return this.#name;
  }

  /** Of versions of a file that were made apart only the one saved last is seen. */
  get hidesVersions(): boolean {
    return this.#hidesVersions;
  }

  /** An administrator has locked it, or is restoring it: it takes no changes. */
  get isLocked(): boolean {
    return this.#isLocked;
  }

  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  /** The VSG. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** The VSG, and those that have left it and are still read from. */
  get known(): readonly Member[] {
    return [...this.#members, ...this.#parting];
  }

  /** The members that changes are sent to. */
  get writable(): readonly Member[] {
    return this.#members.filter((member) => member.watched);
  }

  /**
   * Whether a change that these replicas have is safe without this gateway's log: two disks of the group have it, or
   * the only one. A replica that has left is none.
   */
  isEnough(appliedBy: readonly string[]): boolean {
    const having = this.#members.filter(({ replica }) => appliedBy.includes(replica)).length;
    return having > 0 && having >= Math.min(2, this.#members.length);
  }

  /**
   * Takes name, storage group and policy of `entry`; a replica that stays at its server stays as it is. Replicas that
   * are on their way in or out are none of the group.
   */
  follow(entry: VolumeEntry, server: (name: string) => ServerLink | undefined): void {
    this.#name = entry.name;
    const hidesVersions = entry.conflicts === 'last-writer-wins';
    if (hidesVersions !== this.#hidesVersions) this.#world.cache.forgetViews();
    this.#hidesVersions = hidesVersions;
    this.#isLocked = entry.locked === true || entry.restoring !== undefined;
    const before = this.known;
    this.#members = membersOf(entry).flatMap(({ id, server: name }) => {
      const link = server(name);
      if (link === undefined) return [];
      const known = before.find((member) => member.replica === id && member.server === link);
      if (known !== undefined) return [known];
      // Damaged is as never heard: everything that is cached is validated anew.
      const stored = intact(this.#world.buffer.get(`r/${entry.id}/${id}`));
      const heard = stored === undefined ? undefined : heardRow.parse(stored);
      return [{ replica: id, server: link, watched: false, heard, cop2: [] }];
    });
    const isReached = this.writable.length > 0;
    this.#parting = isReached
      ? []
      : before.filter((member) => member.watched && !this.#members.includes(member));
    if (this.avsg.length === 0) this.signal('servers-gone');
    this.#world.onChange(this);
  }

  /** It is deleted for good: nobody is asked or told anything of it any more. */
  end(): void {
    this.#isDeleted = true;
    this.#members = [];
    this.#parting = [];
    this.signal('servers-gone');
  }

  /**
   * The members whose promises stand. Empty: disconnected. Where the whole group was replaced, those that have left it,
   * until one of the others is watched: what they know is as good as it was a moment ago.
   */
  get avsg(): readonly Member[] {
    const { writable } = this;
    return writable.length > 0 ? writable : this.#parting;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Why this gateway's log can never be replayed, in words; null: it can. */
  get fault(): string | null {
    return this.#oldCopy.fault;
  }

  get state(): State {
    return this.#state;
  }

  get mode(): VolumeMode {
    return this.#mode;
  }

  /** The links to the AVSG were measured to be slow, in one direction at least. */
  get weak(): boolean {
    const links = this.avsg.map(({ server }) => server);
    return (
      areWeak(links.map(({ sendingQuality }) => sendingQuality)) ||
      areWeak(links.map(({ quality }) => quality))
    );
  }

  setMode(mode: VolumeMode): void {
    this.#mode = mode;
    this.#world.buffer.put(`m/${this.id}`, seal(mode));
    this.signalWeakness();
  }

  /** A link has become slow or fast, or the mode was set. */
  signalWeakness(): void {
    this.signal(this.#isWeak() ? 'weak' : 'strong');
  }

  /** Moves on in the table of states (volume-state.ts). */
  signal(event: Event): void {
    if (event === 'logged') this.#pending = true;
    if (event === 'drained') this.#pending = false;
    if (event === 'diverged') this.#diverged = true;
    if (event === 'resolved') this.#diverged = false;
    const before = this.#state;
    this.#state = next(before, event, {
      reachable: this.avsg.length > 0,
      weak: this.#isWeak(),
      pending: this.#pending,
      diverged: this.#diverged,
    });
    if (this.#state === before) return;
    this.#world.log.info('volume state', { volume: this.name, state: this.#state, before, event });
  }

  #isWeak(): boolean {
    return this.#mode === 'write-disconnected' || this.weak;
  }

  /** The AVSG member to read from: the same one as long as it is there and up to date (seed 004). */
  get preferred(): Member | undefined {
    const { avsg } = this;
    if (this.#preferred === undefined || !avsg.includes(this.#preferred)) [this.#preferred] = avsg;
    return this.#preferred;
  }

  prefer(member: Member): void {
    this.#preferred = member;
  }

  /** Whether `object` may be used without asking anybody. While disconnected everything cached may. */
  isValid(object: CachedObject): boolean {
    const isSound = object.epoch === this.#epoch && !object.suspect;
    if (isSound && object.unheard.length === 0) return true;
    const { avsg } = this;
    return avsg.length === 0 || (isSound && !avsg.some(({ replica }) => object.unheard.includes(replica)));
  }

  /** The link of `member` is up: obtains its promise and learns what has changed (PR-1). */
  async join(member: Member): Promise<void> {
    const reply = await this.#watch(member);
    // The group has changed meanwhile.
    if (!this.#members.includes(member)) return;
    this.#oldCopy.mustHaveMade(reply, member.server.name, this.name);
    if (reply.changed === null) this.#endEpoch();
    else for (const fid of reply.changed) this.#suspect(fid);
    this.#setHeard(member, { stamp: reply.stamp, incarnation: reply.incarnation });
    member.watched = true;
    this.#parting = [];
    this.signal('server-back');
    this.#world.log.info('avsg', { volume: this.name, avsg: this.avsg.map(({ server }) => server.name) });
    this.#world.onChange(this);
  }

  /**
   * An update that was made under `venus`, which this folder may have left (ID-3), made no sense to `member`: perhaps
   * it is another gateway's that it has. @throws Failure
   */
  async checkIdentity(member: Member, venus: VenusId): Promise<void> {
    this.#oldCopy.mustHaveMade(await this.#watch(member, venus), member.server.name, this.name, venus);
  }

  /** The link of `member` is gone, and its promise with it. */
  leave(member: Member): void {
    if (!member.watched) return;
    member.watched = false;
    this.#parting = this.#parting.filter((other) => other !== member);
    if (this.avsg.length === 0) this.signal('servers-gone');
    this.#world.log.info('avsg', { volume: this.name, avsg: this.avsg.map(({ server }) => server.name) });
    this.#world.onChange(this);
  }

  /**
   * A callback break. It may come before the answer of `join`, or after an answer that was not taken: then nothing is
   * known of what was before it, and how far the server was heard stays as it was (PR-2).
   */
  broken(member: Member, push: Extract<Push, { push: 'break' }>): void {
    for (const fid of push.fids) if (volumeOf(fid) === this.id) this.#suspect(fid);
    if (member.watched && member.heard !== undefined && push.stamp > member.heard.stamp) {
      this.#setHeard(member, { ...member.heard, stamp: push.stamp });
    }
  }

  /** Our own update took `stamp` at `member`; by NW-1 we have heard of everything before it. */
  updated(member: Member, stamp: number): void {
    if (member.watched && member.heard !== undefined && stamp > member.heard.stamp) {
      this.#setHeard(member, { ...member.heard, stamp });
    }
  }

  /** Brackets a fetch, whose replies are worth what it says (PR-3, PR-4). */
  beginFetch(): Fetch {
    return this.breaks.begin(this.#epoch, () => this.known.map(({ replica }) => replica));
  }

  /** Marks an object whose validity is in doubt for another reason. */
  doubt(fid: Fid): void {
    this.#suspect(fid);
  }

  /** Takes the COP2 messages that shall ride on the next call to `member`. */
  takeCop2(member: Member): UpdateSet[] {
    return member.cop2.splice(0, cop2Bound);
  }

  addCop2(member: Member, updates: readonly UpdateSet[]): void {
    member.cop2.push(...updates);
    if (member.cop2.length > cop2Bound) member.cop2.splice(0, member.cop2.length - cop2Bound);
  }

  /**
   * What servers say that an object has known. Changes go from server to server: what they have of ours is often met
   * here before the server that took it has been asked.
   */
  met(known: StoreIdVector): void {
    this.#oldCopy.met(known, this.name);
  }

  #watch(
    { server, replica, heard }: Member,
    venus: VenusId = this.#world.identity.venus,
  ): Promise<Result<'watch'>> {
    return server.call('watch', {
      volume: this.id,
      replica,
      since: heard?.stamp ?? null,
      incarnation: heard?.incarnation ?? null,
      venus,
    });
  }

  #suspect(fid: Fid): void {
    this.breaks.note(fid);
    this.#world.cache.suspect(fid);
  }

  #endEpoch(): void {
    this.#epoch += 1;
    this.#world.buffer.put(`p/${this.id}`, seal(this.#epoch));
  }

  #setHeard(member: Member, heard: { stamp: number; incarnation: string }): void {
    member.heard = heard;
    this.#world.buffer.put(`r/${this.id}/${member.replica}`, seal(heard));
  }
}

/** Where it cannot be read: one that never was, as counters never repeat. Then all that is cached is suspect. */
function firstEpoch(row: Uint8Array | undefined, { nextCounter }: Pick<Identity, 'nextCounter'>): number {
  return row === undefined ? 1 : z.number().parse(intact(row) ?? nextCounter);
}
