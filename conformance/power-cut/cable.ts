/** The cable between this machine and the one inside it: a tap device of the kernel's. */
import { run, skipWithout } from '../program.js';

/** For the `skip` option of a test that needs a machine of its own. */
export async function skipWithoutMachine(...more: readonly string[]): Promise<string | false> {
  const missing = skipWithout('linux.uml', 'ip', 'mkfs.ext4', ...more);
  if (missing !== false) return missing;
  const reason = await whyNoCable();
  if (reason !== undefined && process.env['CI'] === 'true') throw new Error(reason);
  return reason ?? false;
}

async function whyNoCable(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'a network device (ip tuntap) needs root';
  const probe = `codap${process.pid}`;
  const { code, output } = await run('ip', ['tuntap', 'add', 'dev', probe, 'mode', 'tap']);
  if (code !== 0) return `no network device can be made here: ${output.trim()}`;
  await run('ip', ['link', 'delete', probe]);
  return undefined;
}

export class Cable {
  readonly name: string;
  /** Of the 198.18.0.0/15 that is kept for tests of networks (RFC 2544); others for each process and number. */
  readonly here: string;
  readonly there: string;

  private constructor(number: number) {
    const subnet = `198.19.${process.pid % 250}`;
    this.name = `coda${process.pid}${'ab'[number]}`;
    this.here = `${subnet}.${4 * number + 1}`;
    this.there = `${subnet}.${4 * number + 2}`;
  }

  /** @param number of the two that a process can have */
  static async lay(number: 0 | 1 = 0): Promise<Cable> {
    const cable = new Cable(number);
    // What an earlier process of this number may have left.
    await run('ip', ['link', 'delete', cable.name]);
    await ip('tuntap', 'add', 'dev', cable.name, 'mode', 'tap');
    await ip('address', 'add', `${cable.here}/30`, 'dev', cable.name);
    await ip('link', 'set', cable.name, 'up');
    return cable;
  }

  async remove(): Promise<void> {
    await ip('link', 'delete', this.name);
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  const { code, output } = await run('ip', args);
  if (code !== 0) throw new Error(`ip ${args.join(' ')} failed: ${output}`);
}
