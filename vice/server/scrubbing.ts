/** What a server gives its scrub: its rows and replicas, and the ways to its peers. */
import { membersOf, volumeEntry } from '../interface/index.js';
import type { ScrubPeer, ScrubSettings } from '../scrub/scrub-world.js';
import { Scrubber } from '../scrub/scrubber.js';
import { ContainerReferences } from '../store/container-references.js';
import type { Replica } from '../volume/replica.js';
import type { ServerContext } from './context.js';

export function scrubberOf(
  context: Pick<
    ServerContext,
    'world' | 'location' | 'volumes' | 'links' | 'resolver' | 'copier' | 'foreground'
  >,
  settings: ScrubSettings,
): Scrubber {
  const { world, volumes, resolver, copier, foreground } = context;
  return new Scrubber({
    ...world,
    references: ContainerReferences.of(world),
    settings,
    replicas: () => volumes.all(),
    peers: (replica) => peersOf(context, replica),
    fetch: (digest) => resolver.heal(digest),
    resolve: async (replica, fids) => void (await resolver.resolve(replica, fids)),
    renew: (replica, snapshot) => copier.renew(replica, snapshot),
    isBusy: () => foreground.calls > 0,
  });
}

function peersOf(
  { location, links }: Pick<ServerContext, 'location' | 'links'>,
  replica: Replica,
): readonly ScrubPeer[] {
  const entry = volumeEntry(location.current, replica.volume);
  if (entry === undefined) return [];
  return membersOf(entry)
    .filter(({ id }) => id !== replica.id)
    .map(({ server }) => ({ server, link: links.linked(server) }));
}
