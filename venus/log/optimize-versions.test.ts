/** What the optimizer does with files in conflict: stores that leave versions beside themselves, and repairs. */
import t from 'tap';
import {
  digestFor,
  LoggingVenus,
  otherVenus,
  planted,
  root,
  venus,
  volume,
  type Change,
} from '../../conformance/modify-log/logging-venus.js';
import { difference } from '../../conformance/modify-log/plain-tree.js';
import { replay } from '../../conformance/modify-log/random-walk.js';
import { makeFid, makeStoreId, type Fid, type Mutation, type StoreId } from '../../vice/interface/index.js';
import { dependsOn, optimize } from './optimize.js';

const report = makeFid(volume, 3, otherVenus);
const spare = makeFid(volume, 4, otherVenus);
/** The versions of the report, the shown one first. */
const [shown, anns, bobs] = [7, 6, 5].map((counter) => makeStoreId(otherVenus, counter)) as [
  StoreId,
  StoreId,
  StoreId,
];

/** /report is on the servers in three versions, and the empty directory /spare. */
function inConflict(): { readonly client: LoggingVenus; readonly ends: () => string | undefined } {
  const start = planted([
    { fid: root, parent: null, name: '', kind: 'directory' },
    { fid: report, parent: root, name: 'report', kind: 'file', siblings: 2 },
    { fid: spare, parent: root, name: 'spare', kind: 'directory' },
  ]);
  const servers = start.clone();
  const client = new LoggingVenus(start);
  const ends = (): string | undefined => {
    replay(servers, client.log.values());
    return difference(client.cache, servers);
  };
  return { client, ends };
}

let contents = 100;
function store(fid: Fid, ...beside: readonly StoreId[]): Change {
  contents += 1;
  const data = { length: 9, digest: digestFor(contents), modified: contents, saved: contents };
  return { op: 'store', fid, ...data, ...(beside.length > 0 && { beside }) };
}
function dismiss(...marks: readonly StoreId[]): Change {
  return { op: 'repair', fid: report, dismiss: marks, accept: null };
}
function accept(fid: Fid, name: string): Change {
  return { op: 'repair', fid, dismiss: [], accept: { name, parent: root } };
}
const create = (fid: Fid): Change => ({ op: 'create', parent: root, name: 'copy', fid, mode: 0o644 });
const remove: Change = { op: 'remove', parent: root, name: 'report', fid: report };

/** The log in words: entries by their records. */
function wordsOf(client: LoggingVenus): string[] {
  return [...client.log.values()].map(({ records }) => records.map(({ op }) => op).join(' + '));
}

/** The version that is shown now. */
function latest({ cache }: LoggingVenus): StoreId {
  const { data } = cache.status(report) ?? {};
  if (data === null || data === undefined) throw new Error('the report is gone');
  return data.storeId;
}

t.test('a store', async (t) => {
  await t.test('cancels one before it that left the same versions beside', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [store(report, anns, bobs)]);
    client.change('ann', [store(report, anns, bobs)]);
    t.same(wordsOf(client), ['store']);
    t.equal(ends(), undefined);
  });

  await t.test('cancels one before it that left more, or less that came meanwhile', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [store(report, anns, bobs)]);
    client.change('ann', [store(report, anns)]);
    t.same(wordsOf(client), ['store']);
    t.equal(ends(), undefined);
    const unseen = makeStoreId(otherVenus, 8);
    t.equal(
      leftOf({ beside: [shown], seen: 7 }, [shown, unseen]),
      0,
      'the author of the first one did not know of it',
    );
  });

  await t.test('spares one that it leaves beside itself', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [store(report, anns)]);
    client.change('ann', [store(report, latest(client))]);
    t.same(wordsOf(client), ['store', 'store']);
    client.change('ann', [store(report, latest(client))]);
    t.same(wordsOf(client), ['store', 'store'], 'the first one is gone: the third has replaced it');
    client.change('ann', [store(report)]);
    t.same(wordsOf(client), ['store']);
    t.equal(ends(), undefined);
  });

  await t.test('spares one that replaced what it leaves: it would be there again', async (t) => {
    t.equal(leftOf({ beside: [anns], seen: 7 }, [anns, bobs]), 1);
    t.equal(leftOf({ beside: [], seen: 7 }, [bobs]), 1);
  });

  await t.test('cancels a repair, and goes on to what is before it', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [store(report, anns, bobs)]);
    client.change('ann', [dismiss(anns)]);
    client.change('ann', [dismiss(bobs)]);
    client.change('ann', [store(report)]);
    t.same(wordsOf(client), ['store']);
    t.equal(ends(), undefined);
  });

  await t.test(
    'spares a repair that vouches for what it leaves beside, and what is before that',
    async (t) => {
      const { client, ends } = inConflict();
      client.change('ann', [store(report, anns, bobs)]);
      client.change('ann', [dismiss(anns)]);
      client.change('ann', [store(report, bobs)]);
      t.same(wordsOf(client), ['store', 'repair', 'store']);
      client.change('ann', [store(report, bobs)]);
      t.same(wordsOf(client), ['store', 'repair', 'store'], 'what is behind it goes');
      t.equal(ends(), undefined);
    },
  );

  await t.test('spares a repair that accepts the object as it is', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [store(report)]);
    client.change('ann', [accept(report, 'report')]);
    client.change('ann', [store(report)]);
    client.change('ann', [store(report)]);
    t.same(wordsOf(client), ['store', 'repair', 'store']);
    t.equal(ends(), undefined);
  });

  await t.test('does not go over a repair of somebody else, or one that a server may have', async (t) => {
    for (const author of ['ann', 'bob']) {
      const { client, ends } = inConflict();
      client.change('ann', [store(report, anns, bobs)]);
      client.change('ann', [{ op: 'chmod', fid: report, mode: 0o600 }]);
      client.change(author, [dismiss(latest(client))]);
      if (author === 'ann') client.freeze(3, 'offered');
      client.change('ann', [store(report)]);
      t.same(wordsOf(client), ['store', 'chmod', 'repair', 'store'], author);
      t.equal(ends(), undefined);
    }
  });
});

t.test('a removal', async (t) => {
  await t.test('of a file cancels what was decided about it', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [store(report, anns, bobs)]);
    client.change('ann', [dismiss(anns)]);
    client.change('ann', [accept(report, 'report')]);
    client.change('ann', [remove]);
    t.same(wordsOf(client), ['remove']);
    t.equal(ends(), undefined);
  });

  await t.test('of a directory, too', async (t) => {
    const { client, ends } = inConflict();
    client.change('ann', [accept(spare, 'spare')]);
    client.change('ann', [{ op: 'rmdir', parent: root, name: 'spare', fid: spare }]);
    t.same(wordsOf(client), ['rmdir']);
    t.equal(ends(), undefined);
  });
});

t.test('a repair that gives up what has become files of their own stays with them', async (t) => {
  for (const later of [store(report), remove]) {
    const { client, ends } = inConflict();
    const copy = client.newFid();
    client.change('ann', [create(copy), store(copy), dismiss(anns, bobs)]);
    client.change('ann', [later]);
    t.same(wordsOf(client), ['create + store + repair', later.op]);
    const [first, second] = client.log.values();
    if (first === undefined || second === undefined) throw new Error('there are two entries');
    t.ok(dependsOn(second, first), 'if the servers refuse the files, what came after is not done either');
    t.equal(ends(), undefined);
  }
});

/** Records that are left of a store whose author had seen so many updates of others, after one that leaves `beside`. */
function leftOf(
  first: { readonly beside: readonly StoreId[]; readonly seen: number },
  beside: readonly StoreId[],
): number {
  const stored = (counter: number, seen: number, left: readonly StoreId[], own: number): Mutation => ({
    ...(store(report, ...left) as Extract<Change, { op: 'store' }>),
    storeId: makeStoreId(venus, counter),
    time: counter,
    author: 'ann',
    host: 'gateway',
    base: { [report]: { [otherVenus]: seen, ...(own > 0 && { [venus]: own }) } },
  });
  const earlier = {
    sequence: 1,
    records: [stored(1, first.seen, first.beside, 0)],
    appliedBy: [],
    offered: false,
  };
  const plan = optimize([stored(2, 8, beside, 1)], { touching: () => [earlier] });
  return (plan.rewritten.get(1) ?? earlier.records).length;
}
