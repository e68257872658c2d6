/**
 * A network of its own for each role (a namespace of the kernel's), all on one switch (a bridge), where what one sends
 * to another can be dropped in one direction or in both. The test itself reaches everybody always.
 */
import { run, skipWithout } from '../program.js';
import { skipWithoutNetworks } from '../semantics/separate-network.js';

/** Of the 198.18.0.0/15 that is kept for tests of networks (RFC 2544); another one for each process. */
const subnet = `198.18.${process.pid % 250}`;
const here = `${subnet}.1`;

/** For the `skip` option of a test that needs it. */
export async function skipWithoutSwitchboard(): Promise<string | false> {
  const missing = skipWithout('nft');
  return missing === false ? skipWithoutNetworks() : missing;
}

export class Switchboard {
  readonly #names: readonly string[];
  readonly #bridge = `coda${process.pid}b`;

  private constructor(names: readonly string[]) {
    this.#names = names;
  }

  static async make(names: readonly string[]): Promise<Switchboard> {
    const board = new Switchboard(names);
    try {
      await ip('link', 'add', board.#bridge, 'type', 'bridge');
      await ip('address', 'add', `${here}/24`, 'dev', board.#bridge);
      await ip('link', 'set', board.#bridge, 'up');
      for (const name of names) await board.#connect(name);
      return board;
    } catch (error) {
      await board.remove();
      throw error;
    }
  }

  address(name: string): string {
    return `${subnet}.${11 + this.#names.indexOf(name)}`;
  }

  /** Starts a program in the network of `name`. */
  through(name: string): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.#space(name)}`];
  }

  /** What `from` sends to `to` vanishes; the other direction is left alone. */
  async cut(from: string, to: string): Promise<void> {
    await this.#nft(to, `add rule ip coda input ip saddr ${this.address(from)} drop`);
  }

  /** Everything arrives again. */
  async heal(): Promise<void> {
    for (const name of this.#names) await this.#nft(name, 'flush chain ip coda input');
  }

  /** With everything in it; the processes must have ended. */
  async remove(): Promise<void> {
    for (const name of this.#names) await run('ip', ['netns', 'delete', this.#space(name)]);
    await run('ip', ['link', 'delete', this.#bridge]);
  }

  async #connect(name: string): Promise<void> {
    const space = this.#space(name);
    const near = `coda${process.pid}${name}`;
    await ip('netns', 'add', space);
    await ip('link', 'add', near, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
    await ip('link', 'set', near, 'master', this.#bridge, 'up');
    await ip('-n', space, 'link', 'set', 'lo', 'up');
    await ip('-n', space, 'address', 'add', `${this.address(name)}/24`, 'dev', 'eth0');
    await ip('-n', space, 'link', 'set', 'eth0', 'up');
    await must(
      'sysctl',
      ['-qw', 'net.ipv4.conf.all.route_localnet=1', 'net.ipv4.conf.eth0.route_localnet=1'],
      this.through(name),
    );
    // Gateways listen on the loopback alone; what the test sends them is led there.
    const led = `iifname eth0 ip saddr ${here} tcp dport 1-65535 dnat to 127.0.0.1`;
    await this.#nft(name, 'add table ip coda');
    await this.#nft(name, 'add chain ip coda input { type filter hook input priority 0 ; }');
    await this.#nft(name, 'add chain ip coda arrival { type nat hook prerouting priority -100 ; }');
    if (name.startsWith('g')) await this.#nft(name, `add rule ip coda arrival ${led}`);
  }

  async #nft(name: string, command: string): Promise<void> {
    await must('nft', [command], this.through(name));
  }

  #space(name: string): string {
    return `coda-${process.pid}-${name}`;
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await must('ip', args);
}

async function must(
  program: string,
  args: readonly string[],
  through: readonly string[] = [],
): Promise<void> {
  const [first = program, ...rest] = [...through, program, ...args];
  const { code, output } = await run(first, rest);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${output}`);
}
