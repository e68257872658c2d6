/**
 * One replica catches up with one peer's replica: reads the peer's changes since the last time, page by
 * page, and pulls what it lacks. Interrupted anywhere it starts again at its durable mark; doing it twice
 * changes nothing.
 *
 * CU-1  The durable mark stands before the first change that is not settled: a restart looks at it again.
 * CU-2  What is not settled is looked at again at every catch-up, together with what is new.
 */
import { Failure, type Fid, type Result } from '../interface/index.js';
import { ask } from './ask.js';
import type { Held } from './decide.js';
import { pull, type PullOutcome, type PullSource, type PullWorld, type Subject } from './pull.js';

/** How far a peer's changes have been read; in memory. */
export interface Progress extends Mark {
  /**
   * Inconsistent objects and those that wait for what belongs to them: to be asked for again. A tombstone
   * cannot be asked for, so it is kept.
   */
  readonly open: ReadonlyMap<Fid, Held | 'ask'>;
  readonly inconsistent: ReadonlySet<Fid>;
}

/** A moment in the history of a peer's replica. */
interface Mark {
  readonly incarnation: string;
  readonly stamp: number;
}

export interface CaughtUp {
  readonly installed: number;
  readonly progress: Progress;
}

const pageSize = 200;
/** More open objects than this are not kept in memory: the durable mark has them read again. */
const openMax = 10_000;

/**
 * `peer` is the replica id at the other end of `source.link`, `last` what the last catch-up came to.
 * @throws Failure unreachable, timeout, incompatible
 */
export async function catchUp(
  world: PullWorld,
  source: PullSource,
  peer: string,
  last: Progress | undefined,
): Promise<CaughtUp> {
  const { replica } = world;
  let progress = last ?? beginning(replica.caughtUp(peer));
  let installed = 0;
  for (;;) {
    const page = await readPage(world, source, peer, progress);
    if (page.incarnation !== progress.incarnation) {
      // Another history: what was read of the old one says nothing about this one.
      const wasAtStart = progress.stamp === 0;
      progress = beginning({ incarnation: page.incarnation, stamp: 0 });
      if (!wasAtStart) continue;
    }
    const subjects = new Map<Fid, Subject>(progress.open);
    for (const { status, removed } of page.changes) subjects.set(status.fid, { status, removed });
    const outcome = await pull(world, source, subjects);
    installed += outcome.installed;
    progress = progressAfter(progress, page.upTo, subjects, outcome);
    if (progress.open.size === 0) {
      const { incarnation, stamp } = progress;
      await replica.setCaughtUp(peer, { incarnation, stamp });
    }
    if (!page.more) return { installed, progress };
    if (progress.open.size > openMax) {
      const open = progress.open.size;
      world.log.error('too many unsettled objects', { volume: replica.volume, peer, open });
      return { installed, progress: beginning(replica.caughtUp(peer)) };
    }
  }
}

async function readPage(
  world: PullWorld,
  source: PullSource,
  peer: string,
  { incarnation, stamp }: Mark,
): Promise<Result<'changes'>> {
  const argument = { volume: world.replica.volume, since: stamp, incarnation, limit: pageSize };
  const page = await ask(source.link, 'changes', argument, world.signal);
  if (page.replica !== peer) throw incompatible(`replica ${page.replica} answers for ${peer}`);
  if (page.more && page.upTo <= stamp) throw incompatible('a peer has more changes but does not move on');
  return page;
}

function incompatible(message: string): Failure {
  return new Failure('incompatible', 'resolution.changes', message);
}

function progressAfter(
  before: Progress,
  upTo: number,
  subjects: ReadonlyMap<Fid, Subject>,
  outcome: PullOutcome,
): Progress {
  const open = new Map<Fid, Held | 'ask'>();
  for (const fid of [...outcome.inconsistent, ...outcome.unresolved]) {
    const subject = subjects.get(fid);
    open.set(fid, subject !== 'ask' && subject?.removed === true ? subject : 'ask');
  }
  const { inconsistent } = outcome;
  return { incarnation: before.incarnation, stamp: upTo, open, inconsistent };
}

function beginning(mark: Mark | undefined): Progress {
  const { incarnation, stamp } = mark ?? { incarnation: '', stamp: 0 };
  return { incarnation, stamp, open: new Map(), inconsistent: new Set() };
}
