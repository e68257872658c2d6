/** A container that nothing needs goes; what is held or named stays; what could not be removed is removed later. */
import t from 'tap';
import { Failure, type VolumeId } from '../interface/index.js';
import { silentLog } from '../seam/log.js';
import { MemoryContainers } from '../seam/twin/memory-containers.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { SimulatedClock } from '../seam/twin/simulated-clock.js';
import { ContainerReferences, countReferences } from './container-references.js';

const volume = '7f000001' as VolumeId;

/** A disk that may be too full even to remove. */
class Shelf extends MemoryContainers {
  isFull = false;
  tries = 0;

  override async remove(digest: string): Promise<void> {
    this.tries += 1;
    if (this.isFull) throw new Failure('no-space', 'containers.remove', 'the disk is full');
    await super.remove(digest);
  }
}

async function shelf() {
  const [store, clock, containers] = [new MemoryStore({}), new SimulatedClock(), new Shelf()];
  const spool = await containers.spool();
  await spool.write(Buffer.from('contents'));
  const { digest } = await spool.commit();
  const references = ContainerReferences.of({ store, containers, clock, log: silentLog });
  // It is one of those that a crash may have left.
  await references.settled();
  return { store, clock, containers, references, digest };
}

t.test('what could not be removed is tried again', async (t) => {
  const { clock, containers, references, digest } = await shelf();
  containers.isFull = true;
  references.collect([digest]);
  await references.settled();
  await clock.advance(60_000);
  t.ok(containers.tries > 2, `${containers.tries} times, as long as there is no room`);
  t.ok(await containers.has(digest));
  containers.isFull = false;
  await clock.advance(20_000);
  await references.settled();
  t.notOk(await containers.has(digest));
});

t.test('not if it has come to be needed meanwhile', async (t) => {
  const { store, clock, containers, references, digest } = await shelf();
  containers.isFull = true;
  references.collect([digest]);
  await references.settled();
  await store.transact((transaction) => countReferences(transaction, volume, digest, 1));
  containers.isFull = false;
  await clock.advance(60_000);
  await references.settled();
  t.ok(await containers.has(digest), 'a file names it');
  t.equal(await references.lengthOf(digest), 8);
});

t.test('what is held stays until the last release', async (t) => {
  const { clock, containers, references, digest } = await shelf();
  const releases = [references.hold(digest), references.hold(digest)];
  await clock.advance(60_000);
  t.ok(await containers.has(digest), 'over a sweep, too');
  releases[0]?.();
  releases[0]?.();
  await references.settled();
  t.ok(await containers.has(digest), 'one release counts once');
  releases[1]?.();
  await references.settled();
  t.notOk(await containers.has(digest));
});

t.test('a damaged count is one too many rather than one too few', async (t) => {
  const { store, clock, containers, references, digest } = await shelf();
  await store.transact((transaction) =>
    transaction.put(`container/${digest}/${volume}`, Buffer.from('no seal')),
  );
  await store.transact((transaction) => countReferences(transaction, volume, digest, -1));
  references.collect([digest]);
  await clock.advance(60_000);
  t.ok(await containers.has(digest));
});
