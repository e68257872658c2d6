/** One batch to one server: its records, and the contents that they name. */
import { isFailure, limits, type Argument, type Mutation, type Result } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import { randomHex, type Random } from '../../vice/seam/random.js';
import type { ContainerCache } from '../cache/container-cache.js';
import type { LogEntry } from '../log/modify-log.js';
import type { UpdateReply } from '../volume/collate.js';
import type { Member, Volume } from '../volume/volume.js';
import type { Transfer } from './staging.js';

/** With a body still on its way the server waits for its end before it answers. */
const callMs = { plain: 10_000, withTransfer: 60_000 };

/** Bodies under way, by digest. */
export type Transfers = ReadonlyMap<string, readonly Transfer[]>;

interface Contents {
  /** By digest: the bodies that travel inside the call. */
  readonly inline: Record<string, Uint8Array>;
  /** By digest: the ids of the others. */
  readonly transfers: Record<string, string>;
  /** The transfers among them whose end the server may still wait for. */
  readonly tails: readonly Transfer[];
}

export interface BatchSenderWorld {
  readonly containers: ContainerCache;
  readonly random: Random;
  readonly log: Log;
}

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

  constructor(world: BatchSenderWorld) {
    this.#world = world;
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
      for (;;) {
        const { inline, transfers, tails } = await this.#contents(member, batch, underWay);
        const argument = { volume: volume.id, records: [...records], inline, transfers, watermark, cop2 };
        const reply = await this.#mutate(member, argument, tails);
        if (reply !== undefined) return { member, reply };
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
      volume.addCop2(member, cop2);
      const { kind, message } = error;
      this.#world.log.warn('update failed', { server: member.server.name, kind, message });
      return { member, failure: error };
    }
  }

  /**
   * The server's reply; undefined when one of the `tails`, whose end the server waits for, broke meanwhile: what
   * it names is then sent anew.
   */
  async #mutate(
    member: Member,
    argument: Argument<'mutate'>,
    tails: readonly Transfer[],
  ): Promise<Result<'mutate'> | undefined> {
    const given = new AbortController();
    for (const tail of tails) {
      void tail.done.then((failure) => {
        if (failure !== undefined) given.abort(failure);
      });
    }
    const named = Object.keys(argument.transfers).length > 0;
    const timeoutMs = named ? callMs.withTransfer : callMs.plain;
    try {
      return await member.server.call('mutate', argument, { timeoutMs, signal: given.signal });
    } catch (error) {
      if (tails.some(({ broken }) => broken)) return undefined;
      throw error;
    }
  }

  /** Small contents travel inside the call; others are named by the id of their transfer to `member`. */
  async #contents(
    member: Member,
    batch: readonly LogEntry[],
    underWay: Sending['transfers'],
  ): Promise<Contents> {
    const { containers } = this.#world;
    const tails: Transfer[] = [];
    const inline: Record<string, Uint8Array> = {};
    const transfers: Record<string, string> = {};
    for (const entry of batch) {
      for (const record of entry.records) {
        if (record.op !== 'store' || record.length === 0 || !containers.has(record.digest)) continue;
        if (record.length <= limits.inlineBytes) {
          const body = await containers.small(record.digest, record.length);
          if (body !== undefined) inline[record.digest] = body;
          continue;
        }
        const mine = underWay(entry)
          ?.get(record.digest)
          ?.find((transfer) => transfer.member === member && !transfer.broken);
        if (mine !== undefined) tails.push(mine);
        transfers[record.digest] = mine?.id ?? (await this.#upload(member, record.digest, record.length));
      }
    }
    return { inline, transfers, tails };
  }

  /** Sends a cached container to a member that has not seen its body (it joined later, or its transfer broke). */
  async #upload(member: Member, digest: string, length: number): Promise<string> {
    const { containers, random } = this.#world;
    const id = randomHex(random, 16);
    await member.server.upload(`staging/${id}`, containers.read(digest, 0, length));
    return id;
  }
}
