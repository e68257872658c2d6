/**
 * One run as a value: what the realm is, and every step that users, disks, processes and the network take in it. A seed
 * makes a scenario (generator.ts), a player plays it (player.ts); a failing one is kept as a file, because what a
 * seed means changes with the generator.
 */

/**
 * What a user does, in a session on one gateway: the name of the gateway, '/', his own; with '#' and a number one more
 * of his requests there, beside the others.
 */
export type Deed =
  | { readonly do: 'put'; readonly by: string; readonly path: string; readonly bytes: number }
  /** Half of a body, then nothing more: its author has given it up. */
  | { readonly do: 'give-up'; readonly by: string; readonly path: string; readonly bytes: number }
  | { readonly do: 'get'; readonly by: string; readonly path: string }
  | { readonly do: 'list'; readonly by: string; readonly path: string }
  | { readonly do: 'mkdir'; readonly by: string; readonly path: string }
  | { readonly do: 'symlink'; readonly by: string; readonly path: string; readonly target: string }
  | { readonly do: 'remove'; readonly by: string; readonly path: string }
  | { readonly do: 'rename'; readonly by: string; readonly path: string; readonly to: string }
  | { readonly do: 'copy'; readonly by: string; readonly path: string; readonly to: string }
  | {
      readonly do: 'setprop';
      readonly by: string;
      readonly path: string;
      readonly name: string;
      readonly value: string;
    }
  | { readonly do: 'chmod'; readonly by: string; readonly path: string; readonly mode: number }
  /** The access list of a directory: `bob:rl cid:none`, and all rights for ann; empty: that from above. */
  | { readonly do: 'setacl'; readonly by: string; readonly path: string; readonly list: string }
  | { readonly do: 'utimes'; readonly by: string; readonly path: string; readonly time: number }
  | { readonly do: 'lock'; readonly by: string; readonly path: string; readonly token: string }
  | { readonly do: 'unlock'; readonly by: string; readonly token: string }
  /** Decides the conflict at `path`: all is kept, or the version that `pick` (0 to 1) says. */
  | { readonly do: 'repair'; readonly by: string; readonly path: string; readonly pick: number | 'all' };

/**
 * Rows of a server: objects, names, figures that follow from others; `all` that say something of one object. `twice`:
 * one of the two of what stands twice, at a server or in the log of a gateway.
 */
export type Rows = 'objects' | 'names' | 'figures' | 'all' | 'twice';

/** What an operator or the world does. */
export type Fault =
  | { readonly do: 'mode'; readonly at: string; readonly mode: 'write-through' | 'write-disconnected' }
  | { readonly do: 'disconnect' | 'reconnect'; readonly at: string }
  | { readonly do: 'kill'; readonly at: string; readonly silent: boolean; readonly keepsRunning: boolean }
  | { readonly do: 'start'; readonly at: string }
  | { readonly do: 'pause' | 'resume'; readonly at: string }
  | { readonly do: 'cut' | 'heal'; readonly from: string; readonly to: string }
  | { readonly do: 'delay'; readonly from: string; readonly to: string; readonly late: number }
  | { readonly do: 'reset'; readonly from: string; readonly to: string }
  /** The next call of `from` to server `to`, or what the server answers to the next one, is lost. */
  | { readonly do: 'lose-request' | 'lose-reply'; readonly from: string; readonly to: string }
  /** The next call, or the next that server `from` tells `to` unasked, comes again so many milliseconds later. */
  | {
      readonly do: 'repeat-request' | 'repeat-push';
      readonly from: string;
      readonly to: string;
      readonly late: number;
    }
  /** One of the next flushes fails: the first, or the one after so many that do not. */
  | {
      readonly do: 'flush-fails';
      readonly at: string;
      /** In doubt: it is there or not, and nothing can be written any more until a restart. */
      readonly fault: 'no-space' | 'damaged' | 'in-doubt';
      readonly after?: number;
    }
  /** The disk has room for so many bytes more; null: for as many as one likes. */
  | { readonly do: 'room'; readonly at: string; readonly bytes: number | null }
  /** Each write that must reach the disk takes so many milliseconds more; 0: no more. */
  | { readonly do: 'slow-disk'; readonly at: string; readonly late: number }
  /** Time passes, nothing else. */
  | { readonly do: 'wait' }
  /** The same of a commit of contents, for want of room where nothing is said; damaged: until a restart. */
  | {
      readonly do: 'commit-fails';
      readonly at: string;
      readonly fault?: 'no-space' | 'damaged';
      readonly after?: number;
    }
  /** One bit of one of the containers on its disk flips: the newest (0) to the oldest (1); where in it, 0 to 1. */
  | { readonly do: 'flip'; readonly at: string; readonly pick: number; readonly where?: number }
  /**
   * One bit of one of the rows of its store flips; which one, where in it, 0 to 1. Of a gateway: of what it has cached.
   */
  | {
      readonly do: 'flip-row';
      readonly at: string;
      readonly of?: Rows;
      readonly pick: number;
      readonly where: number;
    }
  | { readonly do: 'wall'; readonly at: string; readonly ahead: number }
  /** The server is dead, its disk is lost: it comes back with an empty one. */
  | { readonly do: 'wipe'; readonly at: string }
  /** A copy of a dead gateway's disk is kept; later it is put back in the place of the newer one. */
  | { readonly do: 'backup'; readonly at: string }
  | { readonly do: 'restore'; readonly at: string; readonly isElsewhere?: boolean }
  /** A dead gateway gets a copy of the disk of another one, and may say that it is that one. */
  | { readonly do: 'clone'; readonly at: string; readonly from: string; readonly isCalledSo?: boolean }
  /** A server is told to resolve one directory. */
  | { readonly do: 'resolve'; readonly at: string; readonly path: string }
  /** An administrator wants a replica at this server, or none any more, or at another one in its place. */
  | { readonly do: 'grow' | 'shrink'; readonly at: string }
  | { readonly do: 'move'; readonly from: string; readonly to: string }
  /** An administrator lets a volume be read only, or lets it be changed again. */
  | { readonly do: 'lock-volume' | 'unlock-volume'; readonly volume: VolumeName }
  /** What its files may have together; null: as much as they like. */
  | { readonly do: 'quota'; readonly volume: VolumeName; readonly bytes: number | null }
  /** He takes the second volume out of the tree, or lets it be seen in the place of this directory. */
  | { readonly do: 'unmount' }
  | { readonly do: 'mount'; readonly path: string };

/** `ms`: time that passes before the next step. */
export type Step = (Deed | Fault) & { readonly ms: number };

/** The realm's root volume, or the second one, where there is one. */
export type VolumeName = 'root' | 'annex';

export interface Topology {
  readonly servers: number;
  readonly gateways: number;
  /** How many of the servers hold a replica at first; absent: all, and the group never changes. */
  readonly holding?: number | undefined;
  /** Milliseconds for which servers remember what was removed; absent: longer than any run. */
  readonly graceMs?: number | undefined;
  /** There is a second volume: which servers hold each of the two. */
  readonly volumes?: Readonly<Record<VolumeName, readonly string[]>> | undefined;
}

export interface Scenario extends Topology {
  /** Of latencies, identities and jitter. */
  readonly seed: number;
  readonly steps: readonly Step[];
}

/** A scenario that has failed once. */
export interface StoredScenario extends Scenario {
  readonly format: 1;
  /** What it showed, in a sentence or two. */
  readonly story: string;
  /** `holds`: mended, must never fail again. `broken`: a known fault; when it holds, this is to be changed. */
  readonly expect: 'holds' | 'broken';
  /** The law that it broke. */
  readonly law: string;
}

const deeds: ReadonlySet<string> = new Set<Deed['do']>([
  ...(['put', 'get', 'list', 'mkdir', 'symlink', 'remove', 'rename', 'copy', 'setprop', 'chmod'] as const),
  ...(['utimes', 'setacl', 'lock', 'unlock', 'repair', 'give-up'] as const),
]);

export function isDeed(step: Step): step is Deed & { readonly ms: number } {
  return deeds.has(step.do);
}

/** The last name of a path. */
export function lastNameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** In the notation of the traces: `g1/ann put a/b 20`. */
export function wordsOf(step: (Deed | Fault) & { readonly ms?: number }): string {
  const { do: verb, ms: _ms, ...rest } = step;
  if ('by' in rest) {
    const { by, ...others } = rest;
    return [by, verb, ...Object.values(others)].join(' ');
  }
  return [verb, ...Object.values(rest).map(String)].join(' ');
}
