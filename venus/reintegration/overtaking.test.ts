/** Users' logs apart: random logs of two users, one of whom must wait. */
import fc from 'fast-check';
import t from 'tap';
import { difference, type PlainTree } from '../../conformance/modify-log/plain-tree.js';
import { RandomWalk, replay } from '../../conformance/modify-log/random-walk.js';
import { scaled } from '../../conformance/test-scale.js';
import { fidsOf, isWithin, type Fid, type StoreIdVector } from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import { recordsOf } from './batch.js';
import { WaitingEntries } from './overtaking.js';

const seed = Number(process.env['SEED'] ?? 1);
const logs = Number(process.env['RUNS'] ?? scaled(4000, 500));
const walks = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), {
  minLength: 5,
  maxLength: 40,
  size: 'max',
});

/** A log on its way to servers that take nothing that claims more than they have. */
class Sending {
  readonly servers: PlainTree;
  readonly #known: (fid: Fid) => StoreIdVector | undefined;
  #left: readonly LogEntry[];

  constructor(walk: RandomWalk) {
    this.servers = walk.servers.clone();
    this.#known = (fid) => walk.venus.cache.status(fid)?.known;
    this.#left = [...walk.venus.log.values()].map((entry) => ({ ...entry, appliedBy: [] }));
  }

  get left(): readonly LogEntry[] {
    return this.#left;
  }

  /** In batches of so many entries. @throws Failure */
  send(entries: readonly LogEntry[], size: number): void {
    for (let start = 0; start < entries.length; start += size) {
      const batch = entries.slice(start, start + size);
      const touching = (fid: Fid): readonly LogEntry[] =>
        this.#left.filter(({ records }) => records.some((record) => fidsOf(record).includes(fid)));
      for (const record of recordsOf(batch, { touching }, { known: this.#known, isOurs: () => true }))
        this.servers.certifyAndApply(record);
      this.#left = this.#left.filter((entry) => !batch.includes(entry));
    }
  }
}

t.test('property: one waits, the other goes on, and all ends as if it had gone in order', async (t) => {
  const count = { waiting: 0, following: 0, overtaking: 0 };
  fc.assert(
    fc.property(walks, fc.boolean(), fc.integer({ min: 1, max: 5 }), (steps, isBob, size) => {
      const walk = new RandomWalk();
      for (const step of steps) walk.step(step);
      const inOrder = walk.servers.clone();
      replay(inOrder, walk.venus.log.values());
      const sending = new Sending(walk);
      const before = new WaitingEntries();
      const others = sending.left.filter((entry) => {
        const mustWait = entry.records[0]?.author === (isBob ? 'bob' : 'ann');
        if (!mustWait && !before.holdsUp(entry)) return true;
        before.add(entry);
        count[mustWait ? 'waiting' : 'following'] += 1;
        return false;
      });
      count.overtaking += others.length;
      sending.send(others, size);
      for (const { fid, known } of sending.servers.statuses.values()) {
        const here = walk.venus.cache.status(fid);
        if (here !== undefined && !isWithin(known, here.known))
          throw new Error(`${fid} is ahead of the cache`);
      }
      sending.send(sending.left, size);
      const fault = difference(inOrder, sending.servers);
      if (fault !== undefined) throw new Error(fault);
    }),
    { numRuns: logs, seed },
  );
  t.comment(`${count.waiting} entries waited, ${count.following} with them, ${count.overtaking} did not`);
  t.ok(count.following < count.overtaking / 2, 'most do not depend on what another one did');
});
