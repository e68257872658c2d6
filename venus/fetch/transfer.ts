/** One request to one source, for blocks of one file, while it runs. */
import { Failure, isFailure } from '../../vice/interface/index.js';
import type { FileData } from '../../vice/interface/index.js';
import type { BlockSource, Run } from './block-source.js';

export interface TransferSink {
  /** Resolves when a transfer that gives way to users may go on after so many bytes, or need not give way any more. */
  turn(transfer: Transfer, bytes: number): Promise<void>;
  /** The digests of all blocks have come, where they were asked for. */
  proved(blockDigests: Uint8Array): Promise<void>;
  /** Resolves when the next block may come. @throws Failure damaged (it does not match), no-space */
  took(block: number, bytes: Uint8Array, transfer: Transfer): Promise<void>;
}

export class Transfer {
  readonly source: BlockSource;
  readonly run: Run;
  /** Somebody waits for it, or is about to read what it brings. */
  urgent: boolean;
  /** The source that this one is to overtake. */
  readonly against: Transfer | undefined;
  readonly #stop = new AbortController();
  #next: number;

  constructor(source: BlockSource, run: Run, urgent: boolean, against?: Transfer) {
    this.source = source;
    this.run = run;
    this.urgent = urgent;
    this.against = against;
    this.#next = run.first;
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  /** Whether the block is still to come. */
  brings(block: number): boolean {
    return !this.stopped && block >= this.#next && block < this.run.end;
  }

  stop(): void {
    this.#stop.abort(new Failure('cancelled', 'venus.fetch', 'nobody wants it any more'));
  }

  /** Resolves when all has come, or it was stopped. @throws Failure why the source gave not all of it */
  async bring(
    contents: Pick<FileData, 'digest' | 'length'>,
    proof: boolean,
    sink: TransferSink,
  ): Promise<void> {
    const giveWay = (bytes: number): Promise<void> => sink.turn(this, bytes);
    const request = { contents, ...this.run, proof, ...(!this.urgent && { giveWay }) };
    try {
      for await (const arrival of this.source.arrivals(request, this.#stop.signal)) {
        if (this.stopped) return;
        if (arrival.kind === 'proof') await sink.proved(arrival.blockDigests);
        else {
          await sink.took(arrival.block, arrival.bytes, this);
          this.#next = arrival.block + 1;
        }
      }
    } catch (error) {
      if (this.stopped && isFailure(error)) return;
      throw error;
    }
    if (this.#next >= this.run.end || this.stopped) return;
    throw new Failure('unreachable', 'venus.fetch', `server ${this.source.name} stopped in the middle`);
  }
}
