/** An argument of each call as a good peer would send it, for those that are to be altered. */
import {
  makeFid,
  makeStoreId,
  rootFid,
  type Argument,
  type CallName,
  type Mutation,
  type VenusId,
  type VolumeId,
} from '../../vice/interface/index.js';
import { blockDigest, containerDigest } from '../../vice/seam/block-digests.js';

export const volume = '7f000001' as VolumeId;
export const replica = 'r1';
const venus = 'a'.repeat(16) as VenusId;
const root = rootFid(volume);
const [file, folder, link] = [
  makeFid(volume, 2, venus),
  makeFid(volume, 3, venus),
  makeFid(volume, 4, venus),
] as const;
const contents = new Uint8Array(5);
const digest = containerDigest(blockDigest(contents));
const snapshot = { name: 'monday', time: 5 };
const cop2 = [{ storeId: makeStoreId(venus, 1), replicas: [replica] }];
const verifier = `$scrypt$ln=14,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`;

let counter = 0;
function common(): Pick<Mutation, 'storeId' | 'time' | 'author' | 'host' | 'base'> {
  counter += 1;
  return { storeId: makeStoreId(venus, counter), time: 1, author: 'ann', host: 'g1', base: {} };
}

/** One record of each kind. */
export const records: readonly Mutation[] = [
  { op: 'mkdir', ...common(), parent: root, name: 'docs', fid: folder, mode: 0o755 },
  { op: 'create', ...common(), parent: folder, name: 'a', fid: file, mode: 0o644 },
  { op: 'store', ...common(), fid: file, length: 5, digest, modified: 7, saved: 7, beside: [] },
  { op: 'setprops', ...common(), fid: file, set: { '{urn:x}colour': 'red' }, remove: ['{urn:x}size'] },
  { op: 'rename', ...common(), fromParent: folder, fromName: 'a', toParent: root, toName: 'b', fid: file },
  { op: 'utimes', ...common(), fid: file, modified: 8 },
  { op: 'chmod', ...common(), fid: file, mode: 0o600 },
  { op: 'chown', ...common(), fid: file, owner: 'bob' },
  {
    op: 'repair',
    ...common(),
    fid: file,
    dismiss: [],
    leave: [],
    accept: { name: 'b', parent: root, since: 3 },
  },
  { op: 'setacl', ...common(), fid: folder, list: { positive: { ann: 127 }, negative: { bob: 1 } } },
  { op: 'symlink', ...common(), parent: folder, name: 'l', fid: link, target: 'b', settled: true },
  { op: 'remove', ...common(), parent: root, name: 'b', fid: file },
  { op: 'rmdir', ...common(), parent: root, name: 'docs', fid: folder },
];

const batch = { volume, inline: { [digest]: contents }, transfers: {}, watermark: 0, cop2 };

/** What `mutate` is altered from: batches of one record, and one of all. */
export const batches: readonly Argument<'mutate'>[] = [
  ...records.map((record) => ({ ...batch, records: [record] })),
  { ...batch, records: [...records] },
];

const mark = {
  stamp: 7,
  epochs: [
    { id: '5e', after: 0 },
    { id: 'f1', after: 5 },
  ],
};

export const sampleCalls: { readonly [C in CallName]: Argument<C> } = {
  locate: {},
  prove: { credential: 'x' },
  watch: { volume, replica, since: 1, incarnation: 'x', venus },
  status: { volume, fids: [root, file], cop2 },
  list: { volume, fid: root, full: true, since: '0'.repeat(16), cop2 },
  mutate: { ...batch, records: records.slice(0, 3) },
  offer: { volume, contents: [{ digest, length: 5, transfer: 't1' }] },
  cop2: { volume, cop2 },
  bases: { volume, fids: [file] },
  resolve: { volume, fids: [root] },
  changes: { volume, reader: 'r2', settled: mark, since: mark, limit: 10 },
  stamps: { volume, fids: [root, file] },
  contents: { digests: [digest] },
  digests: { volume, prefix: '0' },
  conflicts: { volume, after: null, limit: 10 },
  space: { volume },
  publish: { intention: { change: 'set-quota', volume, bytes: 2 ** 40 }, basedOn: null, user: null },
  covers: { volume, replica },
  fenced: { volume, replica },
  scrub: { start: false },
  audit: { after: null, limit: 10 },
  login: { user: 'ann', password: 'sesame', seen: 1 },
  renew: { token: 'x', seen: 1 },
  authorize: { tokens: ['x'] },
  people: {},
  users: {},
  keepPeople: { users: [{ name: 'ann', verifier }] },
  changePeople: { change: { change: 'add-user', name: 'bob', verifier } },
  takeSnapshot: { volume, snapshot },
  dropSnapshot: { volume, name: 'monday' },
  snapshots: { volume },
  snapshotNews: { volume },
  snapshotRows: { volume, snapshot, after: '' },
  snapshotStatus: { volume, snapshot, fid: root },
  snapshotList: { volume, snapshot, fid: root },
  snapshotObjects: { volume, snapshot, after: null },
  lackingContents: { volume, contents: [digest] },
  restoreObjects: { volume, objects: [], inline: {}, transfers: {} },
  report: {},
};
