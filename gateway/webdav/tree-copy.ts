/** The copy of a tree that is going to take the tree's place: all of it, with what its objects have, or a failure. */
import {
  isFailure,
  type AccessList,
  type Fid,
  type Name,
  type ObjectStatus,
  type ReplaceOptions,
  type WriteOutcome,
} from '../../venus/interface.js';
import { DavError, type Exchange } from './exchange.js';

/** Members of one directory that are copied at the same time. */
const atOnce = 8;

/** An object of the tree, as it was when it was copied. */
export interface Original extends Name {
  readonly status: ObjectStatus;
  readonly path: readonly string[];
}

interface Step {
  readonly from: Original;
  readonly into: WriteOutcome;
}

export class TreeCopy {
  /** What has been copied, each directory before what is in it. */
  readonly originals: Original[] = [];
  readonly #exchange: Exchange;
  readonly #admit: (original: Original) => void;

  /** `admit` throws where an object must not be copied. */
  constructor(exchange: Exchange, admit: (original: Original) => void) {
    this.#exchange = exchange;
    this.#admit = admit;
  }

  /** @throws DavError 403, 409; Failure of Venus */
  async run(top: Original, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    const root = await this.#one(top, to, options);
    const open: Step[] = [{ from: top, into: root }];
    for (let step = open.pop(); step !== undefined; step = open.pop()) {
      if (step.from.status.kind !== 'directory') continue;
      for await (const members of this.#membersOf(step.from)) {
        open.push(...(await this.#copyAll(members, step.into)));
      }
      await this.#setTime(step);
    }
    return root;
  }

  async *#membersOf({ status, path }: Original): AsyncGenerator<readonly Original[]> {
    const { share, caller } = this.#exchange;
    for await (const batch of share.venus.list(caller, status.fid)) {
      const members = batch.map((entry) => ({ parent: status.fid, ...entry, path: [...path, entry.name] }));
      for (const member of members) this.#admit(member);
      for (let start = 0; start < members.length; start += atOnce) yield members.slice(start, start + atOnce);
    }
  }

  async #copyAll(members: readonly Original[], into: WriteOutcome): Promise<readonly Step[]> {
    const copies = members.map(async (member): Promise<readonly Step[]> => {
      const to = { parent: into.status.fid, name: member.name };
      try {
        return [{ from: member, into: await this.#one(member, to, { replace: false }) }];
      } catch (error) {
        // Removed while we walked: not there to be moved.
        if (isFailure(error, 'not-found')) return [];
        throw error;
      }
    });
    // All of them have ended before anybody undoes what they did.
    const settled = await Promise.allSettled(copies);
    const failed = settled.find((each) => each.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return settled.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  }

  async #one(original: Original, to: Name, options: ReplaceOptions): Promise<WriteOutcome> {
    const { share, caller } = this.#exchange;
    const { status } = original;
    const list = status.kind === 'directory' ? await this.#listOf(original) : null;
    const made = await share.venus.copy(caller, status.fid, to, options);
    this.originals.push(original);
    const { fid, kind, mode, modified } = made.status;
    if (list !== null) await this.#protect(original, fid, list);
    if (kind === 'file' && mode !== status.mode)
      await share.venus.setMode(caller, fid, status.mode).catch(unlessDenied);
    if (kind === 'file' && modified !== status.modified)
      await share.venus.setModified(caller, fid, status.modified).catch(unlessDenied);
    return made;
  }

  /** Members have come into it: it has the time of the last one now. */
  async #setTime({ from, into }: Step): Promise<void> {
    const { share, caller } = this.#exchange;
    await share.venus.setModified(caller, into.status.fid, from.status.modified).catch(unlessDenied);
  }

  /** The access list that a directory has of its own; who is going to take it apart must be allowed to. */
  async #listOf({ name, status }: Original): Promise<AccessList | null> {
    const { share, caller } = this.#exchange;
    const { rights, lists } = await share.venus.access(caller, status.fid);
    if (!rights.includes('d')) throw new DavError(403, `You may remove nothing from ${name}`);
    const own = lists.filter(({ directory }) => directory === status.fid);
    if (own.length > 1)
      throw new DavError(409, `Several people set the access list of ${name}: decide first`);
    return own[0]?.list ?? null;
  }

  /** Before anything is in it: nobody sees in the copy what he may not see in the original. */
  async #protect({ name }: Original, fid: Fid, list: AccessList): Promise<void> {
    const { share, caller } = this.#exchange;
    try {
      await share.venus.setAccess(caller, fid, list);
    } catch (error) {
      if (!isFailure(error, 'access-denied')) throw error;
      throw new DavError(
        403,
        `${name} has an access list of its own, which you may not set at its new place`,
      );
    }
  }
}

/** Who may put something there, but not change it, moves it without its time and mode. */
function unlessDenied(error: unknown): void {
  if (!isFailure(error, 'access-denied')) throw error;
}
