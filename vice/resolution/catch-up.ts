/**
 * One replica catches up with one peer's replica: reads the peer's changes since the last time, page by
 * page, and pulls what it lacks. Interrupted anywhere it starts again at its durable mark; doing it twice
 * changes nothing.
 *
 * CU-1  The durable mark stands before the first change that is not settled: a restart looks at it again.
 * CU-2  What is not settled is looked at again at every catch-up, together with what is new.
 * CU-3  The peer is told the durable mark, not how far its changes were read: it may forget the removals up to there
 *       (graves.ts), and a removed directory is merged last.
 * CU-4  What is damaged at the peer is not told: nothing is settled by what was read beside it, and it is read again.
 * CU-5  A peer that has forgotten removals behind the mark, or is read from its beginning, may not tell what was
 *       removed in what it has: this disk is an old one, or new (PL-3).
 */
import { Failure, isSameMark, markAt, unread, type Fid, type Mark, type Result } from '../interface/index.js';
import { ask } from './ask.js';
import { Pull, type PullSource, type PullWorld } from './pull.js';

/** How far a peer's changes have been read; in memory. */
export interface Progress extends Mark {
  /** Objects that are not settled: to be asked for again. */
  readonly open: ReadonlySet<Fid>;
  /** Of what was read since nothing was open the peer may have forgotten removals (CU-5). */
  readonly misses: boolean;
}

/** How far a catch-up has come, for whoever watches. */
export interface CatchUpMeter {
  /** Changes of the peer read so far, and all that there are (as stamps: an estimate). */
  read(done: number, all: number): void;
}

export interface CaughtUp {
  readonly installed: number;
  /** Objects of the peer that are not, or not whole, here. */
  readonly unsettled: number;
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
  meter?: CatchUpMeter,
): Promise<CaughtUp> {
  const { replica } = world;
  const pull = new Pull(world, source);
  let progress = last ?? beginning(replica.caughtUp(peer));
  if (progress.open.size > 0) await pull.take(await pull.ask([...progress.open]), true);
  let start: number | undefined;
  let isWhole = true;
  let misses = progress.open.size > 0 && progress.misses;
  for (;;) {
    const page = await readPage(world, source, peer, progress);
    misses ||= page.from === 0 || page.from < (page.forgotten ?? 0);
    await pull.take(
      page.changes.map(({ status }) => status),
      true,
    );
    isWhole &&= page.damaged === undefined;
    progress = { ...markAt(page.epochs, page.upTo), open: progress.open, misses };
    start ??= page.from;
    meter?.read(page.upTo - start, page.last - start);
    if (!page.more) break;
  }
  // Every object that directories could say they have known was on one of these pages (PL-1), or is damaged there.
  if (misses) pull.missesRemovals();
  const { installed, unresolved } = await pull.finish(isWhole);
  const { stamp, epochs } = progress;
  if (!isWhole) {
    // Read again, when the peer has it again, or another one has told.
    const unsettled = Math.max(1, unresolved.size);
    return { installed, unsettled, progress: beginning(replica.caughtUp(peer)) };
  }
  // Most rounds read nothing: then there is nothing to write either.
  const isNews = !isSameMark(replica.caughtUp(peer) ?? unread, progress);
  if (unresolved.size === 0 && isNews) await replica.setCaughtUp(peer, { stamp, epochs });
  const unsettled = unresolved.size;
  if (unsettled <= openMax)
    return { installed, unsettled, progress: { stamp, epochs, open: unresolved, misses } };
  world.log.error('too many unsettled objects', { volume: replica.volume, peer, open: unsettled });
  return { installed, unsettled, progress: beginning(replica.caughtUp(peer)) };
}

async function readPage(
  world: PullWorld,
  source: PullSource,
  peer: string,
  { stamp, epochs }: Mark,
): Promise<Result<'changes'>> {
  const { volume, id: reader } = world.replica;
  const settled = world.replica.caughtUp(peer);
  const since = { stamp, epochs };
  const argument = { volume, reader, settled, since, limit: pageSize };
  const page = await ask(source.link, 'changes', argument, world.signal);
  if (page.replica !== peer) throw incompatible(`replica ${page.replica} answers for ${peer}`);
  if (page.more && page.upTo <= page.from) throw incompatible('a peer has more changes but does not move on');
  return page;
}

function incompatible(message: string): Failure {
  return new Failure('incompatible', 'resolution.changes', message);
}

function beginning(mark: Mark = unread): Progress {
  return { ...mark, open: new Set(), misses: false };
}
