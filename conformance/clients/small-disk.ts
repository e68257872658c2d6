/**
 * Disks of some MiB that a test fills and empties: tmpfs, mounted where only the test and what it starts see them (user
 * and mount namespaces: no rights needed).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';

const unshare = ['--map-root-user', '--mount'];
const inside = 'CODA_TEST_MOUNTS';

/** Whether this process may mount disks. If not, `file`, the test itself, is run again as one that may. */
export function inOwnMounts(t: Test, file: string): boolean {
  if (process.env[inside] !== undefined) return true;
  const probe = ['sh', '-c', 'mount -t tmpfs none "$0"', import.meta.dirname];
  if (spawnSync('unshare', [...unshare, ...probe]).status !== 0) {
    const skip = 'this machine does not let us mount a disk (unshare --map-root-user --mount)';
    if (process.env['CI'] === 'true') throw new Error(skip);
    void t.test('on small disks', { skip }, async () => {});
    return false;
  }
  const self = [process.execPath, '--enable-source-maps', file];
  const env = { ...process.env, [inside]: 'yes' };
  void t.spawn('unshare', [...unshare, ...self], { env }, 'on small disks');
  return false;
}

export class SmallDisk {
  readonly folder: string;
  readonly #filler: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.#filler = join(folder, 'filler');
  }

  /** A disk of `bytes` bytes at `folder`, which is made if it is not there. */
  static mount(folder: string, bytes: number): SmallDisk {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    mustSucceed('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=700`, 'none', folder]);
    return new SmallDisk(folder);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Somebody else's data take the last byte. */
  fill(): void {
    const file = openSync(this.#filler, 'a');
    try {
      const chunk = Buffer.alloc(1024 * 1024);
      for (;;) writeSync(file, chunk);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
    } finally {
      closeSync(file);
    }
  }

  /** They go again. */
  free(): void {
    rmSync(this.#filler, { force: true });
  }

  unmount(): void {
    mustSucceed('umount', ['--lazy', this.folder]);
  }
}

function mustSucceed(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr}`);
}
