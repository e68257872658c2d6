/** One batch to one server: its records, and the contents that they name. */
import {
  ifFailed,
  isFailure,
  limits,
  venusOf,
  type Argument,
  type Fid,
  type Mutation,
  type Result,
} from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import type { UpdateReply } from '../volume/collate.js';
import type { Member, Volume } from '../volume/volume.js';
import { ContentsSender, type ContentsSenderWorld } from './contents-sender.js';
import type { Transfer } from './staging.js';

/** With a body still on its way the server waits for its end before it answers. */
const callMs = { plain: 10_000, withTransfer: 60_000 };
/**
 * Bytes a second that a link carries at least: what is in a call takes its time. A server that is gone is noticed by
 * its silence, long before.
 */
const slowestRate = 4 * 1024;
/** What a record takes in a call, about. */
const recordBytes = 400;

/** So often contents are brought for one batch before its failure is one. */
const attemptsMost = 3;

/** Bodies under way, by digest. */
export type Transfers = ReadonlyMap<string, readonly Transfer[]>;

interface Contents {
  /** By digest: the bodies that travel inside the call. */
  readonly inline: Record<string, Uint8Array>;
  /** By digest: the ids of the others, but for those that the server has. */
  readonly transfers: Record<string, string>;
  /** The transfers among them whose end the server may still wait for. */
  readonly tails: readonly Transfer[];
  /** Contents that were brought before the call, or that the server said it has. */
  readonly brought: number;
}

export type BatchSenderWorld = ContentsSenderWorld;

export interface Sending {
  readonly volume: Volume;
  readonly member: Member;
  readonly batch: readonly LogEntry[];
  /** The records of the batch, threaded. */
  readonly records: readonly Mutation[];
  readonly watermark: number;
  readonly transfers: (entry: LogEntry) => Transfers | undefined;
}

export class BatchSender {
  readonly #world: BatchSenderWorld;
  readonly #contentsSender: ContentsSender;

  constructor(world: BatchSenderWorld) {
    this.#world = world;
    this.#contentsSender = new ContentsSender(world);
  }

  /** To all of `targets` at once (COP1). */
  sendToAll(
    targets: readonly Member[],
    sending: Omit<Sending, 'member'>,
  ): Promise<readonly UpdateReply<Member>[]> {
    return Promise.all(targets.map((member) => this.send({ ...sending, member })));
  }

  async send({
    volume,
    member,
    batch,
    records,
    watermark,
    transfers: underWay,
  }: Sending): Promise<UpdateReply<Member>> {
    const cop2 = volume.takeCop2(member);
    try {
      for (let attempt = 1; ; attempt += 1) {
        const contents = await this.#contents(volume, member, batch, underWay);
        const { inline, transfers } = contents;
        const meant = { volume: volume.id, replica: member.replica };
        const argument = { ...meant, records: [...records], inline, transfers, watermark, cop2 };
        const reply = await this.#mutate(member, argument, contents, attempt < attemptsMost);
        if (reply !== undefined) return { member, reply };
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
      volume.addCop2(member, cop2);
      const { kind, message } = error;
      this.#world.log.warn('update failed', { server: member.server.name, kind, message });
      // It would keep everybody waiting (AA-2 in ../volume/ask-all.ts).
      if (kind === 'timeout') member.server.giveUp(message);
      const [first] = records;
      if (kind === 'damaged' && first !== undefined)
        await volume.checkIdentity(member, venusOf(first.storeId)).catch(ifFailed(undefined));
      return { member, failure: error };
    }
  }

  /**
   * The server's reply; undefined when contents must be brought anew: one of the `tails`, whose end the server waits
   * for, broke meanwhile, or (`mayMiss`) what was brought is not there any more: the server was restarted, say.
   */
  async #mutate(
    member: Member,
    argument: Argument<'mutate'>,
    { tails, brought }: Contents,
    mayMiss: boolean,
  ): Promise<Result<'mutate'> | undefined> {
    const given = new AbortController();
    for (const tail of tails) {
      void tail.done.then((failure) => {
        if (failure !== undefined) given.abort(failure);
      });
    }
    const named = Object.keys(argument.transfers).length > 0;
    const bytes = bytesIn(argument);
    const timeoutMs = (named ? callMs.withTransfer : callMs.plain) + (bytes * 1000) / slowestRate;
    if (member.server.weak) await this.#world.gate?.turn(bytes);
    try {
      return await member.server.call('mutate', argument, { timeoutMs, signal: given.signal });
    } catch (error) {
      if (tails.some(({ broken }) => broken)) return undefined;
      if (brought > 0 && mayMiss && missesContents(error)) return undefined;
      throw error;
    }
  }

  /**
   * Small contents travel inside the call, but on a weak link, where a fetch would have to wait for all of it (CS-3);
   * others are brought before it, or are on their way already.
   */
  async #contents(
    volume: Volume,
    member: Member,
    batch: readonly LogEntry[],
    underWay: Sending['transfers'],
  ): Promise<Contents> {
    const { containers } = this.#world;
    const tails: Transfer[] = [];
    const inline: Record<string, Uint8Array> = {};
    const named: Record<string, string> = {};
    const wanted = new Map<string, number>();
    const owners = new Map<string, Fid>();
    for (const entry of batch) {
      for (const record of entry.records) {
        if (record.op !== 'store' || record.length === 0 || !containers.has(record.digest)) continue;
        if (record.length <= limits.inlineBytes && !member.server.weak) {
          const body = await containers.small(record.digest, record.length);
          if (body !== undefined) inline[record.digest] = body;
          continue;
        }
        const mine = underWay(entry)
          ?.get(record.digest)
          ?.find((transfer) => transfer.member === member && !transfer.broken);
        owners.set(record.digest, record.fid);
        if (mine === undefined) wanted.set(record.digest, record.length);
        else {
          tails.push(mine);
          named[record.digest] = mine.id;
        }
      }
    }
    for (const digest of Object.keys(named)) wanted.delete(digest);
    if (wanted.size === 0) return { inline, transfers: named, tails, brought: 0 };
    const transfers = await this.#contentsSender.bring(volume.id, member.server, wanted, owners);
    return { inline, transfers: { ...transfers, ...named }, tails, brought: wanted.size };
  }
}

function bytesIn({ records, inline }: Argument<'mutate'>): number {
  return Object.values(inline).reduce((sum, body) => sum + body.length, records.length * recordBytes);
}

/** Whether a mutation failed for want of contents, or because other bytes were there in their place. */
function missesContents(error: unknown): boolean {
  return isFailure(error, 'not-found', 'busy', 'invalid') && error.fid === undefined;
}
