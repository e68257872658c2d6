/**
 * A network of its own for the servers (a namespace of the kernel's), tied to this machine's by one cable
 * (a veth pair) that can be pulled out at the servers' end. Then packets vanish, and nobody is told.
 */
import { readFile } from 'node:fs/promises';
import { run, skipWithout } from '../program.js';

/** Of the 198.18.0.0/15 that is kept for tests of networks (RFC 2544); another one for each process. */
const subnet = `198.18.${process.pid % 250}`;
const here = `${subnet}.1`;
const there = `${subnet}.2`;

/** For the `skip` option of a test that needs it. */
export async function skipWithoutNetworks(): Promise<string | false> {
  const missing = skipWithout('ip', 'nsenter');
  if (missing !== false) return missing;
  if (process.getuid?.() !== 0) return 'a network namespace needs root';
  const probe = `coda-probe-${process.pid}`;
  const { code, output } = await run('ip', ['netns', 'add', probe]);
  if (code !== 0) return `no network namespace can be made here: ${output.trim()}`;
  await run('ip', ['netns', 'delete', probe]);
  return false;
}

export class SeparateNetwork {
  /** Where servers in it listen. It stays up when the cable is out, so that they reach one another. */
  readonly host = `${subnet}.9`;
  /** Starts a program in it. */
  readonly through: readonly string[];
  readonly #name = `coda-${process.pid}`;
  readonly #near = `coda${process.pid}g`;
  readonly #far = `coda${process.pid}s`;

  private constructor() {
    this.through = ['nsenter', `--net=/run/netns/${this.#name}`];
  }

  static async make(): Promise<SeparateNetwork> {
    const network = new SeparateNetwork();
    const inside = ['-n', network.#name];
    await ip('netns', 'add', network.#name);
    try {
      const cable = ['type', 'veth', 'peer', 'name', network.#far, 'netns', network.#name];
      await ip('link', 'add', network.#near, ...cable);
      await ip(...inside, 'link', 'set', 'lo', 'up');
      await ip(...inside, 'address', 'add', `${network.host}/32`, 'dev', 'lo');
      await ip(...inside, 'address', 'add', `${there}/30`, 'dev', network.#far);
      await ip('address', 'add', `${here}/30`, 'dev', network.#near);
      await ip('link', 'set', network.#near, 'up');
      await network.plugIn();
      await ip('route', 'add', `${network.host}/32`, 'via', there);
      return network;
    } catch (error) {
      await network.remove();
      throw error;
    }
  }

  async pullOut(): Promise<void> {
    await ip('-n', this.#name, 'link', 'set', this.#far, 'down');
  }

  async plugIn(): Promise<void> {
    await ip('-n', this.#name, 'link', 'set', this.#far, 'up');
  }

  /** Makes the cable slow: so many bits a second to the servers and from them, and a short queue before it. */
  async slowDown(there: string, back: string): Promise<void> {
    const shaped = (rate: string): string[] => ['root', 'tbf', 'rate', rate, 'burst', '4kb', 'limit', '8kb'];
    await tc('qdisc', 'replace', 'dev', this.#near, ...shaped(there));
    await tc('-n', this.#name, 'qdisc', 'replace', 'dev', this.#far, ...shaped(back));
  }

  /** Bytes that have gone through the cable to the servers, headers included. */
  async sent(): Promise<number> {
    return Number(await readFile(`/sys/class/net/${this.#near}/statistics/tx_bytes`, 'utf8'));
  }

  /** With everything in it; the processes must have ended. */
  async remove(): Promise<void> {
    // By itself the cable would stay as long as the kernel has packets to send in there.
    await run('ip', ['link', 'delete', this.#near]);
    await ip('netns', 'delete', this.#name);
  }
}

async function tc(...args: readonly string[]): Promise<void> {
  const { code, output } = await run('tc', args);
  if (code !== 0) throw new Error(`tc ${args.join(' ')} failed: ${output}`);
}

async function ip(...args: readonly string[]): Promise<void> {
  const { code, output } = await run('ip', args);
  if (code !== 0) throw new Error(`ip ${args.join(' ')} failed: ${output}`);
}
