/**
 * A server's store and a gateway's cache with very many files, written as they write them but without calls: a thousand
 * files in a folder, each with contents of its own. Both folders must be closed.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { allHeard } from '../../venus/cache/cached-object.js';
import { ObjectCache } from '../../venus/cache/object-cache.js';
import { WriteBuffer } from '../../venus/store/write-buffer.js';
import {
  emptyRoot,
  makeFid,
  makeStoreId,
  rootFid,
  seal,
  unseal,
  type Fid,
  type RealmDocument,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import { packContents } from '../../vice/seam/packed-containers.js';
import { openLmdbStore } from '../../vice/seam/real/lmdb-store.js';
import type { Store } from '../../vice/seam/store.js';
import { RowCache } from '../../vice/store/row-cache.js';
import { VolumeKeys, VolumeReader } from '../../vice/store/volume-store.js';
import { VolumeTransaction } from '../../vice/store/volume-transaction.js';
import { say } from './report.js';

export const filesPerFolder = 1000;
export const folderName = (index: number): string => `folder-${`${index}`.padStart(5, '0')}`;
export const fileName = (index: number): string => `file-${`${index}`.padStart(4, '0')}.txt`;

export const fillingVenus = '00000000000000be' as VenusId;
const bytes = Buffer.alloc(100, 'x');
/** Folders between two lines of progress. */
const progressFolders = 250;
/** Rows of the gateway in one transaction. */
const flushedAtOnce = 5000;

interface Place {
  readonly volume: VolumeId;
  readonly replica: string;
}

/** The folder `index`, and its files: every StoreId and Fid follows from the number. */
function folderOf({ volume, replica }: Place, index: number): readonly VnodeStatus[] {
  const first = index * (filesPerFolder + 1) + 1;
  const objectAt = (at: number, parent: Fid, name: string): VnodeStatus => {
    const fid = makeFid(volume, at + 1, fillingVenus);
    const storeId = makeStoreId(fillingVenus, at);
    const [author, host, time] = ['bench', 'bench', 1];
    const isFolder = at === first;
    const digest = createHash('sha256').update(fid).digest('hex');
    const made = {
      storeId,
      mark: storeId,
      length: bytes.length,
      digest,
      modified: 1,
      author,
      host,
      saved: 1,
    };
    return {
      ...emptyRoot(fid, time),
      kind: isFolder ? 'directory' : 'file',
      parent,
      vv: { [replica]: isFolder ? filesPerFolder + 1 : 1 },
      storeId,
      rank: at,
      known: { [fillingVenus]: isFolder ? first + filesPerFolder : at },
      data: isFolder ? null : made,
      places: [{ parent, name, storeId, time, author, host, isBroken: false }],
      names: isFolder ? emptyRoot(fid).names : '',
      mode: isFolder ? 0o755 : 0o644,
      owner: author,
      author,
    };
  };
  const folder = objectAt(first, rootFid(volume), folderName(index));
  const files = Array.from({ length: filesPerFolder }, (_, at) =>
    objectAt(first + at + 1, folder.fid, fileName(at)),
  );
  return [folder, ...files];
}

/** Fills both; each must have been started once and stopped. */
export async function fillMillion(
  document: RealmDocument,
  folders: { readonly server: string; readonly gateway: string },
  count: number,
): Promise<void> {
  const volume = document.volumes.find(({ id }) => id === document.rootVolume);
  const [replica] = volume?.replicas ?? [];
  if (volume === undefined || replica === undefined) throw new Error('the realm has a volume with a replica');
  const place = { volume: volume.id, replica: replica.id };
  const server = await openLmdbStore(join(folders.server, 'store'));
  const gateway = await openLmdbStore(join(folders.gateway, 'store'));
  try {
    for (let index = 0; index < count; index += 1) {
      await fillServer(server, place, index, folderOf(place, index));
      if ((index + 1) % progressFolders === 0) say(`server: ${index + 1} folders of ${count}`);
    }
    await fillGateway(gateway, server, place);
  } finally {
    await server.close();
    await gateway.close();
  }
}

function fillServer(
  store: Store,
  { volume, replica }: Place,
  index: number,
  objects: readonly VnodeStatus[],
): Promise<void> {
  return store.transact((transaction) => {
    const rows = new VolumeTransaction(transaction, new VolumeKeys(volume), new RowCache());
    rows.nextStamp();
    const root = rows.status(rootFid(volume));
    const last = objects.at(-1);
    if (root === undefined || last === undefined) throw new Error('the replica was never opened');
    const known = { ...root.known, [fillingVenus]: (index + 1) * (filesPerFolder + 1) };
    rows.put({ ...root, known, storeId: last.storeId, vv: { [replica]: index + 1 } });
    for (const status of objects) {
      const { fid, kind, parent, places } = status;
      if (rows.object(fid) !== undefined || parent === null) throw new Error(`${fid} is here already`);
      rows.put(status);
      rows.bind(parent, { name: places[0]?.name ?? '', fid, kind });
    }
    rows.finish();
  });
}

/** All that the server has, valid, with contents. */
async function fillGateway(store: Store, server: Store, { volume, replica }: Place): Promise<void> {
  const buffer = new WriteBuffer(store);
  const cache = new ObjectCache(buffer);
  const reader = new VolumeReader(server, new VolumeKeys(volume));
  const stored = buffer.get(`p/${volume}`);
  const epoch = stored === undefined ? 1 : (unseal(stored) as number);
  let objects = 0;
  let contents: string[] = [];
  for (const { status, removed, bound } of reader.objects()) {
    if (removed) continue;
    cache.putStatus(status, { epoch, unheard: allHeard }, status.kind === 'directory');
    if (bound !== null) {
      cache.bind(bound.directory, { name: bound.name, fid: status.fid, kind: status.kind });
    }
    if (status.data !== null) contents.push(status.data.digest);
    if ((objects += 1) % flushedAtOnce !== 0) continue;
    await write(contents);
    if (objects % (progressFolders * filesPerFolder) === 0) say(`gateway: ${objects} objects`);
  }
  const { stamp, incarnation } = reader.meta() ?? { stamp: 0, incarnation: '' };
  buffer.put(`r/${volume}/${replica}`, seal({ stamp, incarnation }));
  await write(contents);

  async function write(digests: readonly string[]): Promise<void> {
    contents = [];
    await buffer.flush();
    await store.transact((transaction) => {
      for (const digest of digests) packContents(transaction, digest, bytes);
    });
  }
}
