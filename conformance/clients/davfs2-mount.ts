/** A share mounted by davfs2: a folder of the kernel's, with WebDAV behind it. */
import { accessSync, constants } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, skipWithout } from '../program.js';

export interface Share {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

/** For the `skip` option of a test that mounts. */
export function skipWithoutMounts(): string | false {
  const missing = skipWithout('mount.davfs', 'umount');
  if (missing !== false) return missing;
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return false;
  } catch {
    return 'no /dev/fuse here: davfs2 cannot mount';
  }
}

/**
 * buf_size: with its default of 16 KiB davfs2 1.6 fails with EINVAL on larger folders under kernels from 6.15
 * on. delay_upload 0: a close returns when the share has the file, so that an error is the program's, not the
 * log's. The refresh times are short, for a test does in seconds what people do in hours.
 */
const settings = `
ask_auth 0
use_locks 1
buf_size 256
delay_upload 0
dir_refresh 2
file_refresh 1
retry 1
max_retry 3
`;

const mountMs = 30_000;
const unmountMs = 180_000;

export class Davfs2Mount {
  readonly folder: string;
  readonly #base: string;

  private constructor(base: string) {
    this.#base = base;
    this.folder = join(base, 'mount');
  }

  /** @throws Error with what mount.davfs said */
  static async mount(share: Share): Promise<Davfs2Mount> {
    const base = await mkdtemp(join(tmpdir(), 'coda-davfs2-'));
    const mount = new Davfs2Mount(base);
    await mkdir(mount.folder);
    // The daemon gives up root's rights and must still reach its cache.
    await chmod(base, 0o755);
    await mkdir(join(base, 'cache'));
    await chmod(join(base, 'cache'), 0o777);
    const secrets = join(base, 'secrets');
    await writeFile(secrets, `${share.url} "${share.user}" "${share.password}"\n`);
    await chmod(secrets, 0o600);
    const config = join(base, 'davfs2.conf');
    await writeFile(config, `secrets ${secrets}\ncache_dir ${join(base, 'cache')}\n${settings}`);
    // mount.davfs stays as a daemon; its output must not be waited for.
    const command =
      'mount -t davfs -o "conf=$1,uid=0,gid=0" "$2" "$3" >"$4" 2>&1 </dev/null || { cat "$4"; exit 1; }';
    const args = ['-c', command, 'mount', config, share.url, mount.folder, join(base, 'mount.log')];
    const { code, output } = await run('sh', args, { timeoutMs: mountMs });
    if (code !== 0) throw new Error(`mount.davfs failed: ${output}`);
    return mount;
  }

  /** Waits until everything has been uploaded. */
  async unmount(): Promise<void> {
    const { code, output } = await run('umount', [this.folder], { timeoutMs: unmountMs });
    if (code !== 0) throw new Error(`umount failed: ${output}`);
    await rm(this.#base, { recursive: true, force: true });
  }

  /** For teardown: lets go of it in any state. */
  async drop(): Promise<void> {
    await run('umount', ['-l', this.folder], { timeoutMs: 10_000 }).catch(() => undefined);
    await rm(this.#base, { recursive: true, force: true }).catch(() => undefined);
  }
}
