/** Documents: the contract on both sides, and what only a file can suffer. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { documentsContract } from '../../conformance/suites/documents.js';
import { openNedbDocuments } from './real/nedb-documents.js';
import { MemoryDocuments } from './twin/memory-documents.js';
import { SimulatedClock } from './twin/simulated-clock.js';

documentsContract(t, 'nedb', async (t) => {
  const file = join(t.testdir(), 'below', 'documents');
  return { documents: await openNedbDocuments(file), reopen: () => openNedbDocuments(file) };
});

documentsContract(t, 'memory', async () => {
  const documents = new MemoryDocuments();
  let last = documents;
  return { documents, reopen: async () => (last = last.reopen()) };
});

t.test('DO-3: a file with one wrong letter is refused whole, and says where the one before is', async (t) => {
  const file = join(t.testdir(), 'documents');
  const documents = await openNedbDocuments(file);
  await documents.change(new Map([['a', { text: 'first' }]]));
  await documents.change(new Map([['b', { text: 'second' }]]));
  const sound = readFileSync(file, 'utf8');
  t.equal(sound.trim().split('\n').length, 2, 'compacted: one line for each');
  writeFileSync(file, sound.replace('second', 'Second'));
  await t.rejects(openNedbDocuments(file), {
    kind: 'damaged',
    message: /documents\.previous/,
  } as unknown as Error);
  writeFileSync(file, sound.slice(0, -5));
  await t.rejects(openNedbDocuments(file), { kind: 'damaged' } as unknown as Error);
  writeFileSync(file, readFileSync(`${file}.previous`));
  t.same([...(await openNedbDocuments(file)).all().keys()], ['a']);
});

t.test('DO-1: in memory, a crash leaves nothing of a change that was under way', async (t) => {
  const clock = new SimulatedClock();
  const documents = new MemoryDocuments({ clock, flushMs: 5 });
  const first = documents.change(new Map([['a', { count: 1 }]]));
  await clock.until(first);
  void documents.change(new Map([['a', { count: 2 }]]));
  await clock.advance(2);
  t.same([...documents.crash().all()], [['a', { count: 1 }]]);
  const full = new MemoryDocuments();
  full.failNext();
  await t.rejects(full.change(new Map([['a', { count: 1 }]])), { kind: 'no-space' } as unknown as Error);
  t.equal(full.all().size, 0);
});
