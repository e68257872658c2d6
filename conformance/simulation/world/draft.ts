/**
 * A scenario being made: its dice, a rough picture of the tree (as if all that is done succeeded at once and
 * everywhere, so that most names exist), and what is broken so far, so that it can be mended. Taking steps out of a
 * scenario changes no other.
 */
import { seededRandom } from '../../../vice/seam/twin/seeded-random.js';
import type { Deed, Fault, Step, Topology, VolumeName } from './scenario.js';
import { mountedAt } from './volumes.js';

const users = ['ann', 'bob', 'cid'] as const;
const names = ['a', 'b.txt', 'c', 'd'] as const;
const directories = ['x', 'y', 'x/z'] as const;
const depthMost = 4;

export interface DraftOptions {
  readonly seed: number;
  readonly servers: readonly number[];
  readonly gateways: readonly number[];
  /** How many files and directories nearly all is done to; fewer: more contention. */
  readonly hot: number;
  readonly holding?: readonly number[];
  /** A second volume is mounted in the tree. */
  readonly hasAnnex?: boolean;
  /** Milliseconds between deeds, one of these. */
  readonly pauses: readonly number[];
}

export class Draft {
  readonly servers: readonly string[];
  readonly gateways: readonly string[];
  /** Servers that have a replica if all orders are carried out; undefined: all have one, for ever. */
  readonly group: Set<string> | undefined;
  readonly holding: number | undefined;
  readonly volumes: Topology['volumes'];
  readonly sessions: readonly string[];
  readonly steps: Step[] = [];
  readonly #random;
  readonly #options: DraftOptions;
  /** Paths of the rough picture; true: a directory. */
  readonly #tree = new Map<string, boolean>([['', true]]);
  /** What mends each thing that is broken. */
  readonly #mending = new Map<string, Fault>();
  #locks = 0;
  /** Where the second volume is seen, if all succeeds. */
  #mounted: string | undefined;

  constructor(options: DraftOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    const range = (letter: string, count: number): string[] =>
      Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    this.servers = range('s', this.pick(options.servers));
    this.holding = options.holding === undefined ? undefined : this.pick(options.holding);
    this.group = this.holding === undefined ? undefined : new Set(this.servers.slice(0, this.holding));
    this.gateways = range('g', this.pick(options.gateways));
    this.sessions = this.gateways.flatMap((gateway) => {
      const own = users.filter(() => this.chance(0.6));
      return (own.length > 0 ? own : users.slice(0, 1)).map((user) => `${gateway}/${user}`);
    });
    const [first = 'g1/ann'] = this.sessions;
    this.volumes = options.hasAnnex === true ? this.#twoVolumes() : undefined;
    if (this.volumes !== undefined) {
      this.deed({ do: 'mkdir', by: first, path: mountedAt.first }, 100);
      this.mounts(mountedAt.first, 300);
      this.deed({ do: 'put', by: first, path: `${mountedAt.first}/a`, bytes: 40 }, 20);
      this.deed({ do: 'mkdir', by: first, path: `${mountedAt.first}/x` }, 20);
    }
    for (const path of directories) this.deed({ do: 'mkdir', by: first, path }, 20);
    for (const path of ['a', 'x/a']) this.deed({ do: 'put', by: first, path, bytes: 40 }, 20);
  }

  add(step: Deed | Fault, ms: number): void {
    this.steps.push({ ...step, ms });
  }

  /** Time in which nobody does anything. */
  wait(ms: number): void {
    this.add({ do: 'wait' }, ms);
  }

  deed(deed: Deed, ms = this.pause()): void {
    this.#imagine(deed);
    this.add(deed, ms);
  }

  pause(): number {
    return this.pick(this.#options.pauses);
  }

  /** A fault that lasts until `mend` does what undoes it. */
  breaks(what: string, fault: Fault, mending: Fault, ms: number): void {
    if (this.#mending.has(what)) return;
    this.#mending.set(what, mending);
    this.add(fault, ms);
  }

  /** Mends one thing, or all. */
  mend(what?: string, ms = 0): void {
    for (const [key, fault] of [...this.#mending]) {
      if (what !== undefined && key !== what) continue;
      this.#mending.delete(key);
      this.add(fault, ms);
    }
  }

  isBroken(what: string): boolean {
    return this.#mending.has(what);
  }

  sessionsOf(gateway: string): readonly string[] {
    return this.sessions.filter((session) => session.startsWith(`${gateway}/`));
  }

  sessionOf(gateway: string): string {
    return this.pick(this.sessionsOf(gateway));
  }

  token(isNew: boolean): string {
    if (isNew) this.#locks += 1;
    return `t${isNew ? this.#locks : 1 + this.below(Math.max(1, this.#locks))}`;
  }

  /** Mostly one of the few that everybody uses. */
  file(): string {
    const files = this.#those(false);
    return files.length > 0 && this.chance(0.85) ? this.pick(files.slice(0, this.#options.hot)) : this.name();
  }

  directory(): string {
    const found = this.#those(true).filter((path) => path !== '');
    return found.length > 0 ? this.pick(found.slice(0, this.#options.hot + 1)) : 'x';
  }

  /** Where something may be made. */
  name(): string {
    const parents = this.#those(true).filter((path) => path.split('/').length < depthMost);
    return below(this.pick(parents.slice(0, this.#options.hot + 1)), this.pick(names));
  }

  nameIn(directory: string): string {
    return below(directory, this.pick(names));
  }

  /** Servers that hold a volume. */
  serversOf(volume: VolumeName): readonly string[] {
    return this.volumes?.[volume] ?? this.servers;
  }

  get mounted(): string {
    return this.#mounted ?? mountedAt.first;
  }

  mounts(path: string, ms: number): void {
    this.#mounted = path;
    this.add({ do: 'mount', path }, ms);
  }

  fileOf(volume: VolumeName): string {
    const files = this.#those(false).filter((path) => this.#isIn(path, volume));
    return files.length > 0 && this.chance(0.85) ? this.pick(files) : this.nameOf(volume);
  }

  /** Not the one that the second volume is mounted on. */
  directoryOf(volume: VolumeName): string {
    const found = this.#those(true).filter(
      (path) => path !== '' && path !== this.mounted && this.#isIn(path, volume),
    );
    return found.length > 0 ? this.pick(found) : volume === 'root' ? 'x' : `${this.mounted}/x`;
  }

  /** Where something may be made. */
  nameOf(volume: VolumeName): string {
    const top = volume === 'root' ? '' : this.mounted;
    return below(this.chance(0.6) ? top : this.directoryOf(volume), this.pick(names));
  }

  #isIn(path: string, volume: VolumeName): boolean {
    return (path === this.mounted || path.startsWith(`${this.mounted}/`)) === (volume === 'annex');
  }

  /** Some servers may hold both. */
  #twoVolumes(): NonNullable<Topology['volumes']> {
    const count = Math.max(2, Math.ceil(this.servers.length / 2));
    const annex = this.servers.slice(this.pick([count - 1, count - 1, count]));
    return { root: this.servers.slice(0, count), annex };
  }

  number(): number {
    return this.steps.length;
  }

  chance(probability: number): boolean {
    return this.#random.fraction() < probability;
  }

  below(bound: number): number {
    return Math.floor(this.#random.fraction() * bound);
  }

  fraction(): number {
    return this.#random.fraction();
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error('nothing to choose from');
    return choice;
  }

  /** Two different ones. */
  pair(choices: readonly string[]): readonly [string, string] {
    const one = this.pick(choices);
    const others = choices.filter((choice) => choice !== one);
    return [one, others.length > 0 ? this.pick(others) : one];
  }

  #those(areDirectories: boolean): readonly string[] {
    return [...this.#tree].flatMap(([path, isDirectory]) => (isDirectory === areDirectories ? [path] : []));
  }

  #imagine(deed: Deed): void {
    const move = (from: string, to: string): void => {
      // A directory with a volume on it, or in it, is not removed; it may be moved, but into no other volume.
      if (this.#mounted !== undefined && `${this.#mounted}/`.startsWith(`${from}/`)) {
        if (to === '' || this.#isIn(to, 'annex')) return;
        this.#mounted = to + this.#mounted.slice(from.length);
      }
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
}

function below(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
