/** A child's log: appended to `NAME.log`, which becomes `NAME.log.1` (the older one goes) when it is full. */
import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

const fullBytes = 10 * 1024 * 1024;

export class LogFile {
  readonly path: string;
  #descriptor: number;
  #length: number;

  constructor(path: string) {
    this.path = path;
    this.#descriptor = openSync(path, 'a', 0o600);
    this.#length = fstatSync(this.#descriptor).size;
  }

  write(chunk: Uint8Array): void {
    try {
      if (this.#length + chunk.length > fullBytes) this.#turn();
      writeSync(this.#descriptor, chunk);
      this.#length += chunk.length;
    } catch {
      // A full disk must not end the supervisor: the children need it to be started again.
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #turn(): void {
    closeSync(this.#descriptor);
    renameSync(this.path, `${this.path}.1`);
    this.#descriptor = openSync(this.path, 'a', 0o600);
    this.#length = 0;
  }
}
