import { open, type FileHandle } from 'node:fs/promises';

/** Flushes the names in one folder; those who ask while a flush runs share the next one. */
export class FolderSync {
  readonly #path: string;
  #handle: FileHandle | undefined;
  #running: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Resolves when every name that was made or removed before the call is on the disk. */
  flush(): Promise<void> {
    this.#next ??= this.#running.then(
      () => this.#begin(),
      () => this.#begin(),
    );
    return this.#next;
  }

  async close(): Promise<void> {
    await this.#running.catch(() => {});
    await this.#handle?.close();
    this.#handle = undefined;
  }

  #begin(): Promise<void> {
    this.#next = undefined;
    this.#running = this.#sync();
    return this.#running;
  }

  async #sync(): Promise<void> {
    this.#handle ??= await open(this.#path, 'r');
    await this.#handle.sync();
  }
}
