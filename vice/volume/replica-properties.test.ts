/** Properties of a replica, against dumb twins. Replicas that were changed apart: apart-properties.test.ts. */
import fc from 'fast-check';
import t from 'tap';
import { compare, fidsOf, relate, type Fid, type Mutation, type VnodeKind } from '../interface/index.js';
import type { Replica } from './replica.js';
import {
  root,
  server,
  Venus,
  refusal,
  tree,
  check,
  take,
  fault,
  notLess,
  sameJson,
} from '../../conformance/bare-realm/bare-replica.js';

/** The dumb twin: the same tree as plain maps, written without looking at the real thing. */
class DumbTree {
  readonly nodes = new Map<Fid, { kind: VnodeKind; names: Map<string, Fid>; length: number }>();

  constructor() {
    this.nodes.set(root, { kind: 'directory', names: new Map(), length: 0 });
  }

  apply(record: Mutation): 'applied' | 'refused' {
    const names = (fid: Fid): Map<string, Fid> | undefined => {
      const node = this.nodes.get(fid);
      return node?.kind === 'directory' ? node.names : undefined;
    };
    if (record.op === 'create' || record.op === 'mkdir') {
      const parent = names(record.parent);
      if (parent === undefined || parent.has(record.name) || this.nodes.has(record.fid)) return 'refused';
      parent.set(record.name, record.fid);
      const kind = record.op === 'create' ? 'file' : 'directory';
      this.nodes.set(record.fid, { kind, names: new Map(), length: 0 });
      return 'applied';
    }
    if (record.op === 'remove' || record.op === 'rmdir') {
      const parent = names(record.parent);
      const node = this.nodes.get(record.fid);
      if (parent?.get(record.name) !== record.fid || node === undefined) return 'refused';
      if ((node.kind === 'directory') !== (record.op === 'rmdir') || node.names.size > 0) return 'refused';
      parent.delete(record.name);
      this.nodes.delete(record.fid);
      return 'applied';
    }
    if (record.op === 'rename') {
      const [from, to] = [names(record.fromParent), names(record.toParent)];
      if (from?.get(record.fromName) !== record.fid) return 'refused';
      if (to === undefined || to.has(record.toName)) return 'refused';
      if (this.#within(record.toParent, record.fid)) return 'refused';
      from.delete(record.fromName);
      to.set(record.toName, record.fid);
      return 'applied';
    }
    const node = this.nodes.get(record.fid);
    if (node === undefined || (record.op === 'store' && node.kind !== 'file')) return 'refused';
    if (record.op === 'store') node.length = record.length;
    return 'applied';
  }

  #within(fid: Fid, ancestor: Fid): boolean {
    const { names } = this.nodes.get(ancestor) ?? {};
    return fid === ancestor || [...(names?.values() ?? [])].some((child) => this.#within(fid, child));
  }

  shape(fid: Fid = root): unknown {
    const node = this.nodes.get(fid);
    if (node?.kind === 'file') return node.length;
    return [...(node?.names ?? [])].sort().map(([name, child]) => [name, this.shape(child)]);
  }
}

function shape(replica: Replica, fid: Fid = root): unknown {
  const listing = replica.list(fid);
  if (listing === undefined) return replica.status(fid)?.data?.length;
  return [...listing.entries].map(({ name, status }) => [name, shape(replica, status.fid)]);
}

/** A fixed seed: the same histories in every run. */
const runs = { numRuns: Number(process.env['RUNS'] ?? 30), seed: Number(process.env['SEED'] ?? 1) };

const step = fc.record({
  op: fc.constantFrom('create', 'mkdir', 'remove', 'rmdir', 'rename', 'store', 'chmod'),
  client: fc.nat(1),
  pick: fc.tuple(fc.nat(99), fc.nat(99), fc.nat(99)),
  name: fc.constantFrom('a', 'b', 'c'),
  toName: fc.constantFrom('a', 'b', 'c'),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Objects that ever were, to choose from, valid or not. */
class Chooser {
  readonly fids: Fid[] = [root];
  readonly clients: readonly Venus[];
  readonly digest: string;

  constructor(digest: string, clients = 'ab') {
    this.clients = [...clients].map((digit) => new Venus(digit));
    this.digest = digest;
  }

  record(replica: Replica, { op, client, pick, name, toName }: Step): Mutation {
    const venus = this.clients[client];
    const [one = root, two = root, three = root] = pick.map((index) => this.fids[index % this.fids.length]);
    if (venus === undefined) throw new Error('client');
    const named = [...(replica.list(one)?.entries ?? [])][pick[1] % 3];
    // Mostly what is there, sometimes what is not.
    const [boundName, bound] = named === undefined ? [name, two] : [named.name, named.status.fid];
    switch (op) {
      case 'create':
      case 'mkdir': {
        const record = venus.make(replica, op, one, name);
        this.fids.push(record.fid);
        return record;
      }
      case 'remove':
      case 'rmdir':
        return venus.remove(replica, op, one, boundName, bound);
      case 'rename':
        return venus.rename(replica, bound, [one, boundName], [three, toName]);
      case 'store':
        return venus.store(replica, one, this.digest, 4);
      case 'chmod':
        return venus.chmod(replica, one, 0o700 + pick[1]);
    }
  }
}

t.test('property: agrees with the dumb twin; any replay at any time changes nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), fc.nat(), async (steps, seed) => {
      const { open, upload } = server();
      const replica = await open();
      const release = replica.hold(await upload('text'));
      const chooser = new Chooser(await upload('text'));
      const twin = new DumbTree();
      const applied: Mutation[] = [];
      for (const [index, each] of steps.entries()) {
        const record = chooser.record(replica, each);
        const before = tree(replica);
        const outcome = await refusal(replica, record);
        const expected = twin.apply(record);
        if ((outcome === 'applied') !== (expected === 'applied')) fault(`${record.op}: ${outcome}`);
        if (outcome === 'applied') applied.push(record);
        else if (!sameJson(tree(replica), before)) fault(`${record.op}: refused and changed`);
        const again = applied[(seed + index * 7) % Math.max(1, applied.length)];
        const after = tree(replica);
        const replayed = again === undefined ? 'applied' : await refusal(replica, again);
        if (replayed !== 'applied') fault(`replay of ${again?.op}: ${replayed}`);
        if (!sameJson(tree(replica), after)) fault(`replay of ${again?.op} changed something`);
      }
      if (!sameJson(shape(replica), twin.shape())) fault('another shape than the twin');
      await check(replica);
      release();
    }),
    runs,
  );
  t.pass();
});

t.test('property: two replicas that are told the same end the same; vectors never decrease', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(3)), { maxLength: 60, size: 'max' }), async (steps) => {
      const [one, two] = [server(), server()];
      const [a, b] = [await one.open({ id: 'a' }), await two.open({ id: 'b' })];
      const digest = await one.upload('text');
      await two.upload('text');
      const releases = [a.hold(digest), b.hold(digest)];
      const chooser = new Chooser(digest);
      const lost = new Set<Fid>();
      for (const [each, fate] of steps) {
        const record = chooser.record(a, each);
        const before = new Map(chooser.fids.map((fid) => [fid, a.status(fid)?.vv ?? {}]));
        const outcomes = [await refusal(a, record), await refusal(b, record)];
        if (outcomes[0] !== outcomes[1]) fault(`${record.op}: ${outcomes.join(' and ')}`);
        const update = [{ storeId: record.storeId, replicas: ['a', 'b'] }];
        await a.cop2(update);
        if (fate > 0) await b.cop2(update);
        else if (outcomes[0] === 'applied') for (const fid of fidsOf(record)) lost.add(fid);
        for (const [fid, vv] of before) {
          const after = a.status(fid)?.vv;
          if (after !== undefined && !notLess(after, vv)) fault('a vector decreased');
        }
      }
      for (const fid of chooser.fids) {
        const [atA, atB] = [a.status(fid), b.status(fid)];
        if (atA === undefined || atB === undefined) {
          if (atA !== atB) fault('one has it, the other has not');
          continue;
        }
        const relation = relate(atA, atB);
        if (relation !== (lost.has(fid) ? 'weakly-equal' : 'equal')) fault(`${fid} is ${relation}`);
        if (a.list(fid)?.digest !== b.list(fid)?.digest) fault('digests differ');
        if (relation === 'weakly-equal') await take(b, a, fid);
        if (compare(atA.vv, b.status(fid)?.vv ?? {}) !== 'equal') fault('not healed');
      }
      for (const release of releases) release();
    }),
    runs,
  );
  t.pass();
});
