/**
 * Contents on their way to the AVSG. Small ones travel inside the mutate call; the body of a large PUT is sent to
 * every AVSG member while it arrives, so that its close costs one round trip and no further transfer.
 */
import { isFailure, type Failure } from '../../vice/interface/index.js';
import type { Log } from '../../vice/seam/log.js';
import type { Member } from '../volume/volume.js';

/** Bytes that may wait for one slow server before the writer waits for it. */
const aheadBytes = 256 * 1024;

/** One body on its way to one member. */
export class Transfer {
  readonly member: Member;
  readonly id: string;
  /** Settles when the server has all bytes flushed, or with why not. Never rejects. */
  readonly done: Promise<Failure | undefined>;
  readonly #chunks: Uint8Array[] = [];
  readonly #abort = new AbortController();
  #waitingBytes = 0;
  #ended = false;
  #dead = false;
  #failure: Failure | undefined;
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  /** `difference`: where it goes as steps (venus/difference), of which the time says nothing about the link. */
  constructor(member: Member, id: string, log: Log, difference?: string) {
    this.member = member;
    this.id = id;
    const path = difference ?? `staging/${id}`;
    const isMeasured = difference === undefined;
    this.done = member.server.upload(path, this.#source(), this.#abort.signal, 0, isMeasured).then(
      () => undefined,
      (error: unknown) => {
        if (!isFailure(error)) throw error;
        log.debug('upload broke', { server: member.server.name, kind: error.kind, message: error.message });
        return (this.#failure = error);
      },
    );
    void this.done.finally(() => {
      this.#dead = true;
      this.#chunks.length = 0;
      this.#wakeWriter?.();
    });
  }

  /** Whether the server will never have all of it: it must be sent anew, under another id. */
  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** Adds bytes; resolves when the server keeps up (or is gone). */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.#dead) return;
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#wakeReader?.();
    while (this.#waitingBytes > aheadBytes && !this.#dead) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  end(): void {
    this.#ended = true;
    this.#wakeReader?.();
  }

  abort(reason: Failure): void {
    this.#abort.abort(reason);
    this.#ended = true;
    this.#wakeReader?.();
  }

  async *#source(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        yield chunk;
        this.#waitingBytes -= chunk.length;
        this.#wakeWriter?.();
      } else if (this.#abort.signal.aborted) {
        throw this.#abort.signal.reason;
      } else if (this.#ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve;
        });
      }
    }
  }
}
