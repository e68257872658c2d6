/** Calls that change a replica: `mutate` (COP1) and `cop2`. */
import {
  emptyDigest,
  Failure,
  fidsOf,
  limits,
  volumeOf,
  type Argument,
  type Mutation,
  type Result,
  type VolumeId,
} from '../interface/index.js';
import { checkRecord } from '../protection/session-rights.js';
import type { Containers } from '../seam/containers.js';
import { digestOfPacked } from '../seam/packed-containers.js';
import type { Session } from '../seam/network.js';
import type { Replica } from '../volume/replica.js';
import { mustTakeChanges } from '../volume/standing.js';
import type { Handlers, ServerContext } from './context.js';
import { takeCop2 } from './reading.js';

const operation = 'vice.mutate';

export const updating: Handlers<'mutate' | 'cop2'> = {
  async mutate(context, session, argument) {
    const replica = context.volumes.required(argument.volume, argument.replica);
    mustTakeChanges(replica);
    checkBatch(session, argument);
    await context.gateways.admit(session.peer);
    const loggedOut = firstLoggedOut(context, session, argument.records);
    if (loggedOut !== undefined) return loggedOut;
    const releases: (() => void)[] = [];
    try {
      const packed = await bringContents(context, session, replica, argument, releases);
      const { records, watermark, cop2 } = argument;
      const { groups } = context.location.current;
      // The COP2 messages of earlier updates share a flush with this one.
      const [mutated] = await Promise.all([
        replica.mutate({ records, watermark, packed }, { session: session.id, groups }),
        takeCop2(context, session.peer, replica, cop2),
      ]);
      release(context, session, argument, mutated);
      if (mutated.outcome === 'applied') logStores(context, replica, records);
      return mutated;
    } finally {
      for (const release of releases) release();
    }
  },

  async cop2(context, { peer }, { volume, replica, cop2 }) {
    await takeCop2(context, peer, context.volumes.required(volume, replica), cop2);
    return {};
  },
};

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
  const named = new Set<string>();
  for (const record of argument.records) {
    checkRecord(session.peer, record);
    checkVolume(record, argument.volume);
    if (record.op === 'store') named.add(record.digest);
  }
  for (const digest of [...Object.keys(argument.inline), ...Object.keys(argument.transfers)]) {
    if (named.has(digest)) continue;
    throw new Failure('invalid', operation, `no record stores the contents ${digest}`);
  }
}

function checkVolume(record: Mutation, volume: VolumeId): void {
  for (const fid of fidsOf(record)) {
    if (volumeOf(fid) === volume) continue;
    throw new Failure('cross-volume', operation, `the object is not in volume ${volume}`, { fid });
  }
}

/**
 * Makes sure that contents which came with the call or before it are containers, and holds them until
 * `releases`. Returns those that are so small that they are stored in the transaction of the records.
 * @throws Failure invalid (other contents than the digest says), too-large, busy, no-space
 */
async function bringContents(
  context: ServerContext,
  session: Session,
  replica: Replica,
  argument: Argument<'mutate'>,
  releases: (() => void)[],
): Promise<ReadonlyMap<string, Uint8Array>> {
  const { containers } = context.world;
  const packed = new Map<string, Uint8Array>();
  for (const record of argument.records) {
    if (record.op === 'store') releases.push(replica.hold(record.digest));
  }
  const inline = Object.entries(argument.inline).map(async ([digest, bytes]) => {
    if (!context.packed.packs(bytes.length)) return spoolInline(containers, digest, bytes);
    mustBe(digest, digestOfPacked(bytes));
    await context.packed.mustFit(bytes.length);
    packed.set(digest, bytes);
  });
  const staged = Object.entries(argument.transfers).map(async ([digest, id]) => {
    if (await containers.has(digest)) return;
    const arrived = await context.staging.arrived(session.peer.name, id);
    // What is not what it was said to be is of no use to anybody: the next attempt begins at byte 0.
    if (arrived.digest !== digest) context.staging.claimed(session.peer.name, id);
    mustBe(digest, arrived.digest);
  });
  // All of them end before anything is released.
  for (const outcome of await Promise.allSettled([...inline, ...staged])) {
    if (outcome.status === 'rejected') throw outcome.reason;
  }
  return packed;
}

async function spoolInline(containers: Containers, digest: string, bytes: Uint8Array): Promise<void> {
  if (bytes.length > limits.inlineBytes) {
    throw new Failure('too-large', operation, `contents over ${limits.inlineBytes} bytes travel by upload`);
  }
  if (digest === emptyDigest || (await containers.has(digest))) return;
  const spool = await containers.spool();
  try {
    await spool.write(bytes);
    mustBe(digest, (await spool.commit()).digest);
  } finally {
    await spool.abort();
  }
}

function mustBe(promised: string, found: string): void {
  if (promised === found) return;
  throw new Failure('invalid', operation, `the contents sent as ${promised} have the digest ${found}`);
}

function logStores(context: ServerContext, replica: Replica, records: readonly Mutation[]): void {
  for (const record of records) {
    if (record.op !== 'store') continue;
    const { fid, storeId, author, length } = record;
    context.world.log.info('store', { fid, storeId, user: author, bytes: length, replica: replica.id });
  }
}
