/**
 * Trees on their way to another volume (move-across.ts), noted on the gateway's disk, so that what a crash or a lost
 * connection leaves of them goes by itself. A note is a lease of Venus: kept over restarts, and few.
 *
 * UM-1  A move is noted before anything bears one of its own names, and its copy before the original is put aside.
 * UM-2  An unfinished copy goes: the original is whole. Of an original that was put aside goes what its copy has, byte
 *       for byte; what is left after that has been changed meanwhile, and comes to be seen under a name that says so.
 * UM-3  What cannot be done now, since servers are away or a user is not logged in, is tried again.
 */
import { z } from 'zod';
import {
  isFailure,
  type Caller,
  type Entry,
  type Fid,
  type Lease,
  type Name,
  type Venus,
} from '../../venus/interface.js';
import type { Clock, Timer } from '../../vice/seam/clock.js';
import type { Log } from '../../vice/seam/log.js';
import type { Random } from '../../vice/seam/random.js';
import type { MoveNote, NotedMove, NotedMoves } from './exchange.js';

const periodMs = 60_000;
/** What could not be finished for so long stays as it is. */
const keptMs = 30 * 24 * 60 * 60_000;

const fid = z.custom<Fid>((value) => typeof value === 'string');
const name = z.strictObject({ parent: fid, name: z.string() });
const noteSchema = z.strictObject({
  move: z.literal(1),
  source: name,
  beside: name,
  aside: name,
  copy: fid.nullable(),
});
type Note = z.infer<typeof noteSchema>;

const tokenPrefix = 'move:';

/** Whether the lease is a note of a move, not a lock. */
export function isMoveNote({ token }: Lease): boolean {
  return token.startsWith(tokenPrefix);
}

export interface UnfinishedMovesOptions {
  readonly venus: Venus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class UnfinishedMoves implements NotedMoves {
  readonly #world: UnfinishedMovesOptions;
  readonly #running = new Set<string>();
  #finishing: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(world: UnfinishedMovesOptions) {
    this.#world = world;
  }

  async begin({ user, moved, source, beside, aside }: NotedMove): Promise<MoveNote> {
    const { venus, clock, random } = this.#world;
    const token = tokenPrefix + Buffer.from(random.bytes(16)).toString('hex');
    const put = async (copy: Fid | null): Promise<void> => {
      const note: Note = { move: 1, source, beside, aside, copy };
      const ends = clock.monotonic() + keptMs;
      await venus.leases.put({ token, fid: moved, holder: user, ends, note: JSON.stringify(note) });
    };
    this.#running.add(token);
    try {
      await put(null);
    } catch (error) {
      this.#running.delete(token);
      throw error;
    }
    return {
      placed: put,
      end: async (isClean) => {
        if (isClean) await venus.leases.remove(token);
        this.#running.delete(token);
      },
    };
  }

  /** Looks at once, and every minute, until `close`. */
  start(): void {
    const next = (): void => {
      if (!this.#isClosed) this.#timer = this.#world.clock.after(periodMs, () => this.start());
    };
    this.finish().then(next, (error: unknown) => {
      this.#world.log.error('move.finish', { error: String(error) });
      next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#finishing?.catch(() => undefined);
  }

  /** Finishes what can be. */
  finish(): Promise<void> {
    this.#finishing ??= this.#finishAll().finally(() => (this.#finishing = undefined));
    return this.#finishing;
  }

  async #finishAll(): Promise<void> {
    const { venus, clock, log } = this.#world;
    for (const lease of venus.leases.all().filter(isMoveNote)) {
      if (this.#isClosed) return;
      if (this.#running.has(lease.token)) continue;
      try {
        const note = noteSchema.safeParse(parseJson(lease.note));
        const isDone = note.success ? await this.#finish({ user: lease.holder }, note.data) : true;
        if (isDone || lease.ends < clock.monotonic()) await venus.leases.remove(lease.token);
      } catch (error) {
        if (!isFailure(error)) throw error;
        log.info('move.unfinished', { fid: lease.fid, message: error.message });
        if (lease.ends < clock.monotonic()) await venus.leases.remove(lease.token);
      }
    }
  }

  /** Whether nothing is left to be done. @throws Failure */
  async #finish(caller: Caller, { source, beside, aside, copy }: Note): Promise<boolean> {
    const { venus, log } = this.#world;
    if ((await this.#entry(caller, beside)) !== undefined) {
      await venus.remove(caller, beside.parent, beside.name);
      log.info('move.undone', { name: source.name });
    }
    const original = await this.#entry(caller, aside);
    if (original === undefined) return true;
    if (copy !== null && (await this.#takeApart(caller, original.status.fid, copy))) {
      await venus.remove(caller, aside.parent, aside.name, { unchanged: original.status });
      log.info('move.done', { name: source.name });
      return true;
    }
    const shown = { parent: source.parent, name: `${source.name} (not moved)` };
    await venus.rename(caller, aside, shown, { replace: false }).catch((error: unknown) => {
      if (!isFailure(error, 'exists')) throw error;
    });
    log.warn('move.left', { name: shown.name });
    return true;
  }

  /** Takes out of a directory what its copy has, too; whether it is empty now. */
  async #takeApart(caller: Caller, directory: Fid, copy: Fid): Promise<boolean> {
    const { venus } = this.#world;
    const copies = await this.#members(caller, copy);
    const members = await this.#members(caller, directory);
    let left = 0;
    for (const [member, { status }] of members) {
      const twin = copies.get(member)?.status;
      const isFolder = status.kind === 'directory' && twin?.kind === 'directory';
      const isCopied = isFolder
        ? await this.#takeApart(caller, status.fid, twin.fid)
        : twin !== undefined && isSame(status, twin);
      if (!isCopied) left += 1;
      else {
        await venus.remove(caller, directory, member, { unchanged: status }).catch((error: unknown) => {
          if (!isFailure(error, 'changed', 'not-empty', 'not-found')) throw error;
          if (!isFailure(error, 'not-found')) left += 1;
        });
      }
    }
    return left === 0;
  }

  /** None: the directory is no more. */
  async #members(caller: Caller, directory: Fid): Promise<ReadonlyMap<string, Entry>> {
    const members = new Map<string, Entry>();
    try {
      for await (const batch of this.#world.venus.list(caller, directory))
        for (const entry of batch) members.set(entry.name, entry);
    } catch (error) {
      if (!isFailure(error, 'not-found')) throw error;
    }
    return members;
  }

  async #entry(caller: Caller, { parent, name: wanted }: Name): Promise<Entry | undefined> {
    return (await this.#members(caller, parent)).get(wanted);
  }
}

function isSame(a: Entry['status'], b: Entry['status']): boolean {
  const isSameKind = a.kind === b.kind && (a.hiddenVersions ?? 0) === 0;
  return isSameKind && a.length === b.length && a.digest === b.digest && a.target === b.target;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
