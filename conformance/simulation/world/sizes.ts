/** Rows and containers of each host: what must not grow for ever. */
import {
  emptyDigest,
  isFailure,
  limits,
  unseal,
  versionsOf,
  volumeId,
  type VolumeId,
} from '../../../vice/interface/index.js';
import { roundMs } from '../../../venus/volume/nameless-objects.js';
import { transferTiming } from '../../../vice/seam/link-bounds.js';
import { endOf, type Store } from '../../../vice/seam/store.js';
import { annexSuffix, type Rows, type Size } from './outcome.js';
import type { VolumeName } from './scenario.js';
import type { Stage } from './stage.js';
import type { ObjectRow } from '../../../vice/store/volume-store.js';
import { idOf } from './volumes.js';

/** What a crash has left is gone by then (vice/store/container-references.ts). */
const sweptMs = 20_000;
/** When a server has given up what a gateway had announced to bring and died (vice/server/staging.ts, SG-3). */
const givenUpMs = transferTiming.idleMs + 11 * 60_000;
/** A gateway has forgotten by then what others have removed (NO-1); looked at in one of so many seeds. */
const forgottenMs = roundMs + 5000;
const forgettingEvery = 4;
/** Read in one go. */
const pageRows = 1000;

/** First parts of keys that say no table yet. */
const several: ReadonlySet<string> = new Set(['cache', 'hoard', 'location', 'protection', 'scrub']);

/**
 * The rows of one store by table, as vice/store/README.md and venus/store/README.md name them; those of volumes under
 * the volume: `7f000001/object`. Of any store: nothing is known here of what tables there should be.
 */
function rowsOf(store: Store): Rows {
  const counts: Record<string, number> = {};
  for (const { key } of under(store, '')) {
    const table = tableOf(key);
    counts[table] = (counts[table] ?? 0) + 1;
  }
  return counts;
}

function* under(
  store: Store,
  prefix: string,
): Generator<{ readonly key: string; readonly value: Uint8Array }> {
  for (let start: string | undefined = prefix; start !== undefined;) {
    const page: readonly { readonly key: string; readonly value: Uint8Array }[] = [
      ...store.range({ start, end: endOf(prefix), limit: pageRows }),
    ];
    yield* page;
    start = page.length < pageRows ? undefined : `${page.at(-1)?.key ?? ''}\u0000`;
  }
}

/** Of what stands twice `copy/` and the table: `copy/7f000001/meta`. */
export function tableOf(key: string): string {
  const [first = '', second = '', third = ''] = key.split('/');
  if (first === 'copy') return `copy/${tableOf(key.slice('copy/'.length))}`;
  // `container/DIGEST/V`
  if (first === 'container') return `${third}/container`;
  return volumeId(first) !== undefined || several.has(first) ? `${first}/${second}` : first;
}

/** Of one volume, by the rest of the table's name. */
function ofVolume(rows: Rows, volume: VolumeId): Rows {
  const own = Object.entries(rows).filter(([table]) => table.includes(`${volume}/`));
  return Object.fromEntries(own.map(([table, count]) => [table.replace(`${volume}/`, ''), count]));
}

/** Contents that rows of objects name. */
function neededIn(store: Store, volume: VolumeId): number {
  const digests = new Set<string>();
  for (const { value } of under(store, `${volume}/object/`)) {
    const row = readable(value) as ObjectRow | undefined;
    if (row === undefined || (row.removed && row.keeps !== true)) continue;
    for (const { digest } of versionsOf(row.status)) if (digest !== emptyDigest) digests.add(digest);
  }
  return digests.size;
}

function overdueIn(store: Store, volume: VolumeId): number {
  let overdue = 0;
  for (const { key } of under(store, `${volume}/applied/`)) {
    const [, , venus = '', counter = ''] = key.split('/');
    const watermark = readable(store.get(`${volume}/watermark/${venus}`));
    if (typeof watermark === 'number' && Number(counter) < watermark) overdue += 1;
  }
  return overdue;
}

function readable(sealed: Uint8Array | undefined): unknown {
  try {
    return sealed && unseal(sealed);
  } catch (error) {
    if (isFailure(error, 'damaged')) return undefined;
    throw error;
  }
}

/** Of no volume. */
function ofNoVolume(rows: Rows): Rows {
  return Object.fromEntries(Object.entries(rows).filter(([table]) => !/(^|\/)[0-9a-f]{8}\//.test(table)));
}

/** What is in one store, of a twin or a real one. */
export function keptIn(
  store: Store,
  volume: VolumeId,
  isServer: boolean,
): Pick<Size, 'rows' | 'others' | 'needed' | 'overdue'> {
  const rows = rowsOf(store);
  const others = ofNoVolume(rows);
  if (!isServer) return { rows: {}, others, needed: 0, overdue: 0 };
  return {
    rows: ofVolume(rows, volume),
    others,
    needed: neededIn(store, volume),
    overdue: overdueIn(store, volume),
  };
}

export function measure(stage: Stage): readonly Size[] {
  const sizeOf = (host: string, volume: VolumeName): Size => {
    const { store, containers } = stage.realm.disk(host);
    const kept = keptIn(store, idOf(volume), stage.servers.includes(host));
    const isAnnex = volume === 'annex';
    const isServer = stage.servers.includes(host);
    const server = isServer && stage.realm.isUp(host) ? stage.realm.server(host) : undefined;
    return {
      host: isAnnex ? `${host}${annexSuffix}` : host,
      isServer,
      spools: isAnnex ? 0 : containers.openSpools,
      ...kept,
      others: isAnnex ? undefined : kept.others,
      hasForgotten: false,
      used: server?.replica(idOf(volume))?.usedBytes,
      unnamed: isServer && !isAnnex ? unnamedAt(stage, host) : 0,
    };
  };
  return [
    ...[...stage.servers, ...stage.gateways].map((host) => sizeOf(host, 'root')),
    ...stage.membersOf('annex').map((host) => sizeOf(host, 'annex')),
  ];
}

/** Containers of a server that no object needs, once what a crash has left must be gone. */
function unnamedAt(stage: Stage, server: string): number {
  if (stage.now() - (stage.startedAt.get(server) ?? Infinity) <= sweptMs) return 0;
  const { store, containers } = stage.realm.disk(server);
  const isUnnamed = (digest: string): boolean => {
    const prefix = `container/${digest}/`;
    return [...store.range({ start: prefix, end: endOf(prefix), limit: 1 })].length === 0;
  };
  const files = [...containers.files()].filter(
    ([digest, { contents }]) => contents.length <= limits.inlineBytes && isUnnamed(digest),
  );
  const packed = [...store.range({ start: 'contents/', end: endOf('contents/') })];
  const left = packed.filter(({ key }) => isUnnamed(key.slice('contents/'.length)));
  return files.length + left.length;
}

/**
 * What a gateway that died was bringing a server keeps for a while, half written: it may go on with it when it is
 * back. Where it had not yet answered the author it does not, and nobody is there to say so: then time must do it.
 * So it must with what gateways have cached of what is no more.
 */
export async function measureAtRest(stage: Stage, seed: number): Promise<readonly Size[]> {
  const sizes = measure(stage);
  const waits = sizes.some(({ isServer, spools }) => isServer && spools > 0) && stage.atDeath.size > 0;
  const forgets = seed % forgettingEvery === 0;
  if (waits) {
    stage.situations.count('half written for a gateway that died');
    await stage.realm.clock.advance(givenUpMs);
  } else if (forgets) await stage.realm.clock.advance(forgottenMs);
  else return sizes;
  const later = new Map(measure(stage).map((size) => [size.host, size]));
  return sizes.map((size) => {
    const { spools, others } = later.get(size.host) ?? size;
    return size.isServer ? { ...size, spools } : { ...size, others, hasForgotten: true };
  });
}
