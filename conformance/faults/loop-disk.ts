/**
 * A disk of a server that a test fills and frees: an ext4 in a sparse file. Empty it has more than the GiB below which
 * a server keeps nothing of removed files (vice/resolution/resolver.ts); filling it costs the machine no such GiB, as
 * what the filler is given is never written.
 */
import { existsSync, mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, run } from '../program.js';

const bytes = 2 * 1024 ** 3;

/** Whether this machine has loop devices, and what makes a disk of one. */
export function hasLoopDevices(): boolean {
  return existsSync('/dev/loop-control') && findProgram('mkfs.ext4') !== undefined;
}

export class LoopDisk {
  readonly #folder: string;
  readonly #filler: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#filler = join(folder, 'filler');
  }

  /** At `folder`, which is made if it is not there; `image` is its file. */
  static async mount(image: string, folder: string): Promise<LoopDisk> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(image, '');
    truncateSync(image, bytes);
    // Root has no blocks of its own: full is full.
    await must('mkfs.ext4', '-qF', '-m', '0', image);
    await must('mount', '-o', 'loop', image, folder);
    // It is in the way of who wants an empty folder.
    rmSync(join(folder, 'lost+found'), { recursive: true });
    return new LoopDisk(folder);
  }

  /** Somebody else's data take the last block. */
  async fill(): Promise<void> {
    // It takes what there is, and then complains.
    await run('fallocate', ['-l', `${bytes}`, this.#filler]);
  }

  /** They go again. */
  async free(): Promise<void> {
    rmSync(this.#filler, { force: true });
  }

  async unmount(): Promise<void> {
    await must('umount', '--lazy', this.#folder);
  }
}

async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { code, output } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${output}`);
}
