import type { Test } from 'tap';
import type { Document, Documents } from '../../vice/seam/documents.js';

/** Documents on an empty disk, and what a restart finds there. */
export interface DocumentsUnderTest {
  readonly documents: Documents;
  reopen(): Promise<Documents>;
}

export type MakeDocuments = (t: Test) => Promise<DocumentsUnderTest>;

/** What all Documents must do (DO-1, DO-2), whatever they stand on. */
export function documentsContract(t: Test, name: string, make: MakeDocuments): void {
  void t.test(`${name}: documents`, async (t) => {
    await t.test('DO-1: what was changed is there after a restart, all of it', async (t) => {
      const { documents, reopen } = await make(t);
      t.same(plain(documents), {}, 'none at first');
      await documents.change(
        map({ a: { text: 'one', count: 1 }, b: { text: 'two', count: 2, on: true, none: null } }),
      );
      await documents.change(map({ a: { text: 'three', count: 3 }, c: { text: 'ü "x"\n\\', count: -1.5 } }));
      await documents.change(map({ b: null, never: null }));
      const expected = { a: { text: 'three', count: 3 }, c: { text: 'ü "x"\n\\', count: -1.5 } };
      t.same(plain(documents), expected);
      await documents.close();
      const again = await reopen();
      t.same(plain(again), expected);
      await again.change(map({ a: null, c: null }));
      t.same(plain(await reopen()), {});
    });

    await t.test('DO-2: changes take effect in the order of their calls', async (t) => {
      const { documents, reopen } = await make(t);
      const calls = Array.from({ length: 20 }, (_, count) =>
        documents.change(map({ a: { count }, [`b${count}`]: { count } })),
      );
      await Promise.all(calls);
      t.same(documents.all().get('a'), { count: 19 });
      t.equal(documents.all().size, 21);
      await documents.close();
      t.same(plain(await reopen()), plain(documents));
      await t.rejects(documents.change(map({ a: null })), { message: /closed/ });
    });

    await t.test('a few thousand are no burden', async (t) => {
      const { documents, reopen } = await make(t);
      const many = Array.from({ length: 5000 }, (_, count) => [`id ${count}`, { count }] as const);
      await documents.change(new Map(many));
      await documents.close();
      t.equal((await reopen()).all().size, 5000);
    });
  });
}

function map(changes: Readonly<Record<string, Document | null>>): ReadonlyMap<string, Document | null> {
  return new Map(Object.entries(changes));
}

function plain(documents: Documents): Record<string, Document> {
  return Object.fromEntries([...documents.all()].sort(([a], [b]) => (a < b ? -1 : 1)));
}
