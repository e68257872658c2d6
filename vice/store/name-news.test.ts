/** What is known of lately changed names, and when it is not. */
import fc from 'fast-check';
import t from 'tap';
import { noNames, toggledName, type Fid } from '../interface/index.js';
import { NameNews, type NameStep } from './name-news.js';

const directory = '1.1.00000000000000aa' as Fid;
const fidOf = (number: number): Fid => `1.${number}.00000000000000bb` as Fid;

/** A directory whose names are changed step by step. */
class Stage {
  readonly news = new NameNews();
  readonly names = new Map<string, Fid>();
  digest = noNames;

  step(changes: readonly (readonly [string, number | null])[]): NameStep {
    const before = this.digest;
    const told: NameStep['changes'][number][] = [];
    const change = (fid: Fid, name: string, isBound: boolean): void => {
      told.push({ fid, name, isBound });
      this.digest = toggledName(this.digest, fid, name);
    };
    for (const [name, number] of changes) {
      const held = this.names.get(name);
      // As the rows of a transaction come: who gets a name may come before who loses it.
      if (number !== null) change(fidOf(number), name, true);
      if (held !== undefined) change(held, name, false);
      if (number === null) this.names.delete(name);
      else this.names.set(name, fidOf(number));
    }
    const step = { directory, before, after: this.digest, changes: told };
    this.news.take([step]);
    return step;
  }
}

t.test('what came and went since then, each name once', async (t) => {
  const stage = new Stage();
  stage.step([['a', 1]]);
  const then = stage.digest;
  t.same(stage.news.since(directory, then, then), new Map());
  stage.step([['b', 2]]);
  stage.step([['a', 3]]);
  stage.step([['b', null]]);
  t.same(
    stage.news.since(directory, then, stage.digest),
    new Map([
      ['b', null],
      ['a', fidOf(3)],
    ]),
  );
});

t.test('what does not follow is not known', async (t) => {
  const stage = new Stage();
  stage.step([['a', 1]]);
  const then = stage.digest;
  const last = stage.step([['b', 2]]);
  t.equal(stage.news.since(directory, 'ffffffffffffffff', stage.digest), undefined, 'another beginning');
  t.equal(stage.news.since(directory, then, 'ffffffffffffffff'), undefined, 'the digest was put right since');
  t.equal(stage.news.since(fidOf(9), then, stage.digest), undefined, 'another directory');
  stage.news.take([{ ...last, before: 'ffffffffffffffff' }]);
  t.equal(stage.news.since(directory, then, last.after), undefined, 'a gap ends all before it (NN-1)');
  stage.news.clear();
  t.equal(stage.news.since(directory, 'ffffffffffffffff', last.after), undefined);
});

t.test('whoever applies it has the names that there are', async () => {
  const change = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(fc.integer({ min: 1, max: 1e6 })));
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(change, { selector: ([name]) => name, maxLength: 3 })), (steps) => {
      const stage = new Stage();
      const moments = [{ digest: stage.digest, names: new Map<string, Fid>() }];
      for (const changes of steps) {
        stage.step(changes);
        moments.push({ digest: stage.digest, names: new Map(stage.names) });
      }
      for (const { digest, names } of moments) {
        const news = stage.news.since(directory, digest, stage.digest);
        if (news === undefined) return false;
        for (const [name, fid] of news) {
          if (fid === null) names.delete(name);
          else names.set(name, fid);
        }
        if (names.size !== stage.names.size) return false;
        for (const [name, fid] of stage.names) if (names.get(name) !== fid) return false;
      }
      return true;
    }),
    { numRuns: 500 },
  );
});

t.test('it is bounded', async (t) => {
  const stage = new Stage();
  const first = stage.digest;
  for (let step = 0; step < 300; step += 1) stage.step([[`n${step}`, step + 1]]);
  t.equal(stage.news.since(directory, first, stage.digest), undefined, 'too many names for one answer');
  const then = stage.digest;
  for (let step = 0; step < 600; step += 1) stage.step([['same', step + 1]]);
  t.equal(stage.news.since(directory, then, stage.digest), undefined, 'too many steps to keep');
});
