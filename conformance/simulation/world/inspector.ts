/** Looks at all replicas and through all gateways. */
import { Readable } from 'node:stream';
import { isFailure, type Fid } from '../../../vice/interface/index.js';
import { MemoryContainers } from '../../../vice/seam/twin/memory-containers.js';
import type { Caller, ConflictReport, Entry, Venus } from '../../../venus/interface.js';
import { withoutOrder, type ReplicaDump } from '../replica-dump.js';
import { contentsOf } from '../share.js';
import type { SimulatedRealm } from '../simulated-realm.js';
import { annexSuffix, type Look, type View } from './outcome.js';
import type { VolumeName } from './scenario.js';
import { idOf, mountedAt } from './volumes.js';

const caller: Caller = { user: 'ann' };
const users = ['ann', 'bob', 'cid'] as const;

/**
 * A copy of a server's containers, so that looking changes nothing. What a flipped bit has spoilt comes from another
 * server, as it does when somebody asks for it (vice/server/downloads.ts).
 */
class HealingContainers extends MemoryContainers {
  readonly #others: readonly MemoryContainers[];
  readonly #flipped: ReadonlySet<string>;

  constructor(realm: SimulatedRealm, server: string, flipped: ReadonlySet<string>) {
    super({}, realm.disk(server).containers.files());
    this.#others = realm.serverNames.flatMap((name) =>
      name === server ? [] : [realm.disk(name).containers.reopen()],
    );
    this.#flipped = flipped;
  }

  override async read(digest: string, start = 0, end = Infinity): Promise<AsyncIterable<Uint8Array>> {
    if (!this.#flipped.has(digest)) return super.read(digest, start, end);
    for (const containers of this.#others) {
      try {
        const chunks: Uint8Array[] = [];
        for await (const chunk of await containers.read(digest, start, end)) chunks.push(chunk);
        return Readable.from(chunks);
      } catch (error) {
        if (!isFailure(error)) throw error;
      }
    }
    return super.read(digest, start, end);
  }
}

export interface LookedAt {
  readonly gateways: readonly string[];
  /** Servers that have a replica of the root volume, and of the second one. */
  readonly members: readonly string[];
  readonly annex: readonly string[];
  readonly flipped: ReadonlySet<string>;
}

export async function lookAt(
  realm: SimulatedRealm,
  when: Look['when'],
  { gateways, members, annex, flipped }: LookedAt,
): Promise<Look & { readonly isConverged: boolean }> {
  const dumps = new Map<string, ReplicaDump | Error>();
  const digests = new Set<string>();
  const dumpAll = async (servers: readonly string[], volume: VolumeName): Promise<void> => {
    for (const name of servers) {
      const replica = volume === 'annex' ? `${name}${annexSuffix}` : name;
      try {
        const dump = await dumpOf(realm, name, volume, flipped);
        dumps.set(replica, dump);
        digests.add(`${volume} ${withoutOrder(dump).join('\n')}`);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        dumps.set(replica, error);
        digests.add(`${replica}: ${error.message}`);
      }
    }
  };
  await dumpAll(members, 'root');
  await dumpAll(annex, 'annex');
  const views: View[] = [];
  for (const name of gateways) views.push(await realm.finish(viewOf(realm, name)));
  return { when, dumps, views, isConverged: digests.size === (annex.length > 0 ? 2 : 1) };
}

/** Paths are those of the realm: the second volume is seen where it is mounted at the end. */
async function dumpOf(
  realm: SimulatedRealm,
  server: string,
  volume: VolumeName,
  flipped: ReadonlySet<string>,
): Promise<ReplicaDump> {
  const dump = await realm.dump(server, new HealingContainers(realm, server, flipped), idOf(volume));
  if (volume === 'root') return dump;
  return dump.map((object) => ({ ...object, path: `/${mountedAt.last}${object.path}` }));
}

async function viewOf(realm: SimulatedRealm, gateway: string): Promise<View> {
  const venus = realm.gateway(gateway);
  const paths: string[] = [];
  const texts: string[] = [];
  const rights: Record<string, Record<string, string>> = Object.fromEntries(users.map((user) => [user, {}]));
  const visit = async (path: string, directory: Fid): Promise<void> => {
    for (const user of users) (rights[user] ??= {})[path] = await rightsOf(venus, { user }, directory);
    for (const { name, status } of await entriesOf(venus, directory)) {
      if (status.conflict?.kind !== 'sibling') paths.push(`${path}/${name}`);
      if (status.kind === 'directory') await visit(`${path}/${name}`, status.fid);
      else if (status.kind === 'file') texts.push(await read(venus, status.fid));
    }
  };
  const { object: root } = await venus.lookup(caller, []);
  if (root !== null) await visit('', root.fid);
  const conflicts: ConflictReport[] = [];
  for await (const batch of venus.conflicts.list(caller)) conflicts.push(...batch);
  const pending = venus.log.changes();
  const missing: string[] = [];
  for (const { digest, length } of pending.flatMap(({ records }) => records)) {
    if (digest !== null && length !== 0 && !(await realm.disk(gateway).containers.has(digest)))
      missing.push(digest);
  }
  return {
    gateway,
    paths: paths.sort(),
    texts,
    conflicts,
    pending,
    leases: venus.leases.all(),
    missing,
    rights,
  };
}

async function entriesOf(venus: Venus, directory: Fid): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of venus.list(caller, directory)) entries.push(...batch);
  return entries;
}

/** `hidden`: that it is there he is not told. */
async function rightsOf(venus: Venus, user: Caller, directory: Fid): Promise<string> {
  try {
    return (await venus.access(user, directory)).rights;
  } catch (error) {
    if (isFailure(error, 'access-denied')) return 'hidden';
    throw error;
  }
}

async function read(venus: Venus, fid: Fid): Promise<string> {
  try {
    return await contentsOf(await venus.open(caller, fid));
  } catch (error) {
    if (!isFailure(error)) throw error;
    return `(${error.kind}: ${error.message})`;
  }
}
