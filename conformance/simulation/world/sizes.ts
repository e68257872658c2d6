/** Rows and containers of each host: what must not grow for ever. */
import { limits, volumeId, type VolumeId } from '../../../vice/interface/index.js';
import { transferTiming } from '../../../vice/seam/link-bounds.js';
import { endOf, type Store } from '../../../vice/seam/store.js';
import { annexSuffix, type Rows, type Size } from './outcome.js';
import type { VolumeName } from './scenario.js';
import type { Stage } from './stage.js';
import { idOf } from './volumes.js';

/** What a crash has left is gone by then (vice/store/container-references.ts). */
const sweptMs = 20_000;
/** When a server has given up what a gateway had announced to bring and died (vice/server/staging.ts, SG-3). */
const givenUpMs = transferTiming.idleMs + 11 * 60_000;
/** Read in one go. */
const pageRows = 1000;

/** First parts of keys that say no table yet. */
const several: ReadonlySet<string> = new Set(['cache', 'hoard', 'location', 'protection', 'scrub']);

/**
 * The rows of one store by table, as vice/store/README.md and venus/store/README.md name them; those of volumes under
 * the volume: `7f000001/object`. Of any store: nothing is known here of what tables there should be.
 */
export function rowsOf(store: Store): Rows {
  const counts: Record<string, number> = {};
  let start = '';
  for (let more = true; more;) {
    const page = [...store.range({ start, end: endOf(''), limit: pageRows })];
    for (const { key } of page) {
      const table = tableOf(key);
      counts[table] = (counts[table] ?? 0) + 1;
    }
    start = `${page.at(-1)?.key ?? ''}\u0000`;
    more = page.length === pageRows;
  }
  return counts;
}

function tableOf(key: string): string {
  const [first = '', second = '', third = ''] = key.split('/');
  if (first === 'copy') return `copy/${tableOf(key.slice('copy/'.length))}`;
  // `container/DIGEST/V`
  if (first === 'container') return `${third}/container`;
  return volumeId(first) !== undefined || several.has(first) ? `${first}/${second}` : first;
}

/** Of one volume, by the rest of the table's name. */
export function ofVolume(rows: Rows, volume: VolumeId): Rows {
  const own = Object.entries(rows).filter(([table]) => table.includes(`${volume}/`));
  return Object.fromEntries(own.map(([table, count]) => [table.replace(`${volume}/`, ''), count]));
}

/** Of no volume. */
export function ofNoVolume(rows: Rows): Rows {
  return Object.fromEntries(Object.entries(rows).filter(([table]) => !/(^|\/)[0-9a-f]{8}\//.test(table)));
}

export function measure(stage: Stage): readonly Size[] {
  const sizeOf = (host: string, volume: VolumeName): Size => {
    const { store, containers } = stage.realm.disk(host);
    const rows = rowsOf(store);
    const isAnnex = volume === 'annex';
    const isServer = stage.servers.includes(host);
    const server = isServer && stage.realm.isUp(host) ? stage.realm.server(host) : undefined;
    return {
      host: isAnnex ? `${host}${annexSuffix}` : host,
      isServer,
      spools: isAnnex ? 0 : containers.openSpools,
      rows: isServer ? ofVolume(rows, idOf(volume)) : {},
      others: isAnnex ? {} : ofNoVolume(rows),
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
 */
export async function measureAtRest(stage: Stage): Promise<readonly Size[]> {
  await stage.realm.clock.advance(125_000);
  const sizes = measure(stage);
  const waits = sizes.some(({ isServer, spools }) => isServer && spools > 0);
  if (!waits || stage.atDeath.size === 0) return sizes;
  stage.situations.count('half written for a gateway that died');
  await stage.realm.clock.advance(givenUpMs);
  const later = new Map(measure(stage).map(({ host, spools }) => [host, spools]));
  return sizes.map((size) => ({ ...size, spools: later.get(size.host) ?? size.spools }));
}
