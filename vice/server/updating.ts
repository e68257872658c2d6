/** Calls that change a replica: `mutate` (COP1) and `cop2`. */
import {
  Failure,
  fidsOf,
  volumeOf,
  type Argument,
  type Fid,
  type Mutation,
  type Result,
  type VolumeId,
} from '../interface/index.js';
import { checkRecord } from '../protection/session-rights.js';
import type { Session } from '../seam/network.js';
import type { MutateArgument, Mutated, Replica, Speaker } from '../volume/replica.js';
import { mustTakeChanges } from '../volume/standing.js';
import { bringContents, mustBeNamed } from './brought-contents.js';
import type { Handlers, ServerContext } from './context.js';
import { takeCop2 } from './reading.js';

const operation = 'vice.mutate';

export const updating: Handlers<'mutate' | 'cop2'> = {
  async mutate(context, session, argument) {
    const replica = context.volumes.required(argument.volume, argument.replica);
    mustTakeChanges(replica);
    checkBatch(session, argument);
    await context.gateways.admit(session.peer, argument.records);
    const loggedOut = firstLoggedOut(context, session, argument.records);
    if (loggedOut !== undefined) return loggedOut;
    const releases: (() => void)[] = [];
    try {
      const { records, watermark, cop2, inline, transfers } = argument;
      const bringing = { inline, transfers, named: storedBy(records) };
      const packed = await bringContents(context, session, replica, bringing, releases);
      const { groups } = context.location.current;
      // The COP2 messages of earlier updates share a flush with this one.
      const [result] = await Promise.all([
        mutated(context, replica, { records, watermark, packed }, { session: session.id, groups }),
        takeCop2(context, session.peer, replica, cop2),
      ]);
      release(context, session, argument, result);
      if (result.outcome === 'applied') logStores(context, replica, records);
      return result;
    } finally {
      for (const release of releases) release();
    }
  },

  async cop2(context, { peer }, { volume, replica, cop2 }) {
    await takeCop2(context, peer, context.volumes.required(volume, replica), cop2);
    return {};
  },
};

/** Rows that cannot be read here say nothing about a record: they are healed, and it comes again after that. */
async function mutated(
  { resolver }: ServerContext,
  replica: Replica,
  argument: MutateArgument,
  speaker: Speaker,
): Promise<Mutated> {
  const healed = (index: number, fid: Fid, message: string): Mutated => {
    resolver.restore(replica, fid);
    return { outcome: 'refused', index, failure: { kind: 'stale', message, fid } };
  };
  try {
    const result = await replica.mutate(argument, speaker);
    if (result.outcome === 'applied' || result.failure.kind !== 'damaged') return result;
    const { kind: _kind, message, fid } = result.failure;
    return fid === null ? result : healed(result.index, fid, message);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== 'damaged' || error.fid === undefined) throw error;
    return healed(0, error.fid, error.message);
  }
}

/** Nothing is kept for a mutation that was applied; one that was refused may come again, changed. */
function release(
  { staging, held }: ServerContext,
  { peer }: Session,
  { records, transfers }: Argument<'mutate'>,
  mutated: Result<'mutate'>,
): void {
  for (const id of Object.values(transfers)) {
    if (mutated.outcome === 'applied') staging.claimed(peer.name, id);
    else staging.refused(peer.name, id, mutated.failure.kind);
  }
  if (mutated.outcome === 'refused') return;
  for (const record of records) if (record.op === 'store') held.release(peer.name, record.digest);
}

/**
 * Where the servers keep the people a gateway acts for those who are logged in there, and for nobody else. Others'
 * changes are refused until they are, not for good.
 */
function firstLoggedOut(
  { location, logins, people }: ServerContext,
  session: Session,
  records: readonly Mutation[],
): Extract<Result<'mutate'>, { outcome: 'refused' }> | undefined {
  if (location.current.people === undefined) return undefined;
  if (people.current === undefined) {
    throw new Failure('busy', operation, 'the people of the realm are not here yet');
  }
  const asked = new Map<string, boolean>();
  const index = records.findIndex(({ author }) => {
    if (!asked.has(author)) asked.set(author, logins.isLoggedIn(session, author));
    return asked.get(author) === false;
  });
  const record = records[index];
  if (record === undefined) return undefined;
  const message = `${record.author} must log in again`;
  return { outcome: 'refused', index, failure: { kind: 'logged-out', message, fid: record.fid } };
}

/** @throws Failure access-denied, invalid */
function checkBatch(session: Session, argument: Argument<'mutate'>): void {
  for (const record of argument.records) {
    checkRecord(session.peer, record);
    checkVolume(record, argument.volume);
  }
  mustBeNamed(argument, new Set(storedBy(argument.records)));
}

function storedBy(records: readonly Mutation[]): readonly string[] {
  return records.flatMap((record) => (record.op === 'store' ? [record.digest] : []));
}

function checkVolume(record: Mutation, volume: VolumeId): void {
  for (const fid of fidsOf(record)) {
    if (volumeOf(fid) === volume) continue;
    throw new Failure('cross-volume', operation, `the object is not in volume ${volume}`, { fid });
  }
}

function logStores(context: ServerContext, replica: Replica, records: readonly Mutation[]): void {
  for (const record of records) {
    if (record.op !== 'store') continue;
    const { fid, storeId, author, length } = record;
    context.world.log.info('store', { fid, storeId, user: author, bytes: length, replica: replica.id });
  }
}
