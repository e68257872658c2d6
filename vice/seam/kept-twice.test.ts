/** KT-1 and KT-2, at the level of the store. */
import t from 'tap';
import { seal } from '../interface/index.js';
import { mendTwice, putTwice, readTwice, removeTwice } from './kept-twice.js';
import { MemoryStore } from './twin/memory-store.js';

const [key, copy] = ['V/meta', 'copy/V/meta'];

async function stored(...damaged: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore({});
  await store.transact((transaction) => putTwice(transaction, key, { stamp: 7 }));
  for (const each of damaged) store.damage(each, 0.5);
  return store;
}

for (const damaged of [key, copy]) {
  t.test(`damage of ${damaged} is seen by nobody, and mended`, async (t) => {
    const store = await stored(damaged);
    t.same(readTwice(store, key), { stamp: 7 });
    t.ok(await mendTwice(store, key), 'something was damaged');
    t.same([store.get(key), store.get(copy)], [seal({ stamp: 7 }), seal({ stamp: 7 })]);
    t.notOk(await mendTwice(store, key));
    store.damage(damaged === key ? copy : key, 0.5);
    t.same(readTwice(store, key), { stamp: 7 }, 'so the other one may be damaged later');
  });
}

t.test('where neither can be read, that is said and nothing is changed', async (t) => {
  const store = await stored(key, copy);
  const before = [store.get(key), store.get(copy)];
  t.throws(() => readTwice(store, key), /checksum/);
  t.notOk(await mendTwice(store, key));
  t.same([store.get(key), store.get(copy)], before);
});

t.test('a row of an earlier build gets its copy, and one that is gone has none', async (t) => {
  const store = new MemoryStore({});
  await store.transact((transaction) => transaction.put(key, seal({ stamp: 3 })));
  t.same(readTwice(store, key), { stamp: 3 });
  t.notOk(await mendTwice(store, key), 'nothing was damaged');
  t.same(store.get(copy), seal({ stamp: 3 }));
  await store.transact((transaction) => removeTwice(transaction, key));
  t.same([readTwice(store, key), store.get(copy)], [undefined, undefined]);
});
