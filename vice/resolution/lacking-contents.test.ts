/** Which contents somebody waits for before a server may leave. */
import t from 'tap';
import { Failure, makeStoreId, type FileData, type VnodeStatus } from '../interface/index.js';
import { fidOf, Forest, other, versionOf, venus } from '../interface/semantics-fixture.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import type { Replica } from '../volume/replica.js';
import { lackingContents } from './lacking-contents.js';

const older = versionOf(makeStoreId(other, 2), 'ab');
const newer = versionOf(makeStoreId(venus, 7), 'cd');
const whoRemovedOlder = { [other]: 2 };

/** How many are waited for, if no peer gives any, for the reason that `kind` says. */
async function waitedFor(versions: Partial<VnodeStatus>, kind: 'not-found' | 'unreachable'): Promise<number> {
  const file = new Forest().statuses.get(fidOf('readme'));
  const status = { ...file, ...versions };
  const replica = {
    digests: () => new Map([[fidOf('readme'), 'digest']]),
    held: () => status,
    hold: () => () => undefined,
    names: () => true,
  } as unknown as Replica;
  const world = { clock: new SimulatedClock(), containers: new MemoryContainers() };
  const counting = lackingContents(replica, world, async () => {
    throw new Failure(kind, 'test', 'nobody gives it');
  });
  await world.clock.advance(1000);
  return counting;
}

const alone = (data: FileData): Partial<VnodeStatus> => ({ data, revived: whoRemovedOlder });

t.test('what everybody may see is waited for', async (t) => {
  t.equal(await waitedFor(alone(newer), 'not-found'), 1);
  t.equal(await waitedFor({ data: newer, siblings: [older] }, 'not-found'), 2);
});

t.test('what a removal covers, and nobody has any more, is not', async (t) => {
  const gone = whoRemovedOlder;
  t.equal(await waitedFor({ ...alone(newer), setAside: [older], gone }, 'not-found'), 1);
  t.equal(await waitedFor({ ...alone(older), gone }, 'not-found'), 0);
  t.equal(await waitedFor({ ...alone(older), gone }, 'unreachable'), 1, 'somebody may have it');
});
