/**
 * Dumps made by hand: small states as servers would tell them, what is written of them, and dumps whose every checksum
 * is right while what they say is wrong.
 */
import { createHash } from 'node:crypto';
import { checkedDump, type CheckedDump } from '../../gateway/administration/dump/checked-dump.js';
import {
  frame,
  jsonFrame,
  magic,
  type DumpHeader,
  type DumpTrailer,
} from '../../gateway/administration/dump/format.js';
import type { DumpBytes } from '../../gateway/administration/dump/frame-reader.js';
import type { VolumeState } from '../../gateway/administration/dump/volume-state.js';
import { dumped } from '../../gateway/administration/dump/writer.js';
import {
  makeFid,
  makeStoreId,
  rootFid,
  type Fid,
  type VenusId,
  type VnodeStatus,
  type VolumeId,
} from '../../vice/interface/index.js';
import { digestOf } from '../../vice/seam/block-digests.js';

export const volume = '7f000001' as VolumeId;
export const venus = 'a'.repeat(16) as VenusId;

/** Names -> contents: all that these volumes have, in their roots. */
export type Files = Readonly<Record<string, string>>;

export function stateWith(files: Files, snapshot: string, time: number): VolumeState {
  const texts = new Map(Object.values(files).map((text) => [digestOf(Buffer.from(text)), text]));
  const objects = [root(time), ...Object.entries(files).map(([name, text]) => file(name, text))];
  objects.sort((a, b) => (a.fid < b.fid ? -1 : 1));
  return {
    header: {
      format: 'coda-dump',
      version: 1,
      realm: { id: 'r', name: 'a realm' },
      volume: { id: volume, name: 'office' },
      state: { snapshot, time, replica: 's1-1' },
    },
    objects: () => streamOf(objects),
    contents: (_fid, { digest }) => streamOf([Buffer.from(texts.get(digest) ?? '')]),
  };
}

export function fidOf(name: string): Fid {
  return makeFid(volume, name.charCodeAt(0), venus);
}

export function file(name: string, text: string): VnodeStatus {
  const storeId = makeStoreId(venus, name.charCodeAt(0));
  const place = {
    parent: rootFid(volume),
    name,
    storeId,
    time: 1,
    author: 'ann',
    host: 'g',
    isBroken: false,
  };
  const made = { modified: 2, author: 'ann', host: 'g', saved: 3 };
  const digest = digestOf(Buffer.from(text));
  return {
    ...common,
    fid: fidOf(name),
    kind: 'file',
    parent: rootFid(volume),
    storeId,
    data: { storeId, mark: storeId, length: Buffer.byteLength(text), digest, ...made },
    places: [place],
    properties: { '{DAV:}x': `<x>${name}\u2028</x>` },
  };
}

export function folder(name: string, parent: Fid = rootFid(volume)): VnodeStatus {
  const { data: _data, ...rest } = file(name, '');
  return {
    ...rest,
    data: null,
    kind: 'directory',
    parent,
    places: rest.places.map((place) => ({ ...place, parent })),
  };
}

export function root(time: number): VnodeStatus {
  const storeId = makeStoreId(venus, 1);
  return { ...common, fid: rootFid(volume), kind: 'directory', parent: null, storeId, modified: time };
}

const common = {
  vv: { 's1-1': 1 },
  known: { [venus]: 255 },
  data: null,
  siblings: [],
  places: [],
  gone: {},
  revived: {},
  names: '',
  target: null,
  created: 1,
  modified: 2,
  mode: 0o644,
  owner: 'ann',
  author: 'ann',
  properties: {},
  setters: {},
} satisfies Partial<VnodeStatus>;

export async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

export async function written(state: VolumeState, base?: VolumeState): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of dumped(state, base, { objects: 0, bytes: 0 })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function bytesOf(buffer: Uint8Array, name = 'office.dump'): DumpBytes {
  return {
    name,
    size: buffer.length,
    read: (start, length) => Promise.resolve(buffer.subarray(start, start + length)),
    pause: () => Promise.resolve(),
  };
}

export async function read(buffer: Uint8Array, name?: string): Promise<CheckedDump> {
  return checkedDump(bytesOf(buffer, name));
}

/** Names -> contents, as a state has them. */
export async function filesOf(state: VolumeState): Promise<Files> {
  const found: Record<string, string> = {};
  for await (const { fid, data, places } of state.objects()) {
    if (data === null) continue;
    const chunks: Uint8Array[] = [];
    if (data.length > 0) for await (const chunk of state.contents(fid, data)) chunks.push(chunk);
    found[places[0]?.name ?? ''] = Buffer.concat(chunks).toString();
  }
  return found;
}

/** What comes between header and trailer: contents, objects, Fids that are removed, whole frames. */
export type Part =
  { readonly text: string; readonly digest?: string } | VnodeStatus | { readonly removed: Fid } | Buffer;

export interface Lies {
  readonly header?: Partial<DumpHeader>;
  readonly trailer?: Partial<DumpTrailer>;
}

/** A full dump of `parts` in this order; checksums, counts and the digest over all are right, but for the `lies`. */
export function madeDump(parts: readonly Part[], lies: Lies = {}): Buffer {
  const { header } = stateWith({}, 'noon', 1);
  const counts = { objects: 0, removed: 0, contents: 0, bytes: 0 };
  const frames: Uint8Array[] = [magic, jsonFrame('H', { ...header, base: null, ...lies.header })];
  for (const part of parts) {
    if (Buffer.isBuffer(part)) frames.push(part);
    else if ('removed' in part) {
      counts.removed += 1;
      frames.push(jsonFrame('R', { fid: part.removed }));
    } else if ('text' in part) {
      const bytes = Buffer.from(part.text);
      counts.contents += 1;
      counts.bytes += bytes.length;
      frames.push(
        jsonFrame('C', { digest: part.digest ?? digestOf(bytes), length: bytes.length }),
        frame('B', bytes),
      );
    } else {
      counts.objects += 1;
      frames.push(jsonFrame('O', part));
    }
  }
  const before = Buffer.concat(frames);
  const sha256 = createHash('sha256').update(before).digest('hex');
  return Buffer.concat([before, jsonFrame('T', { ...counts, sha256, ...lies.trailer })]);
}

/** As a dump has it: counts are of replicas. */
export function portable(status: VnodeStatus): VnodeStatus {
  return { ...status, vv: {} };
}
