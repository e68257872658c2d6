/** The realm document at a server, where it comes from programs of other versions. */
import t from 'tap';
import { isFailure, protocolFault, seal, type RealmDocument, type VolumeId } from '../interface/index.js';
import { MemoryStore } from '../seam/twin/memory-store.js';
import { openLocation } from './location.js';

const document: RealmDocument = {
  format: 1,
  version: 3,
  realm: 'office',
  name: 'office',
  servers: [{ name: 's1', address: 'ws://s1:1' }],
  volumes: [{ id: '7f000001' as VolumeId, name: 'root', replicas: [{ id: 's1', server: 's1' }] }],
  rootVolume: '7f000001' as VolumeId,
};
const [root] = document.volumes;

async function reason(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'taken';
  } catch (error) {
    return isFailure(error, 'invalid') ? error.message : String(error);
  }
}

t.test('what a newer program wrote is refused whole, kept out, and says what to do', async (t) => {
  const location = await openLocation(new MemoryStore({}), document);
  const newer = { ...document, version: 4, volumes: [{ ...root, mirrored: true }] };
  t.match(await reason(location.adopt(newer)), /"volumes\.0\.mirrored" is nothing that this program knows/);
  t.match(await reason(location.adopt(newer)), /a newer one wrote it, so update this one/);
  t.equal(location.current.version, 3, 'it goes on with what it has');
  t.match(
    await reason(location.adopt({ ...document, version: 'x' })),
    /version: /,
    'what is merely wrong says so',
  );
  t.notMatch(await reason(location.adopt({ ...document, version: 'x' })), /update/);
});

t.test('also what is in its own data folder, after it was replaced by an older program', async (t) => {
  const store = new MemoryStore({});
  await store.transact((transaction) => {
    transaction.put('location/realm', seal({ ...document, version: 4, mirrored: [] }));
  });
  t.match(await reason(openLocation(store, document)), /"mirrored" is nothing that this program knows/);
});

t.test('who is to be updated is the older one', async (t) => {
  t.match(protocolFault(10, 9), /version 9 .*this side 10: update the other side/);
  t.match(protocolFault(9, 10), /update this side/);
});

t.test(
  'what is damaged comes from its copy; where both are, the server does not start and says what to do',
  async (t) => {
    const store = new MemoryStore({});
    await openLocation(store, { ...document, version: 9 });
    store.damage('location/realm', 0.5);
    t.equal((await openLocation(store, document)).current.version, 9, 'never an older one (LO-1)');
    for (const key of ['location/realm', 'copy/location/realm']) store.damage(key, 0.5);
    t.match(await reason(openLocation(store, document)), /nor its copy: this disk loses data\. Put a backup/);
  },
);
