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
import { tell, type Order } from './agent.js';
import type { Cable } from './cable.js';

const guestProgram = resolve(import.meta.dirname, 'guest.js');
const bootMs = 120_000;
const keptBytes = 65_536;

export interface Hardware {
  readonly cable: Cable;
  /** A folder of ours: the disk's file, and what the machine starts with. */
  readonly folder: string;
  /** Where the disk is mounted inside: an existing, empty folder of this machine. */
  readonly mountedAt: string;
}

export interface Build {
  /** Options of the disk's file system. */
  readonly mount: string;
  /** A library that comes before all others in there: for a machine that does not do what programs ask of it. */
  readonly preload?: string;
}

/** An empty disk, or one that holds what is in `contents`. */
export async function makeDisk(folder: string, mebibytes: number, contents?: string): Promise<void> {
  const disk = join(folder, 'disk');
  await writeFile(disk, '');
  await succeed('truncate', '-s', `${mebibytes}M`, disk);
  await succeed('mkfs.ext4', '-qF', ...(contents === undefined ? [] : ['-d', contents]), disk);
}

export class Machine {
  readonly host: string;
  readonly #process: ChildProcess;
  #console = '';

  private constructor(process: ChildProcess, host: string) {
    this.#process = process;
    this.host = host;
    for (const stream of [process.stdout, process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#console = (this.#console + text).slice(-keptBytes);
      });
    }
  }

  /** @throws Error with what is on the console */
  static async boot(hardware: Hardware, { mount, preload }: Build): Promise<Machine> {
    const { cable, folder } = hardware;
    const init = join(folder, 'init.sh');
    await writeFile(init, initScript(hardware, mount, preload), { mode: 0o755 });
    const root = ['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', `init=${init}`];
    const devices = [`ubd0=${join(folder, 'disk')}`, `vec0:transport=tap,ifname=${cable.name}`];
    const consoles = ['con=null', 'con0=null,fd:1', 'con1=fd:0,fd:1', 'quiet'];
    const args = ['mem=1200M', `umid=${cable.name}`, ...devices, ...root, ...consoles];
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
      await until('the machine to take orders', bootMs, () => machine.#answers());
      return machine;
    } catch (cause) {
      await machine.cutPower();
      throw new Error(`the machine did not come up:\n${machine.console}`, { cause });
    }
  }

  get console(): string {
    return this.#console;
  }

  order(order: Order, timeoutMs?: number): Promise<unknown> {
    return tell(this.host, order, timeoutMs).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; on the machine's console:\n${this.console.slice(-8_192)}`, {
        cause,
      });
    });
  }

  /** Resolves when nothing of it is left. Idempotent. */
  async cutPower(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((done) => child.once('exit', () => done()));
    this.#killGroup();
    await ended;
  }

  async #answers(): Promise<true | undefined> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('its kernel ended');
    try {
      await tell(this.host, { order: 'volume' }, 1_000);
      return true;
    } catch {
      return undefined;
    }
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
function initScript({ cable, mountedAt }: Hardware, mount: string, preload = ''): string {
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
    `mount -t ext4 -o ${mount} /dev/ubda ${mountedAt} || exit 1`,
    `export LD_PRELOAD=${preload}`,
    `exec ${process.execPath} ${guestProgram} ${mountedAt} ${cable.there}`,
    '',
  ].join('\n');
}

async function succeed(program: string, ...args: readonly string[]): Promise<void> {
  const { code, output } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${output}`);
}
