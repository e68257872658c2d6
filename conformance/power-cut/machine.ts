/**
 * A machine whose power can be cut: a Linux kernel as a process of ours (User Mode Linux), with this machine's files as
 * its root, read-only, and a disk of its own, an ext4 in a file.
 *
 * What the kernel inside has not yet given to its disk is in the memory of that process. SIGKILL to its group is a
 * power cut: that memory is gone, and what the disk was given stays.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { run, until } from '../program.js';
import { readyLine, tell, type Order } from './agent.js';
import type { Cable } from './cable.js';

const guestProgram = resolve(import.meta.dirname, 'guest.js');
const bootMs = 120_000;
/**
 * Kernel parameters. At each boot it would measure for 0.7 s which algorithm is the fastest for RAID 6, and test its
 * ciphers; nobody here has use for either.
 */
const quick = ['quiet', 'initcall_blacklist=raid6_select_algo', 'cryptomgr.notests'];
const keptBytes = 65_536;

export interface Hardware {
  readonly cable: Cable;
  /** A folder of ours: what machines start with. */
  readonly folder: string;
  /** The disk's file. */
  readonly disk: string;
  /** Where the disk is mounted inside: an existing, empty folder of this machine. */
  readonly mountedAt: string;
}

/** An empty disk, or one that holds what is in `contents`. */
export async function makeDisk(disk: string, mebibytes: number, contents?: string): Promise<void> {
  await writeFile(disk, '');
  await succeed('truncate', '-s', `${mebibytes}M`, disk);
  await succeed('mkfs.ext4', '-qF', ...(contents === undefined ? [] : ['-d', contents]), disk);
}

export class Machine {
  readonly host: string;
  readonly #process: ChildProcess;
  /** No process of it holds a pipe of ours any more, so none of them can write to the disk. */
  readonly #ended: Promise<void>;
  readonly #off = new AbortController();
  #console = '';

  private constructor(process: ChildProcess, host: string) {
    this.#process = process;
    this.host = host;
    this.#ended = new Promise((ended) => process.once('close', () => ended()));
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#console = (this.#console + text).slice(-keptBytes);
      });
    }
  }

  /**
   * Its kernel runs, and its program has read its modules; the disk is not in use yet. So it can stand by for one whose
   * power is still on. The disk is not locked, as a machine at its start looks for partitions on it, and forgets what
   * it has read.
   *
   * @param preload a library that comes before all others in there: for a machine that does not do what programs ask
   * @throws Error with what is on the console
   */
  static async boot(hardware: Hardware, preload = ''): Promise<Machine> {
    const { cable, folder, disk } = hardware;
    const init = join(folder, `init-${cable.name}.sh`);
    await writeFile(init, initScript(hardware, preload), { mode: 0o755 });
    const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`];
    // A frame from here may be longer than the cable's MTU (TSO). Without `gro` it is cut off in there and sent again,
    // by a TCP that waits twice as long each time: 100 KB took 10 s, and may take a minute.
    const network = `vec0:transport=tap,ifname=${cable.name},gro=1`;
    const consoles = ['con=null', 'con0=null,fd:1', 'con1=fd:0,fd:1'];
    const args = [
      'mem=1200M',
      `umid=${cable.name}`,
      `ubd0c=${disk}`,
      network,
      ...root,
      ...consoles,
      ...quick,
    ];
    // In a process group of its own: every part of it dies at the same moment.
    const child = spawn('linux.uml', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      env: { PATH: process.env['PATH'], HOME: folder, TMPDIR: '/dev/shm' },
    });
    const machine = new Machine(child, cable.there);
    const watch = endWithUs(child);
    child.once('exit', () => watch.kill('SIGKILL'));
    try {
      await until('the machine to take orders', bootMs, () => machine.#takesOrders());
      return machine;
    } catch (cause) {
      await machine.cutPower();
      throw new Error(`the machine did not come up:\n${machine.console}`, { cause });
    }
  }

  /** Takes the disk in use. @param options of its file system */
  async mount(options: string): Promise<void> {
    await this.order({ order: 'mount', names: [options] });
  }

  get console(): string {
    return this.#console;
  }

  order(order: Order): Promise<unknown> {
    return tell(this.host, order, this.#off.signal).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; on the machine's console:\n${this.console.slice(-8_192)}`, {
        cause,
      });
    });
  }

  /** Resolves when nothing of it is left. Idempotent. */
  async cutPower(): Promise<void> {
    this.#killGroup();
    await this.#ended;
    this.#off.abort();
  }

  #takesOrders(): true | undefined {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) throw new Error('its kernel ended');
    return this.#console.includes(readyLine) ? true : undefined;
  }

  #killGroup(): void {
    const { pid, exitCode, signalCode } = this.#process;
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
  }
}

/** A process that ends the machine when this one has died: it sees the end of its standard input. */
function endWithUs({ pid }: ChildProcess): ChildProcess {
  const kill = pid === undefined ? 'true' : `kill -s KILL -- -${pid}`;
  return spawn('sh', ['-c', `read -r _; ${kill}`], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
}

/**
 * The first process inside. Nothing is flushed before somebody asks: the kernel writes back what is old only after an
 * hour, or what was forgotten would mostly be saved by chance.
 */
function initScript({ cable, mountedAt }: Hardware, preload: string): string {
  return [
    '#!/bin/sh',
    'mount -t proc proc /proc',
    'mount -t sysfs sysfs /sys',
    'mount -t tmpfs tmpfs /run',
    'echo 360000 > /proc/sys/vm/dirty_expire_centisecs',
    'echo 0 > /proc/sys/vm/dirty_writeback_centisecs',
    'ip link set lo up',
    `ip address add ${cable.there}/30 dev vec0`,
    'ip link set vec0 up',
    `export LD_PRELOAD=${preload}`,
    // Whoever lives for seconds only is not worth much compiling.
    `exec ${process.execPath} --no-opt --max-lazy ${guestProgram} ${mountedAt} ${cable.there}`,
    '',
  ].join('\n');
}

async function succeed(program: string, ...args: readonly string[]): Promise<void> {
  const { code, output } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${output}`);
}
