/**
 * Seed -> scenario. The generator never looks at a running realm: it keeps a rough picture of the tree, as if all that
 * is done succeeded at once and everywhere, so that most names exist; taking steps out of a scenario changes no other.
 *
 * Each seed draws its own mixture (swarm testing, Groce et al. 2012): some faults are frequent, most are off.
 */
import { seededRandom } from '../../../vice/seam/twin/seeded-random.js';
import type { Deed, Fault, Scenario, Step } from './scenario.js';

const users = ['ann', 'bob', 'cid'] as const;
const names = ['a', 'b.txt', 'c', 'd'] as const;
const directories = ['', 'x', 'y', 'x/z'] as const;
const depthMost = 4;

type FaultKind =
  | 'kill'
  | 'power'
  | 'pause'
  | 'cut'
  | 'one-way'
  | 'island'
  | 'delay'
  | 'reset'
  | 'reply'
  | 'disk'
  | 'flip'
  | 'wall'
  | 'wipe'
  | 'restore'
  | 'mode'
  | 'plan';
const faultKinds: readonly FaultKind[] = [
  ...(['kill', 'power', 'pause', 'cut', 'one-way', 'island', 'delay', 'reset', 'reply', 'disk'] as const),
  ...(['flip', 'wall', 'wipe', 'restore', 'mode', 'plan'] as const),
];

export function generate(seed: number): Scenario {
  return new Generator(seed).scenario();
}

class Generator {
  readonly #random;
  readonly #seed: number;
  readonly #servers: readonly string[];
  readonly #gateways: readonly string[];
  readonly #sessions: readonly string[];
  readonly #kinds: readonly FaultKind[];
  readonly #faultRate: number;
  /** Paths of the rough picture; true: a directory. */
  readonly #tree = new Map<string, boolean>();
  readonly #steps: Step[] = [];
  readonly #down = new Set<string>();
  readonly #paused = new Set<string>();
  readonly #cut = new Set<string>();
  readonly #backups = new Set<string>();
  /** At most one copy of anything is spoilt at a time, so that a good one is left. */
  #spoilt: string | undefined;
  #locks = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    const range = (letter: string, count: number): string[] =>
      Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    this.#servers = range('s', this.#pick([3, 3, 3, 4, 5]));
    this.#gateways = range('g', this.#pick([2, 2, 3]));
    this.#sessions = this.#gateways.flatMap((gateway) =>
      users.filter(() => this.#chance(0.6)).map((user) => `${gateway}/${user}`),
    );
    if (this.#sessions.length < 2) this.#sessions = this.#gateways.map((gateway) => `${gateway}/ann`);
    this.#kinds = faultKinds.filter(() => this.#chance(0.35));
    this.#faultRate = this.#kinds.length === 0 || this.#chance(0.1) ? 0 : this.#pick([0.05, 0.12, 0.25]);
    for (const path of directories) this.#tree.set(path, true);
  }

  scenario(): Scenario {
    const [first = 'g1/ann'] = this.#sessions;
    for (const path of directories.slice(1)) this.#add({ do: 'mkdir', by: first, path }, 50);
    const length = this.#pick([40, 60, 90]);
    while (this.#steps.length < length) {
      if (this.#chance(this.#faultRate)) this.#fault(this.#pick(this.#kinds));
      else this.#deed(this.#pick(this.#sessions));
      if (this.#chance(0.03)) this.#probe();
    }
    const { length: servers } = this.#servers;
    return { seed: this.#seed, servers, gateways: this.#gateways.length, steps: this.#steps };
  }

  /** Everybody has heard of everything; then one looks. */
  #probe(): void {
    const path = this.#someFile();
    const [writer, reader] = [this.#pick(this.#sessions), this.#pick(this.#sessions)];
    this.#add({ do: 'get', by: reader, path }, 500);
    this.#add({ do: 'put', by: writer, path, bytes: 30 }, 12_000);
    this.#add({ do: 'get', by: reader, path }, 10);
  }

  #deed(by: string): void {
    const dice = this.#random.fraction();
    const path = this.#someFile();
    const any = this.#chance(0.25) ? this.#someDirectory() : path;
    const deed = ((): Deed => {
      if (dice < 0.32)
        return { do: 'put', by, path, bytes: this.#pick([0, 12, 40, 300, 300, 70_000, 300_000]) };
      if (dice < 0.5) return { do: 'get', by, path };
      if (dice < 0.55) return { do: 'list', by, path: this.#someDirectory() };
      if (dice < 0.61) return { do: 'mkdir', by, path: this.#newPath() };
      if (dice < 0.69) return { do: 'remove', by, path: any };
      if (dice < 0.8)
        return { do: 'rename', by, path: any, to: this.#chance(0.5) ? this.#someFile() : this.#newPath() };
      if (dice < 0.84) return { do: 'copy', by, path, to: this.#newPath() };
      if (dice < 0.89)
        return {
          do: 'setprop',
          by,
          path: any,
          name: `{x}p${this.#below(3)}`,
          value: `<v>${this.#steps.length}</v>`,
        };
      if (dice < 0.91) return { do: 'chmod', by, path: any, mode: this.#pick([0o600, 0o644, 0o755]) };
      if (dice < 0.93) return { do: 'utimes', by, path, time: 1_000_000_000_000 + this.#steps.length };
      if (dice < 0.94) return { do: 'symlink', by, path: this.#newPath(), target: 'a' };
      if (dice < 0.96) return { do: 'lock', by, path, token: `t${(this.#locks += 1)}` };
      if (dice < 0.97) return { do: 'unlock', by, token: `t${1 + this.#below(Math.max(1, this.#locks))}` };
      return { do: 'repair', by, path: any, pick: this.#chance(0.4) ? 'all' : this.#random.fraction() };
    })();
    this.#imagine(deed);
    this.#add(deed, this.#pick([0, 0, 1, 2, 5, 20, 20, 100, 1000]));
  }

  #imagine(deed: Deed): void {
    const move = (from: string, to: string): void => {
      for (const [path, isDirectory] of [...this.#tree]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue;
        this.#tree.delete(path);
        if (to !== '') this.#tree.set(to + path.slice(from.length), isDirectory);
      }
    };
    if (deed.do === 'put' || deed.do === 'symlink') this.#tree.set(deed.path, false);
    else if (deed.do === 'mkdir') this.#tree.set(deed.path, true);
    else if (deed.do === 'copy') this.#tree.set(deed.to, false);
    else if (deed.do === 'remove') move(deed.path, '');
    else if (deed.do === 'rename' && !`${deed.to}/`.startsWith(`${deed.path}/`)) move(deed.path, deed.to);
  }

  #fault(kind: FaultKind): void {
    const ms = this.#pick([0, 0, 3, 20, 500, 3000, 6000]);
    const all = [...this.#servers, ...this.#gateways];
    const at = this.#pick(all);
    // What is broken is mended about as often as something breaks.
    if (this.#down.size > 0 && this.#chance(0.45)) return this.#start(this.#pick([...this.#down]), ms);
    if (this.#paused.size > 0 && this.#chance(0.5)) return this.#resume(this.#pick([...this.#paused]), ms);
    if (this.#cut.size > 0 && this.#chance(0.4)) return this.#heal(ms);
    switch (kind) {
      case 'kill':
      case 'power':
        return this.#kill(at, kind === 'power', ms);
      case 'pause':
        if (this.#down.has(at)) return;
        this.#paused.add(at);
        return this.#add({ do: 'pause', at }, ms);
      case 'cut':
      case 'one-way':
        return this.#cutOff(at, this.#pick(all), kind === 'one-way', ms);
      case 'island':
        return this.#island(ms);
      case 'delay':
        return this.#add(
          { do: 'delay', from: at, to: this.#pick(all), late: this.#pick([0, 50, 400, 3000]) },
          ms,
        );
      case 'reset':
        return this.#add({ do: 'reset', from: at, to: this.#pick(all) }, ms);
      case 'reply':
        return this.#add(
          { do: 'lose-reply', from: this.#pick(this.#servers), to: this.#pick(this.#gateways) },
          ms,
        );
      case 'wall':
        return this.#add(
          { do: 'wall', at, ahead: this.#pick([-31_536_000_000, -3_600_000, 3_600_000, 315_360_000_000]) },
          ms,
        );
      case 'mode':
        return this.#add(
          {
            do: 'mode',
            at: this.#pick(this.#gateways),
            mode: this.#pick(['write-through', 'write-disconnected']),
          },
          ms,
        );
      case 'plan':
        return this.#add(
          { do: this.#pick(['disconnect', 'reconnect', 'reconnect']), at: this.#pick(this.#gateways) },
          ms,
        );
      default:
        return this.#spoil(kind, at, ms);
    }
  }

  /** Faults of disks. */
  #spoil(kind: 'disk' | 'flip' | 'wipe' | 'restore', at: string, ms: number): void {
    if (kind === 'disk') {
      const fault: Fault = this.#chance(0.4)
        ? { do: 'commit-fails', at }
        : { do: 'flush-fails', at, fault: this.#pick(['no-space', 'damaged']) };
      return this.#add(fault, ms);
    }
    if (kind === 'restore') {
      const gateway = this.#pick(this.#gateways);
      this.#kill(gateway, false, 0);
      this.#add({ do: this.#backups.has(gateway) ? 'restore' : 'backup', at: gateway }, 0);
      this.#backups.add(gateway);
      return this.#start(gateway, ms);
    }
    const server = this.#pick(this.#servers);
    this.#spoilt ??= server;
    if (kind === 'flip')
      return this.#add({ do: 'flip', at: this.#spoilt, pick: this.#random.fraction() }, ms);
    if (!this.#down.has(this.#spoilt)) this.#kill(this.#spoilt, true, 0);
    this.#add({ do: 'wipe', at: this.#spoilt }, ms);
  }

  #kill(at: string, silent: boolean, ms: number): void {
    if (this.#down.has(at)) return;
    // Just when a change was answered, as often as not.
    const own = this.#sessions.filter((session) => session.startsWith(`${at}/`));
    if (own.length > 0 && this.#chance(0.6)) {
      const deed = { do: 'put', by: this.#pick(own), path: this.#someFile(), bytes: 300 } as const;
      this.#add(deed, this.#pick([3, 5, 6, 7, 9, 12]));
    }
    this.#down.add(at);
    this.#paused.delete(at);
    this.#add({ do: 'kill', at, silent, keepsRunning: this.#chance(0.5) }, ms);
  }

  #start(at: string, ms: number): void {
    this.#down.delete(at);
    this.#add({ do: 'start', at }, ms);
  }

  #resume(at: string, ms: number): void {
    this.#paused.delete(at);
    this.#add({ do: 'resume', at }, ms);
  }

  #cutOff(from: string, to: string, oneWay: boolean, ms: number): void {
    if (from === to) return;
    const ways: readonly (readonly [string, string])[] = oneWay
      ? [[from, to]]
      : [
          [from, to],
          [to, from],
        ];
    for (const [one, other] of ways) {
      this.#cut.add(`${one} ${other}`);
      this.#add({ do: 'cut', from: one, to: other }, one === from && !oneWay ? 0 : ms);
    }
  }

  /** A gateway loses all servers, works on its own for a while, and (as a rule) finds them again. */
  #island(ms: number): void {
    const gateway = this.#pick(this.#gateways);
    for (const server of this.#servers) this.#cutOff(gateway, server, false, 0);
    this.#add({ do: 'list', by: this.#pick(this.#sessions), path: '' }, this.#pick([0, 3000, 6000]));
    const own = this.#sessions.filter((session) => session.startsWith(`${gateway}/`));
    for (let deeds = this.#below(6); deeds > 0; deeds -= 1)
      this.#deed(this.#pick(own.length > 0 ? own : this.#sessions));
    if (this.#chance(0.3)) {
      this.#kill(gateway, false, 0);
      this.#start(gateway, 0);
    }
    if (this.#chance(0.5)) this.#heal(ms, gateway);
  }

  /** Of one host all ways. */
  #heal(ms: number, host = this.#pick([...this.#cut]).split(' ')[0] ?? ''): void {
    for (const way of [...this.#cut]) {
      const [from = '', to = ''] = way.split(' ');
      if (from !== host && to !== host) continue;
      this.#cut.delete(way);
      this.#add({ do: 'heal', from, to }, 0);
    }
    this.#add({ do: 'list', by: this.#pick(this.#sessions), path: '' }, ms);
  }

  #someFile(): string {
    const files = [...this.#tree].flatMap(([path, isDirectory]) => (isDirectory ? [] : [path]));
    return files.length > 0 && this.#chance(0.75) ? this.#pick(files) : this.#newPath();
  }

  #someDirectory(): string {
    return this.#pick(
      [...this.#tree]
        .flatMap(([path, isDirectory]) => (isDirectory && path !== '' ? [path] : []))
        .concat('x'),
    );
  }

  #newPath(): string {
    const parents = [...this.#tree].flatMap(([path, isDirectory]) =>
      isDirectory && path.split('/').length < depthMost ? [path] : [],
    );
    const parent = this.#pick([...parents, '']);
    const name = this.#pick(names);
    return parent === '' ? name : `${parent}/${name}`;
  }

  #add(step: Deed | Fault, ms: number): void {
    this.#steps.push({ ...step, ms });
  }

  #chance(probability: number): boolean {
    return this.#random.fraction() < probability;
  }

  #below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  #pick<T>(choices: readonly T[]): T {
    const choice = choices[this.#below(choices.length)];
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }
}
