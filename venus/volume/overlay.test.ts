import t from 'tap';
import {
  makeFid,
  makeStoreId,
  venusId,
  volumeId,
  type DirectoryEntry,
  type Fid,
  type Mutation,
  type VnodeStatus,
} from '../../vice/interface/index.js';
import type { LogEntry } from '../log/modify-log.js';
import { overlaid, overlayOf } from './overlay.js';

const venus = venusId('00000000000000aa');
const other = venusId('00000000000000bb');
const volume = volumeId('7f000001');
if (venus === undefined || other === undefined || volume === undefined) throw new Error('bad ids');
const fid = (vnode: number): Fid => makeFid(volume, vnode, venus);
const directory = fid(1);
const elsewhere = fid(2);

const common = (counter: number): Pick<Mutation, 'storeId' | 'time' | 'author' | 'base'> => ({
  storeId: makeStoreId(venus, counter),
  time: counter,
  author: 'ann',
  base: {},
});
const create = (counter: number, name: string, file: Fid): Mutation => {
  return { op: 'create', ...common(counter), parent: directory, name, fid: file, mode: 0o644 };
};
const entry = (records: readonly Mutation[], appliedBy: readonly string[] = []): LogEntry => {
  return { sequence: 1, volume, records, appliedBy, acknowledged: true, offered: false };
};
const names = (...entries: readonly [string, Fid][]): Map<string, DirectoryEntry> => {
  return new Map(entries.map(([name, file]) => [name, { name, fid: file, kind: 'file' }]));
};
const status = (known: VnodeStatus['known']): VnodeStatus => ({
  fid: directory,
  kind: 'directory',
  parent: null,
  vv: {},
  storeId: null,
  known,
  data: null,
  target: null,
  created: 0,
  modified: 0,
  mode: 0o755,
  owner: 'ann',
  author: 'ann',
  properties: {},
});

t.test('only what the servers cannot know yet comes on top', (t) => {
  const waiting = entry([create(7, 'new', fid(7))]);
  const { records, known } = overlayOf(status({ [venus]: 5, [other]: 3 }), [
    entry([create(4, 'old', fid(4))]),
    entry([create(6, 'sent', fid(6))], ['s1']),
    waiting,
    entry([{ op: 'chmod', ...common(8), fid: fid(7), mode: 0o600 }]),
  ]);
  t.same(records, waiting.records, 'not what they know, have, or what is no name of the directory');
  t.same(known, { [venus]: 7, [other]: 3 });
  t.end();
});

t.test('names made, removed and moved here; a name that somebody has taken stays his', (t) => {
  const records: Mutation[] = [
    create(1, 'mine', fid(11)),
    create(2, 'taken', fid(12)),
    { op: 'remove', ...common(3), parent: directory, name: 'gone', fid: fid(13) },
    { op: 'remove', ...common(4), parent: directory, name: 'replaced', fid: fid(14) },
    {
      op: 'rename',
      ...common(5),
      fromParent: directory,
      fromName: 'before',
      toParent: elsewhere,
      toName: 'after',
      fid: fid(15),
    },
    {
      op: 'rename',
      ...common(6),
      fromParent: elsewhere,
      fromName: 'out',
      toParent: directory,
      toName: 'in',
      fid: fid(16),
    },
    { op: 'mkdir', ...common(7), parent: directory, name: 'folder', fid: fid(17), mode: 0o755 },
  ];
  const theirs = names(
    ['taken', fid(92)],
    ['gone', fid(13)],
    ['replaced', fid(94)],
    ['before', fid(15)],
    ['theirs', fid(99)],
  );
  const result = overlaid(directory, theirs, records, () => 'symlink');
  t.same([...result.keys()].sort(), ['folder', 'in', 'mine', 'replaced', 'taken', 'theirs']);
  t.equal(result.get('taken')?.fid, fid(92));
  t.equal(result.get('replaced')?.fid, fid(94), 'the removal was of another object');
  t.equal(result.get('in')?.kind, 'symlink');
  t.equal(result.get('folder')?.kind, 'directory');
  t.equal(theirs.size, 5, 'what was given stays as it is');
  t.end();
});
