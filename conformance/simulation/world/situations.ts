/** Counts what a run came to: faults, states, outcomes. Of a situation that is never met a simulator proves nothing. */
import { states } from '../../../venus/volume/volume-state.js';
import { silentLog, type Log, type LogFields } from '../../../vice/seam/log.js';

export class Situations {
  readonly #counts = new Map<string, number>();
  readonly #runs = new Map<string, number>();

  count(situation: string, times = 1): void {
    this.#counts.set(situation, (this.#counts.get(situation) ?? 0) + times);
  }

  /** Those of a whole run. */
  add(run: Readonly<Record<string, number>>): void {
    for (const [situation, times] of Object.entries(run)) {
      this.count(situation, times);
      if (times > 0) this.#runs.set(situation, this.runs(situation) + 1);
    }
  }

  /** How many of the runs that were added have met it. */
  runs(situation: string): number {
    return this.#runs.get(situation) ?? 0;
  }

  /** How often those that begin with `words` were met. */
  sum(words: string): number {
    let sum = 0;
    for (const [situation, times] of this.#counts) if (situation.startsWith(words)) sum += times;
    return sum;
  }

  /** In alphabetical order. */
  get all(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** A process' log as a source of situations: what volumes did, and warnings by their text. */
  log(): Log {
    const counted = (message: string, fields: LogFields = {}): void => {
      if (message === 'not taken back') this.count(message);
      if (message === 'volume state')
        this.count(`state ${String(fields['before'])} -> ${String(fields['state'])}`);
    };
    const warned = (message: string, fields?: LogFields): void => {
      counted(message, fields);
      this.count(`warning ${message}`);
    };
    return { ...silentLog, info: counted, warn: warned, error: warned };
  }
}

/**
 * Every way of the table (venus/volume/volume-state.ts) but one: whoever was resolving when the last server went hears
 * at once that nobody answers, so it is over before one is back.
 */
const stateChanges: readonly string[] = states
  .flatMap((from) => states.filter((to) => to !== from).map((to) => `state ${from} -> ${to}`))
  .filter((way) => way !== 'state emulating -> resolving');

/** What a run of the standard size must have met. */
export const required: readonly string[] = [
  ...[
    'kill',
    'pause',
    'cut',
    'delay',
    'reset',
    'lose-reply',
    'lose-request',
    'repeat-request',
    'repeat-push',
    'flush-fails',
    'commit-fails',
    'flip',
    'wall',
    'wipe',
    'room',
    'slow-disk',
    'backup',
  ].map((kind) => `fault ${kind}`),
  ...['fault restore', 'fault mode', 'fault disconnect', 'restored gateway refuses', 'log pending at kill'],
  ...['versions', 'name', 'removal', 'place'].map((kind) => `conflict ${kind}`),
  ...stateChanges,
  ...['applied', 'refused conflict', 'refused stale', 'refused not-found', 'refused exists'].map(
    (outcome) => `mutate ${outcome}`,
  ),
  ...[
    'put',
    'get',
    'list',
    'mkdir',
    'symlink',
    'remove',
    'rename',
    'copy',
    'setprop',
    'chmod',
    'utimes',
    'lock',
  ].map((deed) => `${deed} ok`),
  ...['setacl ok', 'get access-denied', 'conflict protection', 'refused for good'],
  ...['moved across 201', 'moved across 204', 'moved across 207', 'put refused', 'mount published'],
  ...['unmount published', 'lock-volume published', 'unlock-volume published', 'one volume reached'],
  ...['put quota', 'waits for room in root', 'waits for room in annex', 'quota published'],
  ...['fault resolve', 'fault flip-row', 'not taken back', 'warning server given up'],
  ...['half-open', 'later write fails', 'flush-fails damaged', 'commit-fails damaged', 'clone'].map(
    (fault) => `fault ${fault}`,
  ),
  ...[
    'cloned gateway refuses',
    'cloned gateway goes on',
    'contents in part torn',
    'record came twice',
    'warning fetch broke',
  ],
  ...['kept for want of room', 'restored for want of room', 'remove gives up a large tree: ok'],
  ...[
    'grow published',
    'shrink published',
    'move published',
    'server with an old disk',
    'warning old disk of a peer',
  ],
  // Not that they were asked for, but that they came.
  ...[
    'flush no-space',
    'flush damaged',
    'flush in-doubt',
    'commit no-space',
    'commit damaged',
    'reply lost',
    'request lost',
    'request repeated',
    'push repeated',
  ].map((fault) => `struck: ${fault}`),
  'fault one way cut',
  // Rows of vice/volume/certify.ts, as often as they are met.
  ...[
    'create',
    'mkdir',
    'rename',
    'remove',
    'rmdir',
    'store',
    'setprops',
    'setacl',
    'chmod',
    'utimes',
  ].flatMap((op) => [`certify ${op} unseen`, `settled ${op} unseen`]),
  ...[
    'store conflict',
    'store not-found',
    'store stale',
    'store quota',
    'remove conflict',
    'remove not-found',
  ].map((row) => `certify ${row}`),
  ...[
    'rename exists',
    'rename not-found',
    'rename stale',
    'create exists',
    'create stale',
    'mkdir exists',
  ].map((row) => `certify ${row}`),
  ...[
    'create not-found',
    'create access-denied',
    'setprops not-found',
    'setprops stale',
    'rmdir not-empty',
  ].map((row) => `certify ${row}`),
  ...['chmod', 'utimes', 'mkdir', 'remove'].map((op) => `certify ${op} stale`),
  ...['certify store access-denied', 'settled repair unseen'],
  // Rows of vice/resolution/decide.ts.
  ...['missing', 'equal', 'weakly-equal', 'dominant', 'submissive', 'inconsistent'].flatMap((standing) =>
    ['file', 'directory'].map((kind) => `resolve ${kind} ${standing}`),
  ),
  ...['missing', 'equal', 'weakly-equal', 'submissive', 'inconsistent'].flatMap((standing) =>
    ['file', 'directory'].map((kind) => `resolve ${kind} ${standing}, removed`),
  ),
  ...['directory dominant, removed', 'file dominant, removed', 'directory runt'].map(
    (row) => `resolve ${row}`,
  ),
  ...[
    'missing',
    'equal',
    'weakly-equal',
    'equal, removed',
    'weakly-equal, removed',
    'submissive, removed',
  ].map((row) => `resolve symlink ${row}`),
  // Rows of vice/interface/merge.ts. Two more need three people who decide, or two updates that are forgotten.
  ...['version', 'place', 'list'].flatMap((what) =>
    [`${what} taken`, `${what} replaced`, `${what}s made apart`].map((row) => `merge ${row}`),
  ),
  ...['removal learned', 'removal taken back', 'removed apart', 'update survives removal'].map(
    (row) => `merge ${row}`,
  ),
  ...['version given up', 'version hidden by a removal', 'version of a forgotten update'].map(
    (row) => `merge ${row}`,
  ),
  'merge attribute set twice',
  ...['l', 'meta', 'location/realm', 'protection/gateway'].map((table) => `flipped one of two: ${table}`),
  'warning damaged volume record taken from its copy',
  ...['unlock ok', 'repair ok', 'put changed', 'put unreachable', 'get unreachable', 'put no-space'],
];
