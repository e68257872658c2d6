/** Listings: in parts that fit into a frame; what is damaged in one is said, and fetched again. */
import t from 'tap';
import { planted } from '../../conformance/modify-log/logging-venus.js';
import {
  Failure,
  isFailure,
  type Fid,
  type Result,
  type VnodeStatus,
  type VolumeId,
} from '../interface/index.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import type { ServerContext } from './context.js';
import { reading } from './reading.js';

const volume = '7f000001' as VolumeId;
const fidOf = (number: number): Fid => `${volume}.${number.toString(16)}.00000000000000aa` as Fid;
const directory = fidOf(1);
const bad = fidOf(7);

function statusOf(number: number, kind: 'file' | 'directory'): VnodeStatus {
  const [status] = planted([{ fid: fidOf(number), parent: null, name: 'x', kind }]).statuses.values();
  if (status === undefined) throw new Error('it was planted');
  return status;
}

/** A server whose directory has `names`, read one by one with `read`. */
function serverWith(count: number, read: (number: number) => VnodeStatus) {
  const restored: Fid[] = [];
  const clock = new SimulatedClock();
  const entries = function* () {
    for (let number = 1; number <= count; number += 1) yield { name: `f${number}`, status: read(number) };
  };
  const status = statusOf(1, 'directory');
  const listing = { status, digest: 'd', steps: { [Symbol.iterator]: entries } };
  const replica = { list: () => listing, isFlushed: () => true };
  const context = {
    volumes: { required: () => replica },
    resolver: { restore: (_replica: unknown, fid: Fid) => restored.push(fid) },
    world: { clock },
  } as unknown as ServerContext;
  const list = async (): Promise<Result<'list'>[]> => {
    const argument = { volume, fid: directory, full: true, cop2: [] };
    const answer = reading.list(context, {} as never, argument) as Promise<AsyncIterable<Result<'list'>>>;
    const parts: Result<'list'>[] = [];
    for await (const part of await answer) parts.push(part);
    return parts;
  };
  return { list: () => clock.until(list()), restored };
}

t.test('a large directory comes in parts, each of them bounded', async (t) => {
  const small = statusOf(2, 'file');
  const large = { ...small, properties: { '{x}y': 'z'.repeat(60_000) } };
  for (const [status, most] of [
    [small, 150],
    [large, 40],
  ] as const) {
    const { list } = serverWith(1001, () => status);
    const parts = await list();
    t.ok(parts.every(({ entries }) => entries.length <= most));
    const names = parts.flatMap(({ entries }) => entries.map(({ name }) => name));
    t.same([names.length, new Set(names).size], [1001, 1001]);
  }
  t.same(
    (await serverWith(0, () => small).list()).map(({ entries }) => entries),
    [[]],
    'an empty one',
  );
});

t.test('an object that cannot be read is fetched again; the listing does not look complete', async (t) => {
  const { list, restored } = serverWith(20, (number) => {
    if (fidOf(number) === bad) throw new Failure('damaged', 'test', 'rotten', { fid: bad });
    return statusOf(number + 1, 'file');
  });
  const failure: unknown = await list().catch((error: unknown) => error);
  t.ok(isFailure(failure, 'damaged'));
  t.same(restored, [bad]);
});
